"""Targets of a plan where no scan is at hand: over tissue, and below them the density that the model's was drawn on."""

from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gliocast.core import RESEARCH_NOTICE, Anatomy, Density, Plan
from gliocast.core.grid import MM3_PER_ML
from gliocast.report.ctv import CTV_BORDER_MM, MODEL, STANDARD
from gliocast.report.maps import FAINTEST_DENSITY, color_bar, overlay
from gliocast.report.panels import Panels, make_panels, white_line
from gliocast.report.slices import Frame
from gliocast.report.style import figure_style, to_png

#: Grays of white matter, gray matter and fluid [1]: in the order of a T1, and dark enough for colors on top.
_GRAYS = (0.62, 0.42, 0.12)
#: How a PTV and a boost are drawn.
_PTV: Literal["dotted"] = "dotted"
_BOOST: Literal["dashed"] = "dashed"


def save_plan_picture(path: Path, plan: Plan, density: Density, anatomy: Anatomy) -> None:
    """Draw and write a PNG; arguments as `plan_picture` has them."""
    with figure_style():
        path.write_bytes(to_png(plan_picture(plan, density, anatomy)))


def plan_picture(plan: Plan, density: Density, anatomy: Anatomy) -> Figure:
    """Three planes through the GTV: both targets with what only one of them treats, and the density, over tissue.

    Args:
        plan: with ``gtv``, ``ctv_standard``, ``ctv_model`` and their PTVs, and perhaps ``ctv_boost``.
        density: that the model's target was drawn on, on the plan's grid.
        anatomy: tissue on the same grid.
    """
    standard, model = plan["ctv_standard"], plan["ctv_model"]
    tissue = (anatomy.white_matter, anatomy.gray_matter, anatomy.csf)
    gray = np.sum([shade * part for shade, part in zip(_GRAYS, tissue, strict=True)], axis=0) * anatomy.brain
    window = Frame.of(plan.grid).box_around(_all_of(plan), border_mm=CTV_BORDER_MM).cube()
    panels = make_panels(plan.grid, plan["gtv"], window, num_rows=2, foot_in=1.0)
    for row in (0, 1):
        panels.image(row, gray, vmin=0, vmax=1)
    panels.tint(0, standard & ~model, STANDARD, alpha=0.42)
    panels.tint(0, model & ~standard, MODEL, alpha=0.42)
    image = overlay(panels, 1, np.maximum(density.data, 1e-9), "inferno", LogNorm(FAINTEST_DENSITY, 1.0))
    for row in (0, 1):
        _outline(panels, row, plan)
    panels.label(0, "Targets")
    panels.label(1, "Density")
    panels.legend(_handles(plan), ncols=4)
    figure, height = panels.figure, panels.figure.get_size_inches()[1]
    color_bar(figure, image, 0.05, "tumor-cell density [fraction of carrying capacity]", foot_in=0.82)
    figure.text(0.98, 0.72 / height, RESEARCH_NOTICE.partition(".")[0] + ".", fontsize=8, ha="right", color="#4b5563")
    return figure


def _all_of(plan: Plan) -> np.ndarray:
    return np.asarray(np.logical_or.reduce(list(plan.volumes.values())))


def _outline(panels: Panels, row: int, plan: Plan) -> None:
    """The outlines of all targets in a row of panels."""
    for name, color in (("standard", STANDARD), ("model", MODEL)):
        panels.contour(row, plan[f"ptv_{name}"], [0.5], [color], linewidths=1.0, linestyles=_PTV)
        panels.contour(row, plan[f"ctv_{name}"], [0.5], [color], linewidths=1.6)
    if "ctv_boost" in plan.volumes:
        panels.contour(row, plan["ctv_boost"], [0.5], [STANDARD], linewidths=1.3, linestyles=_BOOST)
    panels.contour(row, plan["gtv"], [0.5], ["white"], linewidths=1.2)


def _handles(plan: Plan) -> list[Artist]:
    """Entries of the legend, with the volumes."""

    def titled(name: str, text: str) -> str:
        return f"{text}, {plan.volume(name) / MM3_PER_ML:.1f} ml"

    boost = "ctv_boost" in plan.volumes
    return [
        white_line(titled("gtv", "GTV")),
        Line2D([], [], color=STANDARD, linewidth=2.0, label=titled("ctv_standard", "guideline's CTV")),
        Line2D([], [], color=MODEL, linewidth=2.0, label=titled("ctv_model", "model's CTV")),
        Line2D([], [], color="#4b5563", linewidth=1.2, linestyle=_PTV, label="their PTVs"),
        Patch(color=STANDARD, alpha=0.6, label="guideline only"),
        Patch(color=MODEL, alpha=0.6, label="model only"),
        *([Line2D([], [], color=STANDARD, linestyle=_BOOST, label=titled("ctv_boost", "boost"))] if boost else []),
    ]
