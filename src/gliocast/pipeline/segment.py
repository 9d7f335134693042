"""Segmentation of a study: scans to labels, and to a file. Composition only."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.core import InputError, LabelMap, LabelSchema, Monitor, Silence, Study
from gliocast.data import Naming, lay_out, read_study, whole_file, whole_results, write_like
from gliocast.data.folders import find_files, printable
from gliocast.data.labels import require_schema
from gliocast.segmentation.predict import Segmenter
from gliocast.segmentation.weights import load_segmentation, shipped_segmentation
from gliocast.train import device_of

#: Plain name of the segmentation among results.
_SEGMENTATION = "segmentation.nii.gz"


@dataclass(frozen=True)
class SegmentOptions:
    """How to segment.

    Args:
        weights: file of the network's weights; None for those that are shipped.
        mirrored: whether left and right are exchanged as well, and both answers averaged.
        labels: name of the schema that is written.
        device: that the network computes on, cpu or cuda; None for a GPU where there is one.
    """

    weights: Path | None = None
    mirrored: bool = True
    labels: str = "brats-2021"
    device: str | None = None

    def __post_init__(self) -> None:
        require_schema(self.labels)

    @property
    def schema(self) -> LabelSchema:
        """The schema that is written."""
        return require_schema(self.labels)

    def segmenter(self) -> Segmenter:
        """The network, ready."""
        weights, device = load_segmentation(self.weights or shipped_segmentation()), device_of(self.device)
        return Segmenter(weights.network.to(device), weights.edge, self.mirrored, device, weights.specks)


def segment(study: Study, *, options: SegmentOptions | None = None, monitor: Monitor | None = None) -> LabelMap:
    """The tumor in a study's scans, on their grid.

    Raises:
        InputError: there are no weights.
    """
    options, monitor = options or SegmentOptions(), monitor or Silence()
    monitor.begin("segment")
    return options.segmenter().segment(study, schema=options.schema, progress=monitor.advance)


def segment_to_file(
    patient: Path, out: Path, *, options: SegmentOptions | None = None, monitor: Monitor | None = None
) -> LabelMap:
    """Segment the scans in a folder and write the labels, on their grid.

    Args:
        patient: folder with t1, t1c, t2 and flair.
        out: file to write, ends in .nii.gz.
        options: how.
        monitor: told of the stages.
    """
    monitor = monitor or Silence()
    if not out.name.endswith(".nii.gz"):
        raise InputError(
            "output", expected="a name that ends in .nii.gz", got=printable(out.name) or "nothing", advice="rename it"
        )
    with whole_file(out) as temporary:
        study = _read(patient, monitor)
        labels = segment(study, options=options, monitor=monitor)
        _write(temporary, labels, study)
    return labels


def segment_to_dataset(
    patient: Path,
    out: Path,
    naming: Naming,
    *,
    options: SegmentOptions | None = None,
    monitor: Monitor | None = None,
) -> tuple[LabelMap, Path]:
    """Segment the scans in a folder and write the labels, with a table of them, into a BIDS derivatives dataset.

    Args:
        patient: folder with t1, t1c, t2 and flair.
        out: folder of the dataset.
        naming: of the segmentation.
        options: how.
        monitor: told of the stages.

    Returns:
        The labels and their file.

    Raises:
        InputError: as `segment_to_file`, or `out` can't be a dataset of derivatives.
    """
    options, monitor = options or SegmentOptions(), monitor or Silence()
    if out.name.endswith(".nii.gz"):
        raise InputError(
            "output", expected="the folder of a dataset", got=printable(out.name), advice="name one with --out"
        )
    inputs = find_files(patient, segmented=False)
    subject = naming.of(inputs.values())
    with whole_results(out, subject, inputs=inputs.values()) as results:
        study = _read(patient, monitor)
        labels = segment(study, options=options, monitor=monitor)
        _write(results.path(_SEGMENTATION), labels, study)
        scans = {name: path for name, path in inputs.items() if name in study.scans}
        results.describe([_SEGMENTATION], inputs=scans, schema=options.schema)
    return labels, lay_out(out, subject).path(_SEGMENTATION)


def _read(patient: Path, monitor: Monitor) -> Study:
    monitor.begin("read")
    study = read_study(patient)
    for warning in study.warnings:
        monitor.note(f"warning: {warning}")
    return study


def _write(path: Path, labels: LabelMap, study: Study) -> None:
    reference = study.scans["t1"].path
    assert reference is not None  # it was read from a file
    write_like(path, labels.data.astype(np.uint8), reference)
