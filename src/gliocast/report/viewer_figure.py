"""What the viewer shows at first, as a figure: for print, and where no WebGL is."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gliocast.core import Density, Plan, Visit
from gliocast.report.maps import FAINTEST_DENSITY, color_bar, overlay
from gliocast.report.montage import BRAIN_BORDER_MM, draw_scan, tumor_center
from gliocast.report.panels import make_panels, white_line
from gliocast.report.slices import Frame
from gliocast.report.viewer import OUTLINES, SHOWN_OUTLINES

#: Space below the panels, and where in it the legend begins [in].
FOOT_IN, LEGEND_IN = 0.9, 0.58


def viewer_figure(visit: Visit, density: Density, plan: Plan) -> Figure:
    """T1c with density and all outlines in three planes.

    Args:
        visit: scans and segmentation.
        density: on the visit's grid.
        plan: with ``gtv``, ``ctv_standard`` and ``ctv_model``.
    """
    window = Frame.of(visit.grid).box_around(visit.brain, border_mm=BRAIN_BORDER_MM)
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=1, foot_in=FOOT_IN)
    draw_scan(panels, 0, visit, "t1c", dim=0.85)
    image = overlay(panels, 0, np.maximum(density.data, 1e-9), "inferno", LogNorm(FAINTEST_DENSITY, 1.0))
    color_bar(panels.figure, image, 0.3, "tumor-cell density [fraction of carrying capacity]")
    masks = {"core": visit.labels.core, "whole": visit.labels.whole} | dict(plan.volumes)
    shown = [outline for outline in OUTLINES if outline[0] in SHOWN_OUTLINES]
    for key, _, color in reversed(shown):
        panels.contour(0, masks[key], [0.5], [color], linewidths=1.2)
    handles = [Line2D([], [], color=color, linewidth=1.8, label=name) for _, name, color in shown[1:]]
    foot = LEGEND_IN / panels.figure.get_size_inches()[1]
    panels.legend([white_line(shown[0][1]), *handles], bbox_to_anchor=(0.5, foot))
    return panels.figure
