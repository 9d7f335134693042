"""The standard target volume against the model's of the same size."""

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gliocast.core import Plan, Visit
from gliocast.report.montage import draw_scan, tumor_center
from gliocast.report.panels import make_panels, white_line
from gliocast.report.slices import Frame
from gliocast.report.style import ORANGE, SKY

STANDARD, MODEL = ORANGE, SKY
CTV_BORDER_MM = 10.0


def ctv_comparison(visit: Visit, plan: Plan) -> Figure:
    """Both clinical target volumes on T1c and FLAIR, what only one of them treats tinted in its color.

    Args:
        visit: scans and segmentation.
        plan: with ``gtv``, ``ctv_standard`` and ``ctv_model`` on the visit's grid.
    """
    gtv, standard, model = plan["gtv"], plan["ctv_standard"], plan["ctv_model"]
    window = Frame.of(visit.grid).box_around(standard | model, border_mm=CTV_BORDER_MM).cube()
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=2, foot_in=0.3)
    for row, modality in enumerate(("t1c", "flair")):
        draw_scan(panels, row, visit, modality, dim=0.85)
        panels.tint(row, standard & ~model, STANDARD, alpha=0.42)
        panels.tint(row, model & ~standard, MODEL, alpha=0.42)
        panels.contour(row, standard, [0.5], [STANDARD], linewidths=1.6)
        panels.contour(row, model, [0.5], [MODEL], linewidths=1.6)
        panels.contour(row, gtv, [0.5], ["white"], linewidths=1.2)
    panels.legend(
        [
            white_line("GTV"),
            Line2D([], [], color=STANDARD, linewidth=2.0, label=f"standard CTV (GTV + {plan.margin_mm:g} mm)"),
            Line2D([], [], color=MODEL, linewidth=2.0, label="model CTV, same volume"),
            Patch(color=STANDARD, alpha=0.6, label="standard only"),
            Patch(color=MODEL, alpha=0.6, label="model only"),
        ]
    )
    return panels.figure
