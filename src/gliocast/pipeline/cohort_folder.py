"""A cohort of digital patients in a folder, laid out and named as BraTS is, with the truth beside the images."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gliocast import __version__
from gliocast.cohort.brains import BRATS_GRID
from gliocast.cohort.synthetic import CohortLaw, SyntheticPatient, SyntheticVisit
from gliocast.core import SCHEMAS, InputError, Radiotherapy, Resection
from gliocast.data import read_table, whole_file, whole_folder, write_json, write_vectors, write_volume
from gliocast.data.folders import printable
from gliocast.data.results import DENSITY
from gliocast.pipeline.patient_folders import TRUTH

#: How files of one visit end: as in BraTS until 2021, and from 2023 on, which several visits are named by.
_SINGLE = {"t1": "_t1", "t1c": "_t1ce", "t2": "_t2", "flair": "_flair", "pet": "_fet", "seg": "_seg"}
_SERIES = {"t1": "-t1n", "t1c": "-t1c", "t2": "-t2w", "flair": "-t2f", "pet": "-fet", "seg": "-seg"}

#: Displacements are stored to this share of a millimeter, which compresses to a fraction [1/mm].
_PER_MM = 64

#: BraTS' words for the extent of a resection.
_EXTENTS = {"gross-total": "GTR", "subtotal": "STR", "none": "NA"}

#: Where brains lie in BraTS' grid, whose first two axes run the other way.
_PLACE = (slice(32, 208), slice(16, 224), slice(0, 155))


def patient_name(number: int, law: CohortLaw) -> str:
    """Of a patient's folder."""
    return f"GLIO_{number:05d}" if law.num_visits == 1 else f"GLIO-{number:05d}"


def visit_folders(folder: Path, law: CohortLaw) -> list[Path]:
    """Folders of the visits of a patient's folder, each with four scans and a segmentation."""
    if law.num_visits == 1:
        return [folder]
    return [folder / f"{folder.name}-{visit:03d}" for visit in range(law.num_visits)]


def on_brats_grid(data: np.ndarray) -> np.ndarray:
    """An array on `BRAIN_GRID`, on that of BraTS; zero beyond."""
    full = np.zeros(BRATS_GRID.shape, data.dtype)
    full[_PLACE] = data[::-1, ::-1, : BRATS_GRID.shape[2]]
    return full


def write_patient(folder: Path, patient: SyntheticPatient, law: CohortLaw) -> None:
    """Write a patient's folder, as a whole or not at all."""
    with whole_folder(folder) as stage:
        for visit, place in zip(patient.visits, visit_folders(folder, law), strict=True):
            there = stage / place.relative_to(folder)
            (there / TRUTH).mkdir(parents=True)
            _write_visit(there, place.name, visit, law)
        _write_care(stage / TRUTH, patient)
        write_json(stage / TRUTH / "truth.json", _described(patient, law))


def _write_visit(folder: Path, name: str, visit: SyntheticVisit, law: CohortLaw) -> None:
    schema, endings = ("brats-2021", _SINGLE) if law.num_visits == 1 else ("brats-2024", _SERIES)
    for modality, data in visit.images.items():
        stored = data if modality == "pet" else data.astype(np.int16)
        write_volume(folder / f"{name}{endings[modality]}.nii.gz", on_brats_grid(stored), BRATS_GRID)
    labels = visit.labels(SCHEMAS[schema])
    write_volume(folder / f"{name}{endings['seg']}.nii.gz", on_brats_grid(labels), BRATS_GRID)
    truth = folder / TRUTH
    write_volume(truth / DENSITY, on_brats_grid(visit.density.data), BRATS_GRID)
    anatomy = visit.anatomy
    tissue = np.stack([anatomy.csf, anatomy.gray_matter, anatomy.white_matter])
    largest = np.where(anatomy.brain, tissue.argmax(axis=0) + 1, 0).astype(np.uint8)
    write_volume(truth / "tissues.nii.gz", on_brats_grid(largest), BRATS_GRID)
    if visit.displacement is not None:
        rounded = np.round(visit.displacement * _PER_MM) / np.float32(_PER_MM)
        moved = np.stack([on_brats_grid(part) for part in rounded])
        write_vectors(truth / "displacement.nii.gz", moved, BRATS_GRID)


