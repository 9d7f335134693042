"""What was segmented against what the fitted model would draw: as a figure, and as a table."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gliocast.core import Visit
from gliocast.problem import PredictiveCheck, PredictiveStatistic
from gliocast.report.montage import draw_scan, tumor_center
from gliocast.report.outlines import OUTLINE_BORDER_MM, SEEN_ON
from gliocast.report.panels import make_panels, white_line
from gliocast.report.slices import Frame
from gliocast.report.style import SKY
from gliocast.report.tables import number

#: Where between these shares of the replicates draw tumor, the band lies [1].
BAND = (0.05, 0.95)
SUBJECTS = {"core": "Tumor core (T1c)", "whole": "Whole tumor (FLAIR)"}


@dataclass(frozen=True)
class ReplicateRow:
    """One statistic as text."""

    name: str
    observed: str
    median: str
    interval: str
    p_value: str
    surprising: bool


def replicate_table(check: PredictiveCheck | None) -> list[ReplicateRow]:
    """One row for each statistic, none without a check."""
    return [_row(statistic) for statistic in check.statistics] if check is not None else []


def _row(statistic: PredictiveStatistic) -> ReplicateRow:
    subject, _, what = statistic.name.partition(" ")
    unit = "" if statistic.unit == "1" else f" {statistic.unit}"
    low, high = statistic.interval
    return ReplicateRow(
        name=f"{SUBJECTS.get(subject, subject)}, {what}",
        observed=number(statistic.observed) + unit,
        median=number(statistic.median) + unit,
        interval=f"{number(low)} to {number(high)}{unit}",
        p_value=number(statistic.p_value, 2),
        surprising=statistic.surprising,
    )


def replicate_band(visit: Visit, shares: Mapping[str, np.ndarray]) -> Figure:
    """Segmented outlines over the band that the outlines of replicates lie in, core on T1c and whole tumor on FLAIR.

    Args:
        visit: scans and segmentation.
        shares: of the replicates that draw tumor in each voxel of the visit's grid, by outline (``core``, ``whole``).
    """
    rows = [modality for modality, (compartment, _) in SEEN_ON.items() if compartment in shares]
    drawn = np.logical_or.reduce([share > BAND[0] for share in shares.values()])
    window = Frame.of(visit.grid).box_around(visit.labels.lesion | drawn, border_mm=OUTLINE_BORDER_MM).cube()
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=len(rows), foot_in=0.3)
    for row, modality in enumerate(rows):
        compartment, name = SEEN_ON[modality]
        share = shares[compartment]
        draw_scan(panels, row, visit, modality, label=name, dim=0.8)
        panels.tint(row, (share > BAND[0]) & (share < BAND[1]), SKY, alpha=0.45)
        panels.contour(row, getattr(visit.labels, compartment), [0.5], ["white"], linewidths=1.5)
    low, high = (f"{100 * share:.0f}" for share in BAND)
    band = Patch(color=SKY, alpha=0.8, label=f"drawn by {low} to {high} % of the replicates")
    panels.legend([white_line("segmented"), band])
    return panels.figure
