"""A patient as `gliocast run` takes it: read, and segmented where nobody has."""

from collections.abc import Mapping
from pathlib import Path

from gliocast.core import InputError, Monitor, Patient, Silence, Visit
from gliocast.data import read_patient_files, read_study_files
from gliocast.data.folders import find_files
from gliocast.pipeline.segment import SegmentOptions, segment

#: What a report says of labels that come from the network.
NETWORK_NOTE = (
    "the tumor was segmented by gliocast's network, which learned from digital patients alone; check the outlines"
)


def scan_files(folder: Path | None, files: Mapping[str, Path]) -> dict[str, Path]:
    """Files that `open_patient` reads, by ``t1``, ``t1c``, ``t2``, ``flair`` and, where there is one, ``seg``.

    Args:
        folder: as there.
        files: as there.

    Raises:
        InputError: as `gliocast.data.find_files`.
    """
    return dict(files) if folder is None else find_files(folder, segmented=False)


def open_patient(
    folder: Path | None,
    files: Mapping[str, Path],
    *,
    labels: str | None = None,
    weights: Path | None = None,
    monitor: Monitor | None = None,
) -> Patient:
    """A patient from a folder or from single files; where there is no segmentation the network makes one.

    Args:
        folder: of the patient, or None.
        files: t1, t1c, t2, flair and perhaps seg, where there is no folder.
        labels: name of the schema of a segmentation that is there; None guesses it.
        weights: of the network; None for those that are shipped.
        monitor: told of the stages.

    Raises:
        InputError: a scan is missing or can't be one, or the network finds no tumor.
    """
    monitor = monitor or Silence()
    monitor.begin("read")
    scans = scan_files(folder, files)
    name = "patient" if folder is None else folder.resolve().name or "patient"
    if "seg" in scans:
        return read_patient_files(**scans, labels=labels, id=name)
    study = read_study_files(**scans)
    found = segment(study, options=SegmentOptions(weights=weights), monitor=monitor)
    if not found.core.any():
        raise InputError(
            "segmentation",
            expected="a tumor core in the scans",
            got="none that the network sees",
            advice="segment the tumor by other means and pass it with --seg",
        )
    return Patient(name, (Visit(study.scans, found, study.brain),), (*study.warnings, NETWORK_NOTE))
