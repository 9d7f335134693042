"""A network, or anybody's segmentations, against patients whose segmentation is known: tables and pictures."""

import csv
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.core import InputError, LabelMap, LabelSchema, Monitor, Silence, Visit
from gliocast.data import read_integers, read_labels, read_patient, whole_folder, write_like
from gliocast.pipeline.patient_folders import list_visits, visit_name
from gliocast.pipeline.segment import SegmentOptions
from gliocast.segmentation.bottleneck import PrincipalComponents, pooled, principal_components
from gliocast.segmentation.evaluation import MEASURES, Evaluation
from gliocast.segmentation.metrics import REGIONS, compare


def evaluate_segmentation(
    data: Path,
    *,
    found: Path | None = None,
    options: SegmentOptions | None = None,
    labels: str | None = None,
    out: Path | None = None,
    monitor: Monitor | None = None,
) -> Evaluation:
    """Segment patients whose segmentation is known, or read what segmented them, and compare.

    Args:
        data: folder of patients, as BraTS or BIDS has them.
        found: folder with a segmentation of every patient, <patient>.nii.gz, whose schema is guessed; None to segment
            them here.
        options: how to segment.
        labels: schema of the references; None guesses it.
        out: folder to write: patients.csv, summary.json, pictures of the median and the worst patient, and, where a
            network was measured, its segmentations and the scree plot of its deepest features.
        monitor: told of the stages.
    """
    options, monitor = options or SegmentOptions(), monitor or Silence()
    visits = list_visits(data)
    with whole_folder(out) if out is not None else nullcontext() as folder:
        kept = None if folder is None else folder / "segmentations"
        answer: _Read | _Segmented = _Segmented(options, kept) if found is None else _Read(found, options.schema)
        monitor.begin("evaluate")
        rows = {}
        for done, path in enumerate(visits):
            visit = read_patient(path, labels=labels).visits[0]
            name = visit_name(path)
            rows[name] = compare(answer(name, visit), visit.labels)
            monitor.advance((done + 1) / len(visits))
        evaluation = Evaluation(rows, answer.components())
        if folder is not None:
            monitor.begin("write")
            _write_tables(folder, evaluation)
            _draw(folder, evaluation, visits, _Read(found or folder / "segmentations", options.schema), labels)
    return evaluation


@dataclass(frozen=True, eq=False)
class _Read:
    """Segmentations that somebody made before."""

    folder: Path
    schema: LabelSchema

    def __call__(self, name: str, visit: Visit) -> LabelMap:
        path = self.folder / f"{name}.nii.gz"
        if not path.exists():
            raise InputError(
                f"segmentation of {name}", expected=f"{path.name}", got="none", advice="segment this patient, too"
            )
        volume = read_integers(path, "seg")
        if not volume.data.any():  # who sees no tumor is measured, too
            return LabelMap(volume.data.astype(np.uint8), volume.grid, self.schema, path)
        return read_labels(path)[0]

    def components(self) -> None:
        """There is no network to look into."""


class _Segmented:
    """Segmentations by a network, kept in a folder if there is one, and what its deepest features do."""

    def __init__(self, options: SegmentOptions, folder: Path | None) -> None:
        self._segmenter, self._schema, self._folder = options.segmenter(), options.schema, folder
        self._features: list[np.ndarray] = []

    def __call__(self, name: str, visit: Visit) -> LabelMap:
        found = self._segmenter.segment(visit.study, schema=self._schema)
        self._features.append(pooled(self._segmenter.features(visit.study)[None])[0])
        source = visit["t1"].path
        if self._folder is not None and source is not None:
            self._folder.mkdir(exist_ok=True)
            write_like(self._folder / f"{name}.nii.gz", found.data, source)
        return found

    def components(self) -> PrincipalComponents | None:
        """Of two patients or more, if they differ at all."""
        differ = len(self._features) > 1 and bool(np.ptp(self._features, axis=0).any())
        return principal_components(np.stack(self._features)) if differ else None


def _write_tables(folder: Path, evaluation: Evaluation) -> None:
    with (folder / "patients.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", *(f"{region} {name}" for region in REGIONS for name in MEASURES)])
        for patient, rows in evaluation.patients.items():
            values = [getattr(rows[region], name) for region in REGIONS for name in MEASURES]
            writer.writerow([patient, *(f"{value:.5g}" for value in values)])
    content: dict[str, object] = {"patients": len(evaluation.patients), "regions": evaluation.summary()}
    if evaluation.components is not None:
        parts = evaluation.components
        content["bottleneck"] = {
            "explained": parts.explained.round(5).tolist(),
            "components_for_98_percent": parts.num_components(),
            "mean_norm": parts.mean_norm,
            "mean_spread": parts.mean_spread,
        }
    (folder / "summary.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _draw(folder: Path, evaluation: Evaluation, visits: Sequence[Path], found: _Read, labels: str | None) -> None:
    """Pictures of the median and the worst patient, and the scree plot."""
    from gliocast.report.segmentation_figures import save_scree_plot, save_segmentation_picture

    if evaluation.components is not None:
        save_scree_plot(folder / "scree.png", evaluation.components)
    order = np.argsort(evaluation.values("mean", "dice"))
    for name, place in {"median": order[len(order) // 2], "worst": order[0]}.items():
        path = visits[int(place)]
        visit = read_patient(path, labels=labels).visits[0]
        save_segmentation_picture(
            folder / f"{name}.png", visit.scans, visit.brain, found(visit_name(path), visit), visit.labels
        )
