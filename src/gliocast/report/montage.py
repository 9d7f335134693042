"""The scans with what was segmented and what the model sees beyond it."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gliocast.core import Density, Visit
from gliocast.report.panels import Panels, make_panels
from gliocast.report.slices import Frame

ISODENSITY_LEVELS = (0.01, 0.1, 0.5, 0.8)
#: Perceptually ordered, cut where it would be too dark on an MRI.
ISODENSITY_COLORS = tuple(colormaps["plasma"](x) for x in (0.42, 0.62, 0.80, 0.97))
#: Cold against the warm colors of the density: what was seen, against what was computed.
SEGMENTATION = "#4CC9F0"
WHOLE_DASHES = [(0, (1.2, 1.2))]
SCAN_NAMES = {"t1": "T1", "t1c": "T1c", "t2": "T2", "flair": "FLAIR"}
BRAIN_BORDER_MM = 3.0


def draw_scan(
    panels: Panels, row: int, visit: Visit, modality: str, *, label: str | None = None, dim: float = 1.0
) -> None:
    """Draw a scan in a row of panels, windowed to the brain (`brain_window`).

    Args:
        panels: where to draw.
        row: which row.
        visit: of which the scan is.
        modality: which scan.
        label: name of the row, the scan's by default.
        dim: brightness of white, so that color on top stands out.
    """
    data = visit[modality].volume.data
    low, high = brain_window(data, visit.brain, dim=dim)
    panels.image(row, data, vmin=low, vmax=high)
    panels.label(row, label or SCAN_NAMES[modality])


def brain_window(data: np.ndarray, brain: np.ndarray, *, dim: float = 1.0) -> tuple[float, float]:
    """Intensities drawn black and white: 1st and 99.8th percentile of the brain, white at a brightness of `dim`."""
    low, high = np.percentile(data[brain][::7], (1.0, 99.8)) if brain.any() else (0.0, 1.0)
    return float(low), float(low + max(high - low, 1e-6) / dim)


def isodensity_handles() -> list[Line2D]:
    """Legend entries of the isodensity lines."""
    return [
        Line2D([], [], color=color, linewidth=2.2, label=f"density {level:g}")
        for level, color in zip(ISODENSITY_LEVELS, ISODENSITY_COLORS, strict=True)
    ]


def outline_handles() -> list[Line2D]:
    """Legend entries of the segmented outlines."""
    return [
        Line2D([], [], color=SEGMENTATION, linewidth=1.6, label="segmented core"),
        Line2D([], [], color=SEGMENTATION, linewidth=1.6, linestyle=WHOLE_DASHES[0], label="segmented whole tumor"),
    ]


def draw_segmentation(panels: Panels, row: int, visit: Visit) -> None:
    """Draw the segmented outlines of core and whole tumor in a row of panels."""
    panels.contour(row, visit.labels.whole, [0.5], [SEGMENTATION], linewidths=1.0, linestyles=WHOLE_DASHES)
    panels.contour(row, visit.labels.core, [0.5], [SEGMENTATION], linewidths=1.0)


def tumor_center(visit: Visit) -> np.ndarray:
    """What the three planes pass through the middle of: the core, or the whole lesion where there is no core."""
    return visit.labels.core if visit.labels.core.any() else visit.labels.lesion


def montage(visit: Visit, density: Density) -> Figure:
    """T1c and FLAIR in three planes through the tumor: isodensity lines over the segmentation.

    Args:
        visit: scans and segmentation.
        density: modeled density on the same grid.
    """
    window = Frame.of(visit.grid).box_around(visit.brain, border_mm=BRAIN_BORDER_MM)
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=2, foot_in=0.3)
    for row, modality in enumerate(("t1c", "flair")):
        draw_scan(panels, row, visit, modality)
        panels.contour(row, density.data, ISODENSITY_LEVELS, ISODENSITY_COLORS, linewidths=1.3)
        draw_segmentation(panels, row, visit)
    panels.legend(isodensity_handles() + outline_handles())
    return panels.figure
