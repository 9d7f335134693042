"""What may come: tumor burden over time by scenario, and what plans leave by radiosensitivity."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliocast.core import RESEARCH_NOTICE
from gliocast.planning.forecast import Forecast
from gliocast.planning.isoeffect import IsoEffect
from gliocast.planning.outlook import Outlook
from gliocast.report.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PAGE_WIDTH_IN,
    PURPLE,
    SKY,
    VERMILLION,
    figure_style,
    to_png,
)

#: Colors of treatments in their order.
_COLORS = (ORANGE, BLUE, "#2f8fbf", GREEN, VERMILLION, PURPLE)

#: Panels of scenarios in a row [1].
_COLUMNS = 3

#: Curves that end nearer to each other than this factor share a label [1].
_APART = 1.6

#: Targets as they are said.
_TARGETS = {"ctv_standard": "radiation of the standard target", "ctv_model": "radiation of the model's target"}

#: Sensitivities as they are written.
_SYMBOLS = {"alpha": "\N{GREEK SMALL LETTER ALPHA}", "kappa": "\N{GREEK SMALL LETTER KAPPA}"}

#: Burdens below this are nothing to draw [ml]: a millionth of a milliliter is a hundred cells or so.
_LEAST_ML = 1e-6


def forecast_figure(outlook: Outlook, effects: Sequence[IsoEffect]) -> Figure:
    """Burden of every scenario over time beside no treatment, with the band of what is assumed; what targets leave.

    Args:
        outlook: what is forecast.
        effects: of the model's target against the standard one.
    """
    untreated, *treated = outlook.names
    rows = -(-len(treated) // _COLUMNS)
    figure = Figure(figsize=(PAGE_WIDTH_IN, 0.9 + 2.0 * rows))
    height = figure.get_figheight()
    whole = figure.add_gridspec(
        1, 2, width_ratios=(2.1, 1), left=0.075, right=0.985, bottom=0.62 / height, top=0.88, wspace=0.2
    )
    parts = whole[0].subgridspec(rows, _COLUMNS, hspace=0.42, wspace=0.12)
    panels = parts.subplots(sharex=True, sharey=True, squeeze=False)
    for axes, name, color in zip(panels.flat, treated, _COLORS, strict=False):
        _draw_future(axes, outlook.of(name), outlook.middle(untreated), name, color)
    for axes in panels.flat[len(treated) :]:
        axes.set_visible(False)
    for row in panels:
        row[0].set_ylabel("cells [ml]")
    for axes in panels.flat[max(len(treated) - _COLUMNS, 0) : len(treated)]:
        axes.set_xlabel("days after the scan")
        axes.tick_params(labelbottom=True)
    _draw_plans(figure.add_subplot(whole[1]), effects)
    title = f"expected tumor burden, front at {outlook.speed:g} mm/d, {_TARGETS[outlook.target]}"
    figure.text(0.075, 0.95, title, fontsize=10.5, color=INK)
    figure.text(0.7, 0.95, "left by a course, equal integral dose", fontsize=10.5, color=INK)
    figure.text(0.075, 0.015, f"ml at carrying capacity. {RESEARCH_NOTICE}", color=FAINT, fontsize=7.5)
    return figure


def save_forecast_picture(path: Path, outlook: Outlook, effects: Sequence[IsoEffect]) -> None:
    """Draw and write a PNG; arguments as `forecast_figure` has them."""
    with figure_style():
        path.write_bytes(to_png(forecast_figure(outlook, effects)))


def _draw_future(axes: Axes, several: Sequence[Forecast], untreated: Forecast, name: str, color: str) -> None:
    """One scenario; a line for each sensitivity, labeled at its end, and the band between them."""
    axes.plot(untreated.days, untreated.burden_ml, color=FAINT, linewidth=1.2, linestyle=":")
    curves = np.stack([each.burden_ml for each in several]).clip(_LEAST_ML)
    days = several[0].days
    axes.fill_between(days, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.12, linewidth=0)
    varied = [s for s in _SYMBOLS if len({each.sensitivity.get(s) for each in several}) > 1]
    last = np.inf
    for number, (each, curve) in enumerate(zip(several, curves, strict=True)):
        axes.plot(days, curve, color=color, linewidth=2.0 if number == len(curves) // 2 else 0.9)
        if varied and curve[-1] < last / _APART:
            text = ", ".join(f"{_SYMBOLS[symbol]} {each.sensitivity[symbol]:g}" for symbol in varied)
            end = (float(days[-1]), float(curve[-1]))
            axes.annotate(text, end, (-2, 3), textcoords="offset points", ha="right", fontsize=7, color=color)
            last = curve[-1]
    axes.set_title(name, loc="left", fontsize=8.5, color=color)
    axes.set_yscale("log")
    axes.set_xlim(float(days[0]), float(days[-1]))
    axes.grid(color="#e5e7eb", linewidth=0.7)


def _draw_plans(axes: Axes, effects: Sequence[IsoEffect]) -> None:
    courses = list(dict.fromkeys(effect.course for effect in effects))
    for course, color in zip(courses, (BLUE, SKY), strict=False):
        rows = [effect for effect in effects if effect.course == course]
        alphas = [row.alpha for row in rows]
        for values, dashes, target in (
            ([row.reference_ml for row in rows], "--", "standard target"),
            ([row.equal_integral_ml for row in rows], "-", "model target"),
        ):
            shown = np.maximum(values, _LEAST_ML)
            axes.plot(alphas, shown, dashes, color=color, marker="o", markersize=4, label=f"{course.name}, {target}")
    axes.set_yscale("log")
    axes.set_xlabel("radiosensitivity alpha [1/Gy]")
    axes.set_ylabel("cells left [ml at carrying capacity]")
    axes.grid(color="#e5e7eb", linewidth=0.7)
    axes.legend(loc="upper right", fontsize=8)
