"""What was segmented against what the fitted model would have shown, and the estimate against a known truth."""

from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gliocast.core import Density, Visit
from gliocast.report.montage import draw_scan, tumor_center
from gliocast.report.panels import make_panels, white_line
from gliocast.report.slices import Frame
from gliocast.report.style import ORANGE, SKY

MISSED, EXTRA = ORANGE, SKY
OUTLINE_BORDER_MM = 12.0
DASHES = [(0, (3.0, 1.6))]
TRUTH_LEVELS = (0.01, 0.1, 0.8)
TRUTH_COLORS = tuple(colormaps["plasma"](x) for x in (0.45, 0.70, 0.97))
#: Which compartment each scan shows, and what to call it.
SEEN_ON = {"t1c": ("core", "Tumor core on T1c"), "flair": ("whole", "Whole tumor on FLAIR")}


def outline_comparison(
    visit: Visit, density: Density, *, thresholds: Mapping[str, float], dice: Mapping[str, float]
) -> Figure:
    """Observed against simulated outlines: core on T1c, whole tumor on FLAIR, as far as thresholds are given.

    Args:
        visit: scans and segmentation.
        density: modeled density on the same grid.
        thresholds: density at which an outline shows, by modality (``t1c``, ``flair``).
        dice: overlap of the two outlines, by compartment (``core``, ``whole``).
    """
    rows = [modality for modality in SEEN_ON if modality in thresholds]
    observed = {m: getattr(visit.labels, SEEN_ON[m][0]) for m in rows}
    simulated = {m: density.data > thresholds[m] for m in rows}
    shown = np.logical_or.reduce([visit.labels.lesion, *simulated.values()])
    window = Frame.of(visit.grid).box_around(shown, border_mm=OUTLINE_BORDER_MM).cube()
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=len(rows), foot_in=0.3)
    for row, modality in enumerate(rows):
        seen, grown = observed[modality], simulated[modality]
        compartment, name = SEEN_ON[modality]
        score = f", Dice {dice[compartment]:.2f}" if compartment in dice else ""
        draw_scan(panels, row, visit, modality, label=name + score, dim=0.8)
        panels.tint(row, seen & ~grown, MISSED, alpha=0.55)
        panels.tint(row, grown & ~seen, EXTRA, alpha=0.55)
        panels.contour(row, seen, [0.5], ["white"], linewidths=1.5)
        panels.contour(row, density.data, [thresholds[modality]], [EXTRA], linewidths=1.5, linestyles=DASHES)
    panels.legend(
        [
            white_line("segmented"),
            Line2D([], [], color=EXTRA, linewidth=1.8, linestyle=DASHES[0], label="simulated"),
            Patch(color=MISSED, alpha=0.8, label="missed: segmented, not simulated"),
            Patch(color=EXTRA, alpha=0.8, label="extra: simulated, not segmented"),
        ]
    )
    return panels.figure


def truth_comparison(visit: Visit, density: Density, true_density: Density) -> Figure:
    """Isodensity lines of the estimate over those of the known truth, on T1c.

    Args:
        visit: scans and segmentation.
        density: the estimate, on the visit's grid.
        true_density: what the demonstration grew, on the same grid.
    """
    shown = (density.data > TRUTH_LEVELS[0]) | (true_density.data > TRUTH_LEVELS[0])
    window = Frame.of(visit.grid).box_around(shown, border_mm=OUTLINE_BORDER_MM).cube()
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=1, foot_in=0.3)
    draw_scan(panels, 0, visit, "t1c", dim=0.8)
    panels.contour(0, true_density.data, TRUTH_LEVELS, ["white"] * len(TRUTH_LEVELS), linewidths=1.8)
    panels.contour(0, density.data, TRUTH_LEVELS, TRUTH_COLORS, linewidths=1.5, linestyles=DASHES)
    lines = [
        Line2D([], [], color=color, linewidth=1.8, linestyle=DASHES[0], label=f"estimate, density {level:g}")
        for level, color in zip(TRUTH_LEVELS, TRUTH_COLORS, strict=True)
    ]
    panels.legend([white_line("truth"), *lines])
    return panels.figure
