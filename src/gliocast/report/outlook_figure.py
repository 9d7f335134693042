"""What may come, a column for each course: burden and visible volume over time, and the density at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from gliocast.core import Anatomy, Visit
from gliocast.planning.forecast import Forecast
from gliocast.planning.outlook import Outlook
from gliocast.report.maps import color_bar
from gliocast.report.montage import SEGMENTATION, WHOLE_DASHES
from gliocast.report.outlook_maps import TALL, OutlookMaps
from gliocast.report.outlook_words import sensitivity_text
from gliocast.report.panels import position_of, white_line
from gliocast.report.slices import AXIAL
from gliocast.report.style import BLUE, FAINT, INK, PAGE_WIDTH_IN, VERMILLION

#: Shades of sensitivities, the least first: of radiation, and of a drug.
_SHADES = {"alpha": ("#7DB8DE", BLUE, "#00304D"), "kappa": ("#F0A873", VERMILLION, "#6B2E00")}

#: Marks of what is done, by the kind of treatment: color, and how the legend names it.
_MARKS = {
    "resection": (INK, "surgery"),
    "radiotherapy": (BLUE, "fraction of radiation"),
    "chemotherapy": (VERMILLION, "dose of temozolomide"),
}

#: Widths and heights of the figure's parts [in]: what stands left and right, between columns, above, below; the rows of
#: curves, between them, and what their axis takes.
_LEFT, _RIGHT, _GAP, _HEAD, _FOOT = 0.8, 0.06, 0.1, 0.8, 0.95
_BURDEN, _VOLUME, _BETWEEN, _AXIS = 1.35, 1.15, 0.15, 0.55

#: Burdens below this are drawn as this [ml]: a millionth of a milliliter is a hundred cells or so.
_LEAST_ML = 1e-6

#: Height of the marks of treatments, and what is left between their lines [in].
_MARK, _MARK_GAP = 0.075, 0.025


@dataclass(frozen=True)
class _Layout:
    """Where the panels of a number of columns lie."""

    columns: int

    @property
    def width(self) -> float:
        """Of a column [in]."""
        return (PAGE_WIDTH_IN - _LEFT - _RIGHT - (self.columns - 1) * _GAP) / self.columns

    @property
    def heights(self) -> tuple[float, float, float]:
        """Of the rows [in]."""
        return _BURDEN, _VOLUME, TALL * self.width

    @property
    def total(self) -> float:
        """Height of the figure [in]."""
        return _HEAD + sum(self.heights) + _BETWEEN + _AXIS + _FOOT

    def rectangle(self, column: int, row: int) -> tuple[float, float, float, float]:
        """A panel in shares of the figure: left, bottom, width, height."""
        below = (_BETWEEN + _VOLUME + _AXIS + self.heights[2], _AXIS + self.heights[2], 0.0)[row] + _FOOT
        left = _LEFT + column * (self.width + _GAP)
        return left / PAGE_WIDTH_IN, below / self.total, self.width / PAGE_WIDTH_IN, self.heights[row] / self.total


def outlook_figure(visit: Visit, anatomy: Anatomy, outlook: Outlook, *, gtv: np.ndarray) -> Figure:
    """A column for each scenario: curves for each sensitivity, and a map of the one in the middle.

    Args:
        visit: T1c is the background of the maps.
        anatomy: tissue on the visit's grid.
        outlook: what is forecast.
        gtv: what surgery takes out, bool, on the visit's grid.
    """
    layout = _Layout(len(outlook.names))
    figure = Figure(figsize=(PAGE_WIDTH_IN, layout.total))
    rows = [[figure.add_axes(layout.rectangle(column, row)) for column in range(layout.columns)] for row in (0, 1)]
    untreated = outlook.middle(outlook.names[0])
    for name, burden, volume in zip(outlook.names, *rows, strict=True):
        several = outlook.of(name)
        if name != untreated.name:
            for axes, curve in ((burden, untreated.burden_ml), (volume, untreated.visible_ml)):
                axes.plot(untreated.days, curve, color=FAINT, linewidth=1.1, linestyle=(0, (1, 1.5)))
        _draw_curves(burden, several, [each.burden_ml.clip(_LEAST_ML) for each in several])
        _draw_curves(volume, several, [each.visible_ml for each in several])
        burden.set_title(fill(name, 18), fontsize=9, color=INK, pad=27)
    _set_axes(*rows, last=outlook.last_day)
    for name, burden in zip(outlook.names, rows[0], strict=True):
        _draw_marks(burden, outlook.middle(name).given)
    maps = OutlookMaps.of(visit, anatomy, outlook.densities[untreated.name], visible=outlook.visible)
    for column, name in enumerate(outlook.names):
        cavity = gtv if "resection" in outlook.middle(name).given else None
        place, density = layout.rectangle(column, 2), outlook.densities[name]
        image = maps.draw(figure, place, density, cavity=cavity, scale_bar=column == 0)
    where = f"day {outlook.last_day:g}\n{position_of(maps.frame, AXIAL, maps.index)}"
    for row, words in enumerate(("tumor\ncells [ml]", "visible on\nFLAIR [ml]", where)):
        _, bottom, _, height = layout.rectangle(0, row)
        at = (0.24 / PAGE_WIDTH_IN, bottom + height / 2)
        figure.text(*at, words, rotation=90, va="center", ha="center", fontsize=9)
    color_bar(figure, image, 0.64, "tumor-cell density [fraction of carrying capacity]", width=0.34)
    _add_legends(figure, outlook, layout.total)
    return figure


def _draw_curves(axes: Axes, several: Sequence[Forecast], curves: Sequence[np.ndarray]) -> None:
    """A line for each sensitivity, the one in the middle thick, and the band between them."""
    days = several[0].days
    varied = _varied(several)
    shades = (INK,) if varied is None else _shades(varied, len(curves))
    if len(curves) > 1:
        lower, upper, color = np.min(curves, axis=0), np.max(curves, axis=0), shades[len(curves) // 2]
        axes.fill_between(days, lower, upper, color=color, alpha=0.13, linewidth=0)
    for number, (curve, color) in enumerate(zip(curves, shades, strict=True)):
        axes.plot(days, curve, color=color, linewidth=2.0 if number == len(curves) // 2 else 1.2)


def _varied(several: Sequence[Forecast]) -> str | None:
    """Symbol of the sensitivity in which forecasts of one name differ; None where there is one forecast."""
    if len(several) == 1:
        return None
    return next(symbol for symbol in _SHADES if len({each.sensitivity.get(symbol) for each in several}) > 1)


def _shades(symbol: str, count: int) -> tuple[str, ...]:
    light, middle, dark = _SHADES[symbol]
    return (*(light,) * (count // 2), middle, *(dark,) * (count - count // 2 - 1))


def _draw_marks(axes: Axes, given: Mapping[str, tuple[float, ...]]) -> None:
    """A tick for everything that is done, above the panel, in a line for each kind."""
    lines = axes.get_xaxis_transform()  # days across, shares of the panel upward
    for line, kind in enumerate(reversed(_MARKS)):
        color, _ = _MARKS[kind]
        width = 2.2 if kind == "resection" else 0.8
        lower = 1 + (_MARK_GAP + line * (_MARK + _MARK_GAP)) / _BURDEN
        upper = lower + _MARK / _BURDEN
        days = [day for day in given.get(kind, ()) if day <= axes.get_xlim()[1]]
        axes.vlines(days, lower, upper, colors=color, linewidth=width, transform=lines, clip_on=False)


def _set_axes(burdens: Sequence[Axes], volumes: Sequence[Axes], *, last: float) -> None:
    """One scale for all columns, with numbers on the left."""
    reach = [axes.dataLim.intervaly for axes in burdens]
    lowest, highest = min(low for low, _ in reach), max(high for _, high in reach)
    for axes in burdens:
        axes.set_yscale("log")
        axes.set_ylim(lowest / 1.6, highest * 1.6)
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.tick_params(labelbottom=False)
    top = 1.06 * max(axes.dataLim.y1 for axes in volumes)
    for axes in volumes:
        axes.set_ylim(0, top)
        axes.set_xlabel("days after the scan", fontsize=8.5)
    for axes in (*burdens, *volumes):
        axes.set_xlim(0, last)
        axes.set_xticks(np.linspace(0, last, 4))
        labels = axes.get_xticklabels()
        if labels:
            labels[0].set_horizontalalignment("left")  # so that neighbors don't touch
            labels[-1].set_horizontalalignment("right")
        axes.grid(color="#e5e7eb", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8, length=2.5)
    for axes in (*burdens[1:], *volumes[1:]):
        axes.tick_params(labelleft=False)


def _add_legends(figure: Figure, outlook: Outlook, total: float) -> None:
    """What lines, marks and outlines mean, below the figure."""
    curves: list[Line2D] = []
    for symbol in _SHADES:
        name = next((name for name in outlook.names if _varied(outlook.of(name)) == symbol), None)
        if name is not None:
            values = [each.sensitivity[symbol] for each in outlook.of(name)]
            for number, (value, color) in enumerate(zip(values, _shades(symbol, len(values)), strict=True)):
                width = 2.0 if number == len(values) // 2 else 1.2
                label = sensitivity_text({symbol: value})
                curves.append(Line2D([], [], color=color, linewidth=width, label=label))
    curves.append(Line2D([], [], color=FAINT, linewidth=1.1, linestyle=(0, (1, 1.5)), label="no treatment"))
    given = {kind for forecast in outlook.forecasts for kind in forecast.given}
    marks = [
        Line2D([], [], color=color, marker="|", markersize=7, markeredgewidth=1.6, linestyle="", label=label)
        for kind, (color, label) in _MARKS.items()
        if kind in given
    ]
    outlines = [
        white_line("FLAIR threshold"),
        Line2D([], [], color=SEGMENTATION, linewidth=1.6, linestyle=WHOLE_DASHES[0], label="whole tumor at the scan"),
    ]
    for handles, height in ((curves, 0.74), (marks, 0.51), (outlines, 0.28)):
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.055, height / total),
            borderaxespad=0.0,
            ncols=len(handles),
            fontsize=8,
            handlelength=1.5,
            columnspacing=1.1,
            handletextpad=0.5,
        )
