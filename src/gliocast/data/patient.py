"""A patient from files: everything read, checked against everything else, and said in a few lines."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import nibabel as nib
import numpy as np

from gliocast.core import Grid, InputError, LabelMap, Patient, Scan, Study, Visit, Volume
from gliocast.core.grid import MM3_PER_ML
from gliocast.data.folders import find_files
from gliocast.data.labels import read_labels, swap_warning
from gliocast.data.nifti import file_label, header_warnings, read_volume
from gliocast.data.preprocess import brain_mask, require_brain, require_gray_values

#: A tumor larger than this fraction of the brain is a brain mask or a mislabeled background.
MAX_LESION_FRACTION = 0.5
#: At least this fraction of a tumor lies inside the brain, or the segmentation belongs to another image.
MIN_LESION_INSIDE = 0.5
#: Less than this fraction inside is worth a warning (tcga-fg-6692 and tcga-du-7294: all of it).
USUAL_LESION_INSIDE = 0.98
#: A scan that is zero in more of the brain than this was cut or masked differently (tcga: at most 0.0014).
MAX_SCAN_MISSING = 0.1


def read_patient(folder: Path | str, *, labels: str | None = None) -> Patient:
    """Read the patient whose scans lie in a folder, named as `find_files` knows; otherwise as `read_patient_files`."""
    files = find_files(folder)
    return read_patient_files(**files, labels=labels, id=Path(folder).resolve().name or "patient")


def read_patient_files(
    *,
    t1: Path | str,
    t1c: Path | str,
    t2: Path | str,
    flair: Path | str,
    seg: Path | str,
    labels: str | None = None,
    id: str = "patient",  # noqa: A002  # the noun's own word
) -> Patient:
    """Read a patient with one visit.

    Args:
        t1: skull-stripped T1, as all other scans registered to one grid.
        t1c: T1 with contrast agent.
        t2: T2.
        flair: T2-FLAIR.
        seg: tumor segmentation.
        labels: name of the label schema; None guesses it, with a warning.
        id: pseudonym.

    Returns:
        Raw intensities, labels and brain mask; nothing is resampled or normalized. `warnings` says how doubtful
        input was understood.

    Raises:
        InputError: anything that keeps the files from being one patient's skull-stripped, co-registered scans.
    """
    paths = {"t1": Path(t1), "t1c": Path(t1c), "t2": Path(t2), "flair": Path(flair), "seg": Path(seg)}
    volumes = _read_volumes(paths)
    segmentation, warnings = read_labels(paths["seg"], labels)
    grids = {modality: volume.grid for modality, volume in volumes.items()} | {"seg": segmentation.grid}
    _require_one_grid(grids, paths)
    study = _study_of(volumes, paths)
    found = [
        *_header_warnings(paths),
        *warnings,
        *lesion_warnings(segmentation, study.brain, file_label(paths["seg"], "seg")),
        *study.warnings,
    ]
    swap = swap_warning(segmentation, volumes["t1c"])
    visit = Visit(study.scans, segmentation, study.brain)
    return Patient(id, (visit,), tuple([*found, swap] if swap else found))


def read_study(folder: Path | str) -> Study:
    """Read the scans in a folder, whether or not there is a segmentation; otherwise as `read_study_files`."""
    files = find_files(folder, segmented=False)
    return read_study_files(**{name: path for name, path in files.items() if name != "seg"})


def read_study_files(*, t1: Path | str, t1c: Path | str, t2: Path | str, flair: Path | str) -> Study:
    """Read the scans of one visit, which nothing has been segmented in; checks and errors as `read_patient_files`."""
    paths = {"t1": Path(t1), "t1c": Path(t1c), "t2": Path(t2), "flair": Path(flair)}
    volumes = _read_volumes(paths)
    _require_one_grid({modality: volume.grid for modality, volume in volumes.items()}, paths)
    study = _study_of(volumes, paths)
    return replace(study, warnings=(*_header_warnings(paths), *study.warnings))


def _read_volumes(paths: Mapping[str, Path]) -> dict[str, Volume]:
    return {modality: read_volume(path, modality) for modality, path in paths.items() if modality != "seg"}


def _study_of(volumes: Mapping[str, Volume], paths: Mapping[str, Path]) -> Study:
    """The study of scans on one grid, checked; its warnings are about the scans alone."""
    brain = brain_mask(volumes.values())
    require_brain(brain, volumes["t1"].grid, volumes["t1"])
    for modality, volume in volumes.items():
        require_gray_values(volume, brain, file_label(paths[modality], modality))
    scans = {modality: Scan(modality, volume, paths[modality]) for modality, volume in volumes.items()}
    return Study(scans, brain, tuple(_scan_warnings(volumes, brain)))


def describe(patient: Patient) -> list[str]:
    """Short lines for the log that say how the input was understood: grid, labels, tumor and brain volumes."""
    lines = []
    for visit in patient.visits:
        volumes = visit.labels.volumes()
        if visit.labels.schema.cavity is None:
            del volumes["cavity"]
        brain = np.count_nonzero(visit.brain) * visit.grid.voxel_volume
        lines += [
            f"scans {', '.join(visit.scans)}",
            f"grid {_text(visit.grid)}",
            f"labels {visit.labels.schema}",
            "tumor " + ", ".join(f"{name} {volume / MM3_PER_ML:.1f} ml" for name, volume in volumes.items()),
            f"brain {brain / MM3_PER_ML:.0f} ml",
        ]
    return lines


def _require_one_grid(grids: Mapping[str, Grid], paths: Mapping[str, Path]) -> None:
    """Raise unless all images lie on one grid; the one that most of them share counts as right."""
    reference = max(grids, key=lambda name: sum(grids[name] == other for other in grids.values()))
    different = [name for name, grid in grids.items() if grid != grids[reference]]
    if not different:
        return
    texts = {name: _text(grids[name]) for name in (reference, *different)}
    if texts[reference] in [texts[name] for name in different]:  # they differ by less than the short text shows
        texts = {name: f"{texts[name]}, affine {grids[name].affine[:3].round(4).tolist()}" for name in texts}
    raise InputError(
        ", ".join(file_label(paths[name], name) for name in different),
        expected=f"the grid of {reference} ({texts[reference]})",
        got="; ".join(f"{name}: {texts[name]}" for name in different),
        advice="register and resample all images to one grid first",
    )


def _header_warnings(paths: Mapping[str, Path]) -> list[str]:
    """Warnings about headers, each one once, with the images that it is about."""
    about: dict[str, list[str]] = {}
    for modality, path in paths.items():
        for text in header_warnings(path, modality):
            about.setdefault(text, []).append(modality)
    return [f"{', '.join(modalities)}: {text}" for text, modalities in about.items()]


def lesion_warnings(labels: LabelMap, brain: np.ndarray, subject: str) -> list[str]:
    """Raise InputError if the lesion can't be one of this brain; warn if part of it lies outside.

    Args:
        labels: the segmentation, not empty.
        brain: bool, shape of its grid, not empty.
        subject: what the segmentation is, for messages.
    """
    lesion = labels.lesion
    size = np.count_nonzero(lesion)
    of_brain, inside = size / np.count_nonzero(brain), np.count_nonzero(lesion & brain) / size
    if of_brain > MAX_LESION_FRACTION:
        raise InputError(
            subject,
            expected=f"a tumor that covers less than {MAX_LESION_FRACTION:.0%} of the brain",
            got=f"labels over {of_brain:.0%}",
            advice="pass the tumor segmentation, not a brain mask or tissue map",
        )
    if inside < MIN_LESION_INSIDE:
        raise InputError(
            subject,
            expected="a tumor inside the brain",
            got=f"only {inside:.0%} of it there",
            advice="pass the segmentation of these scans, in their orientation",
        )
    if inside < USUAL_LESION_INSIDE:
        return [f"{1 - inside:.1%} of the segmented tumor lies outside of the brain"]
    return []


def _scan_warnings(volumes: Mapping[str, Volume], brain: np.ndarray) -> list[str]:
    """Warn of scans that cover only part of the brain, and of one image given as two modalities."""
    warnings = []
    for modality, volume in volumes.items():
        missing = 1 - np.count_nonzero(volume.data[brain]) / np.count_nonzero(brain)
        if missing > MAX_SCAN_MISSING:
            warnings.append(f"{modality} is zero in {missing:.0%} of the brain; was it cut or masked differently?")
    for first, second in combinations(volumes, 2):
        if np.array_equal(volumes[first].data, volumes[second].data):
            warnings.append(f"{first} and {second} are the same image")
    return warnings


def _text(grid: Grid) -> str:
    """The grid with the directions in which its axes run, such as LPS."""
    return f"{grid}, orientation {''.join(nib.orientations.aff2axcodes(grid.affine))}"
