"""What may come: tumor burden over time by scenario, and what plans leave by radiosensitivity."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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

#: Size of labels at the ends of curves, and how far apart they are at least [pt].
_LABEL_PT, _APART_PT = 7.0, 8.5

#: Room below the curves of plans for their legend, of the height that they span [1].
_LEGEND_ROOM = 0.3

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
        1, 2, width_ratios=(2.1, 1), left=0.075, right=0.985, bottom=0.62 / height, top=0.88, wspace=0.3
    )
    parts = whole[0].subgridspec(rows, _COLUMNS, hspace=0.42, wspace=0.32)
    panels = parts.subplots(sharex=True, sharey=True, squeeze=False)
    for axes, name, color in zip(panels.flat, treated, _COLORS, strict=False):
        _draw_future(axes, outlook.of(name), outlook.middle(untreated), name, color)
    for axes in panels.flat[len(treated) :]:
        axes.set_visible(False)
    for row in panels:
        row[0].set_ylabel("cells [ml]")
    for axes, name, color in zip(panels.flat, treated, _COLORS, strict=False):
        axes.tick_params(labelbottom=True)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 3, 5, 6, 10]))
        _label_ends(axes, outlook.of(name), color)
    for axes in panels.flat[max(len(treated) - _COLUMNS, 0) : len(treated)]:
        axes.set_xlabel("days after the scan")
    plans = figure.add_subplot(whole[1])
    _draw_plans(plans, effects)
    title = f"modeled tumor burden, front at {outlook.speed:g} mm/d, {_TARGETS[outlook.target]}"
    figure.text(0.075, 0.95, title, fontsize=10.5, color=INK)
    figure.text(plans.get_position().x0, 0.95, "left by a course, equal integral dose", fontsize=10.5, color=INK)
    figure.text(0.075, 0.015, f"ml at carrying capacity. {RESEARCH_NOTICE}", color=FAINT, fontsize=7.5)
    return figure


def save_forecast_picture(path: Path, outlook: Outlook, effects: Sequence[IsoEffect]) -> None:
    """Draw and write a PNG; arguments as `forecast_figure` has them."""
    with figure_style():
        path.write_bytes(to_png(forecast_figure(outlook, effects)))


def _draw_future(axes: Axes, several: Sequence[Forecast], untreated: Forecast, name: str, color: str) -> None:
    """One scenario; a line for each sensitivity, and the band between them."""
    axes.plot(untreated.days, untreated.burden_ml, color=FAINT, linewidth=1.2, linestyle=":")
    curves = _burdens(several)
    days = several[0].days
    axes.fill_between(days, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.12, linewidth=0)
    for number, curve in enumerate(curves):
        axes.plot(days, curve, color=color, linewidth=2.0 if number == len(curves) // 2 else 0.9)
    axes.set_title(name, loc="left", fontsize=8.5, color=color)
    axes.set_yscale("log")
    axes.set_xlim(float(days[0]), float(days[-1]))
    axes.grid(color="#e5e7eb", linewidth=0.7)


def _burdens(several: Sequence[Forecast]) -> np.ndarray:
    """Cells over time as they are drawn, (num_forecasts, num_days) [ml]."""
    return np.stack([each.burden_ml for each in several]).clip(_LEAST_ML)


def _label_ends(axes: Axes, several: Sequence[Forecast], color: str) -> None:
    """The sensitivity of each curve beside its end, where there are several; to be called when all is plotted."""
    varied = [s for s in _SYMBOLS if len({each.sensitivity.get(s) for each in several}) > 1]
    if not varied:
        return
    axes.autoscale_view()  # which otherwise comes with drawing, and moves the ends
    ends = _burdens(several)[:, -1]
    pixels = axes.transData.transform([(several[0].days[-1], end) for end in ends])[:, 1]
    wanted = pixels * 72 / axes.figure.dpi
    for each, end, shift in zip(several, ends, spread(wanted, _APART_PT * len(varied)) - wanted, strict=True):
        text = "\n".join(f"{_SYMBOLS[symbol]} {each.sensitivity[symbol]:g}" for symbol in varied)
        axes.annotate(
            text,
            (float(several[0].days[-1]), float(end)),
            (3, float(shift)),
            textcoords="offset points",
            va="center",
            fontsize=_LABEL_PT,
            color=color,
            annotation_clip=False,
        )


def spread(places: np.ndarray, apart: float) -> np.ndarray:
    """Places moved as little as keeps their order and a distance between neighbors: each crowd lies around its middle.

    Args:
        places: wanted, (num_places,).
        apart: least distance, of the same unit.
    """
    order = np.argsort(places, kind="stable")
    crowds: list[list[float]] = []  # from below; places less the distances that those below them need
    for number, place in enumerate(places[order]):
        crowds.append([place - apart * number])
        while len(crowds) > 1 and np.mean(crowds[-1]) < np.mean(crowds[-2]):
            crowds[-2:] = [crowds[-2] + crowds[-1]]
    moved = np.concatenate([np.full(len(crowd), np.mean(crowd)) for crowd in crowds]) + apart * np.arange(len(places))
    result = np.empty(len(places))
    result[order] = moved
    return result


def _draw_plans(axes: Axes, effects: Sequence[IsoEffect]) -> None:
    courses = list(dict.fromkeys(effect.course for effect in effects))
    for course, color in zip(courses, (BLUE, SKY), strict=False):
        rows = [effect for effect in effects if effect.course == course]
        alphas = [row.alpha for row in rows]
        for values, dashes, target, inside in (
            ([row.reference_ml for row in rows], "--", "standard target", "white"),
            ([row.equal_integral_ml for row in rows], "-", "model target", color),
        ):
            shown = np.maximum(values, _LEAST_ML)
            name = f"{course.name}, {target}"
            axes.plot(
                alphas, shown, dashes, color=color, marker="o", markersize=4.5, markerfacecolor=inside, label=name
            )
    axes.set_yscale("log")
    lower, upper = axes.get_ylim()
    axes.set_ylim(lower * (lower / upper) ** _LEGEND_ROOM, upper)
    axes.set_xlabel("radiosensitivity \N{GREEK SMALL LETTER ALPHA} [1/Gy]")
    axes.set_ylabel("cells left [ml at carrying capacity]")
    axes.grid(color="#e5e7eb", linewidth=0.7)
    axes.legend(loc="lower left", fontsize=8, handlelength=3.4)