def _write_care(folder: Path, patient: SyntheticPatient) -> None:
    """Maps of what was done."""
    folder.mkdir(exist_ok=True)
    for entry in patient.treatments:
        if isinstance(entry, Resection):
            write_volume(folder / "cavity.nii.gz", on_brats_grid(entry.cavity.data.astype(np.uint8)), BRATS_GRID)
        elif isinstance(entry, Radiotherapy):
            write_volume(folder / "dose.nii.gz", on_brats_grid(entry.dose.data), BRATS_GRID)


def _described(patient: SyntheticPatient, law: CohortLaw) -> dict[str, Any]:
    return {
        "synthetic": True,
        "gliocast": __version__,
        "cohort": asdict(law),
        "number": patient.number,
        "life": asdict(patient.life),
        "tumor_days": patient.tumor_days,
        "extent_of_resection": patient.extent,
        "treatments": [_treatment(entry, patient.tumor_days) for entry in patient.treatments],
        "visit_days": [visit.day for visit in patient.visits],
        "volumes_ml": [_volumes(visit) for visit in patient.visits],
        "covariates": patient.covariates,
        "log_hazard": patient.outcome.log_hazard,
        "survival_days": patient.outcome.survival_days,
        "observed_days": patient.outcome.observed_days,
        "censored": patient.outcome.censored,
    }


def _treatment(entry: Any, tumor_days: float) -> dict[str, Any]:
    """A treatment by its numbers, days counted from the first scan."""
    known = {"kind": entry.kind, "first_day": entry.days[0] - tumor_days, "last_day": entry.days[-1] - tumor_days}
    for name in ("alpha", "alpha_beta", "kill_rate", "half_life", "residual_fraction"):
        if hasattr(entry, name):
            known[name] = getattr(entry, name)
    return known


def _volumes(visit: SyntheticVisit) -> dict[str, float]:
    """Of the compartments [ml]."""
    parts = {"necrosis": visit.lesion.necrosis, "enhancing": visit.lesion.enhancing, "edema": visit.lesion.edema}
    milliliters = visit.density.grid.voxel_ml
    return {name: round(float(np.count_nonzero(mask)) * milliliters, 3) for name, mask in parts.items()}


def read_truth(folder: Path) -> dict[str, Any]:
    """What a patient's folder says of the truth.

    Raises:
        InputError: there is none, or it can't be read.
    """
    try:
        return read_table(folder / TRUTH / "truth.json")
    except (OSError, ValueError) as error:
        raise InputError(
            f"patient {printable(folder.name)}",
            expected="the truth of a digital patient",
            got="none that can be read",
            advice="remove the folder; it will be made again",
        ) from error


def write_tables(folder: Path, patients: Sequence[Path]) -> None:
    """Write the cohort's tables: survival_info.csv in the form of BraTS, and truth.csv with every number."""
    truths = {path.name: read_truth(path) for path in patients}
    rows = [[name, *_survival(truth)] for name, truth in truths.items()]
    _write_csv(folder / "survival_info.csv", ["BraTS20ID", "Age", "Survival_days", "Extent_of_Resection"], rows)
    flat = [{"patient": name, **_flat(truth)} for name, truth in truths.items()]
    columns = list(dict.fromkeys(column for row in flat for column in row))
    _write_csv(folder / "truth.csv", columns, [[row.get(column, "") for column in columns] for row in flat])


def _survival(truth: Mapping[str, Any]) -> list[Any]:
    """Age, days to death (BraTS' words where the patient lives), extent of the resection."""
    days = round(truth["observed_days"])
    alive = f"ALIVE ({days} days later)"
    return [truth["life"]["age_years"], alive if truth["censored"] else days, _EXTENTS[truth["extent_of_resection"]]]


def _flat(truth: Mapping[str, Any]) -> dict[str, Any]:
    """One row of numbers."""
    life = {name: value for name, value in truth["life"].items() if name != "seeds"}
    plain = {name: truth[name] for name in ("tumor_days", "extent_of_resection", "log_hazard", "survival_days")}
    seeds = {"num_foci": len(truth["life"]["seeds"])}
    volumes = {f"{name}_ml": value for name, value in truth["volumes_ml"][0].items()}
    ends = {name: truth[name] for name in ("observed_days", "censored")}
    return {**life, **seeds, **plain, **ends, **volumes}


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
