"""What the posterior says of the density: mean, standard deviation, and how likely it exceeds thresholds."""

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from gliocast.core import Visit
from gliocast.problem import PredictiveMaps
from gliocast.report.maps import FAINTEST_DENSITY, ZOOM_BORDER_MM, color_bar, overlay
from gliocast.report.montage import draw_scan, draw_segmentation, tumor_center
from gliocast.report.panels import GAP_IN, ON_IMAGE, Panels, make_panel, position_of
from gliocast.report.slices import PLANES, Frame
from gliocast.report.style import PAGE_WIDTH_IN

#: Probabilities drawn as lines [1], and the least one that is tinted.
EVEN, LEAST_PROBABILITY = 0.5, 0.02
HEAD_IN, FOOT_IN = 0.27, 0.62


def posterior_maps(visit: Visit, maps: PredictiveMaps) -> Figure:
    """A column for each map, a row for each plane through the tumor, the segmented outlines over all.

    Args:
        visit: T1c is the background.
        maps: on the visit's grid.
    """
    frame = Frame.of(visit.grid)
    window = frame.box_around((maps.mean > FAINTEST_DENSITY) | visit.labels.lesion, border_mm=ZOOM_BORDER_MM).cube()
    num = 2 + len(maps.exceedance)
    side = (PAGE_WIDTH_IN - (num - 1) * GAP_IN) / num
    height = HEAD_IN + 3 * (side + GAP_IN) + FOOT_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    axes = np.empty((num, 3), dtype=object)
    for column in range(num):
        for row, plane in enumerate(PLANES):
            x, y = column * (side + GAP_IN), FOOT_IN + GAP_IN + (2 - row) * (side + GAP_IN)
            rectangle = (x / PAGE_WIDTH_IN, y / height, side / PAGE_WIDTH_IN, side / height)
            first = column == 0 and row == 0
            axes[column, row] = make_panel(
                figure, rectangle, plane, window, float(window.size.max()), scale_bar=first, letters_pt=7.0
            )
    # the panels' "rows" stand upright here: each holds one map in three planes
    panels = Panels(figure, axes, frame, frame.center_of(tumor_center(visit)))
    _draw(panels, visit, maps)
    for row, plane in enumerate(PLANES):
        text = f"{plane.name}, {position_of(frame, plane, panels.index)}"
        axes[0, row].text(0.02, 0.98, text, transform=axes[0, row].transAxes, va="top", **ON_IMAGE | {"fontsize": 7.5})
    return figure


def _draw(panels: Panels, visit: Visit, maps: PredictiveMaps) -> None:
    """All maps over T1c, with color bars."""
    highest = max(float(maps.standard_deviation.max()), FAINTEST_DENSITY)
    probability = Normalize(LEAST_PROBABILITY, 1.0)
    columns = [
        ("mean", np.maximum(maps.mean, 1e-9), "inferno", LogNorm(FAINTEST_DENSITY, 1.0)),
        ("standard deviation", maps.standard_deviation, "viridis", Normalize(0.01 * highest, highest)),
        *(
            (f"P(density > {threshold:g})", share, "cividis", probability)
            for threshold, share in maps.exceedance.items()
        ),
    ]
    images = []
    for column, (title, data, cmap, norm) in enumerate(columns):
        draw_scan(panels, column, visit, "t1c", label=" ", dim=0.75)
        images.append(overlay(panels, column, data, cmap, norm))
        if cmap == "cividis":
            panels.contour(column, data, [EVEN], ["white"], linewidths=0.9)
        draw_segmentation(panels, column, visit)
        panels.axes[column, 0].set_title(title, fontsize=9, pad=4)
    share = 1 / len(columns)
    bars = (
        (images[0], 0, 1, "density"),
        (images[1], 1, 1, "density"),
        (images[-1], 2, len(columns) - 2, "probability"),
    )
    for image, first, count, label in bars:
        left, width = (first + 0.1) * share, min(count - 0.2, 1.8) * share
        color_bar(panels.figure, image, left + (count - 0.2) * share / 2 - width / 2, label, width=width)
