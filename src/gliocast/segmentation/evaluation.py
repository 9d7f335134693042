"""Agreement with references over many patients: means, and how sure they are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gliocast.segmentation.bottleneck import PrincipalComponents
from gliocast.segmentation.metrics import COMPOSITE, REGIONS, Agreement, bootstrap_interval

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
