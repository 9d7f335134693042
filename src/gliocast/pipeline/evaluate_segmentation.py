"""How well a network segments patients whose segmentation is known: a table, its file, its uncertainty."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.core import InputError, LabelMap, Monitor, Silence, Study, Visit
from gliocast.data import read_integers, read_labels, read_patient, whole_folder, write_like
from gliocast.pipeline.patient_folders import list_visits
from gliocast.pipeline.segment import SegmentOptions
from gliocast.segmentation.bottleneck import PrincipalComponents, pooled, principal_components
from gliocast.segmentation.metrics import COMPOSITE, REGIONS, Agreement, bootstrap_interval, compare

#: What is measured of every region.
MEASURES = ("dice", "iou", "hd95_mm")

#: Draws from the same seed whatever is evaluated.
_SEED = 0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Agreement with references.

    Args:
        patients: by name, agreement of every region.
        components: of the bottleneck's features over the patients, where a network was looked into.
    """

    patients: Mapping[str, Mapping[str, Agreement]]
    components: PrincipalComponents | None = None

    def values(self, region: str, measure: str) -> np.ndarray:
        """One number for each patient; of the composite region "mean", the mean of WT, TC and ET."""
        if region == "mean":
            return np.mean([self.values(part, measure) for part in COMPOSITE], axis=0)
        return np.array([getattr(rows[region], measure) for rows in self.patients.values()])

    def summary(self) -> dict[str, dict[str, dict[str, float | list[float]]]]:
        """Mean, median and 95 % bootstrap interval of the mean, for each region and measure."""
        table: dict[str, dict[str, dict[str, float | list[float]]]] = {}
        for region in (*REGIONS, "mean"):
            table[region] = {}
            for measure in MEASURES:
                values = self.values(region, measure)
                interval = bootstrap_interval(values, generator=np.random.default_rng(_SEED))
                table[region][measure] = {
                    "mean": round(float(values.mean()), 4),
                    "median": round(float(np.median(values)), 4),
                    "interval": [round(float(end), 4) for end in interval],
                }
        return table

    def table(self) -> str:
        """The summary in Markdown."""
        lines = ["| | Dice | IoU | HD95, mm |", "|---|---|---|---|"]
        for region, measures in self.summary().items():
            cells = []
            for measure in MEASURES:
                low, high = measures[measure]["interval"]  # type: ignore[misc]
                digits = 1 if measure == "hd95_mm" else 3
                cells.append(f"{measures[measure]['mean']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
            lines.append(f"| {region} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


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
        data: folder of patients, as BraTS has them.
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
    if out is None:
        return _evaluate(visits, found, options, labels, None, monitor)
    with whole_folder(out) as folder:
        evaluation = _evaluate(visits, found, options, labels, folder / "segmentations", monitor)
        monitor.begin("write")
        _write_tables(folder, evaluation)
        _draw(folder, evaluation, visits, found or folder / "segmentations", options, labels)
    return evaluation


def _evaluate(
    visits: Sequence[Path],
    found: Path | None,
    options: SegmentOptions,
    labels: str | None,
    keep: Path | None,
    monitor: Monitor,
) -> Evaluation:
    monitor.begin("evaluate")
    segmenter = options.segmenter() if found is None else None
    rows, features = {}, []
    for done, folder in enumerate(visits):
        visit = read_patient(folder, labels=labels).visits[0]
        if segmenter is None:
            answer = _read_found(found, folder.name, options)
        else:
            study = Study(visit.scans, visit.brain)
            answer = segmenter.segment(study, schema=options.schema)
            features.append(pooled(segmenter.features(study)[None])[0])
            if keep is not None:
                keep.mkdir(exist_ok=True)
                write_like(keep / f"{folder.name}.nii.gz", answer.data, _path_of(visit))
        rows[folder.name] = compare(answer, visit.labels)
        monitor.advance((done + 1) / len(visits))
    differ = len(features) > 1 and bool(np.ptp(features, axis=0).any())
    return Evaluation(rows, principal_components(np.stack(features)) if differ else None)


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


def _draw(
    folder: Path,
    evaluation: Evaluation,
    visits: Sequence[Path],
    found: Path,
    options: SegmentOptions,
    labels: str | None,
) -> None:
    """Pictures of the median and the worst patient, and the scree plot."""
    from gliocast.report.segmentation_figures import save_scree_plot, save_segmentation_picture

    if evaluation.components is not None:
        save_scree_plot(folder / "scree.png", evaluation.components)
    order = np.argsort(evaluation.values("mean", "dice"))
    for name, place in {"median": order[len(order) // 2], "worst": order[0]}.items():
        path = visits[int(place)]
        visit = read_patient(path, labels=labels).visits[0]
        answer = _read_found(found, path.name, options)
        save_segmentation_picture(folder / f"{name}.png", visit.scans, visit.brain, answer, visit.labels)


def _path_of(visit: Visit) -> Path:
    path = visit["t1"].path
    assert path is not None  # it was read from a file
    return path


def _read_found(folder: Path | None, name: str, options: SegmentOptions) -> LabelMap:
    assert folder is not None  # there is no network, then
    path = folder / f"{name}.nii.gz"
    if not path.exists():
        raise InputError(
            f"segmentation of {name}", expected=f"{path.name}", got="none", advice="segment this patient, too"
        )
    volume = read_integers(path, "seg")
    if not volume.data.any():  # who sees no tumor is measured, too
        return LabelMap(volume.data.astype(np.uint8), volume.grid, options.schema, path)
    return read_labels(path)[0]
