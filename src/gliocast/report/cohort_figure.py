"""How a cohort's main quantities are distributed: every patient a dot, with median and quartiles beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from gliocast.core import RESEARCH_NOTICE, Parameter
from gliocast.report.cohort import QUANTITIES, CohortContent, PatientResult, Quantity, parameter_quantity
from gliocast.report.naming import axis_label, readable_name, readable_unit
from gliocast.report.style import FAINT, GREEN, INK, ORANGE, PAGE_WIDTH_IN, VERMILLION, figure_style, to_images
from gliocast.report.verdict import FAIL_DICE, LEVELS, REVIEW_DICE

LEVEL_COLORS = {"pass": GREEN, "review": ORANGE, "fail": VERMILLION}
LEVEL_MARKERS = {"pass": "o", "review": "o", "fail": "D"}

#: Panels side by side; height of a row of them, and what is above and below all [in].
_COLUMNS, _ROW_IN, _HEAD_IN, _FOOT_IN = 4, 2.4, 0.36, 0.6
#: Half of the width that the dots of one strip may take, where the summary stands, and where intervals end [1].
_HALF_WIDTH, _BESIDE = 0.3, 0.4
#: Room below the lowest dot where the axis ends at a bound above [1].
_ROOM = 0.06
#: Diameter of a dot [pt] by the number of patients from which on it is taken.
_DOTS_PT = {0: 5.5, 30: 4.5, 70: 3.6, 150: 2.8, 400: 2.0}
#: More patients than this have no intervals drawn: they would hide each other.
_MOST_INTERVALS = 60
#: The least share of cells left out that is drawn as such [%]; less is drawn here.
_LEAST_LEFT_OUT = 1e-4


@dataclass(frozen=True)
class Strip:
    """The dots of one quantity.

    Args:
        label: below them.
        quantity: that they show.
        factor: from its unit to the axis'.
        parameter: whose intervals and typical range are drawn; None for none.
    """

    label: str
    quantity: Quantity
    factor: float = 1.0
    parameter: Parameter | None = None


@dataclass(frozen=True)
class Panel:
    """Strips on one axis.

    Args:
        title: above.
        axis: label of the axis, with unit.
        strips: side by side.
        logarithmic: whether the axis is.
        limits: of the axis; None for those of the data.
        lines: values that the verdict goes by.
    """

    title: str
    axis: str
    strips: tuple[Strip, ...]
    logarithmic: bool = False
    limits: tuple[float | None, float | None] = (None, None)
    lines: tuple[float, ...] = ()


def cohort_figure(content: CohortContent) -> tuple[bytes, bytes]:
    """The distributions as PNG, and as WebP for the page.

    Args:
        content: with one result or more.
    """
    with figure_style():
        return to_images(_draw(content), exact=True)


def _draw(content: CohortContent) -> Figure:
    panels = _panels(content)
    rows = -(-len(panels) // _COLUMNS)
    height = _HEAD_IN + rows * _ROW_IN + _FOOT_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    figure.subplots_adjust(
        left=0.064, right=0.994, bottom=(_FOOT_IN + 0.36) / height, top=1 - _HEAD_IN / height, wspace=0.42, hspace=0.44
    )
    for axes, letter, panel in zip(grid.flat, ascii_lowercase, panels, strict=False):
        _draw_panel(axes, panel, content.results)
        axes.set_title(panel.title, fontsize=9, loc="left")
        axes.text(-0.13, 1.035, letter, transform=axes.transAxes, va="bottom", fontweight="bold", size=10)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    _draw_foot(figure, content, height)
    return figure


def _panels(content: CohortContent) -> list[Panel]:
    """What is drawn: fit, volumes, coverage, then parameters, thresholds of visibility together."""
    of = {quantity.key: quantity for quantity in QUANTITIES}
    outlines = ("core", "core"), ("whole", "whole tumor")
    parameters = content.comparable_parameters
    thresholds = [parameter for parameter in parameters if parameter.name.endswith("_threshold")]
    panels = [
        Panel(
            "Simulated against segmented",
            "Dice",
            tuple(Strip(label, of[f"dice_{key}"]) for key, label in outlines),
            limits=(None, 1.0),
            lines=(FAIL_DICE, REVIEW_DICE),
        ),
        Panel(
            "Distance of the outlines",
            "HD95 [mm]",
            tuple(Strip(label, of[f"hd95_{key}"]) for key, label in outlines),
            limits=(0.0, None),
        ),
        Panel("Volumes", "volume [ml]", (Strip("GTV", of["gtv"]), Strip("CTV", of["ctv"])), logarithmic=True),
        Panel(
            "Cells left out by the CTV",
            "modeled cells [%]",
            tuple(Strip(which, _left_out(of[f"covered_{which}"])) for which in ("standard", "model")),
            logarithmic=True,
        ),
        Panel("The two CTVs", "Dice", (Strip("standard and model", of["ctv_dice"]),), limits=(None, 1.0)),
    ]
    for parameter in parameters:
        if parameter not in thresholds:
            strip = Strip(readable_name(parameter), parameter_quantity(parameter), parameter=parameter)
            title = readable_name(parameter).capitalize()
            panels.append(Panel(title, axis_label(parameter), (strip,), logarithmic=readable_unit(parameter) != ""))
    if thresholds:
        strips = tuple(
            Strip(readable_name(entry).split()[0], parameter_quantity(entry), parameter=entry) for entry in thresholds
        )
        panels.append(Panel("Visible from", "density [1]", strips, limits=(0.0, 1.0)))
    return panels


def _left_out(covered: Quantity) -> Quantity:
    """The share that a target doesn't cover [%]."""

    def value(patient: PatientResult) -> float | None:
        share = covered.value(patient)
        return None if share is None else max(_LEAST_LEFT_OUT, 100 * (1 - share))

    return Quantity(covered.key, covered.title, "%", value)


def _draw_panel(axes: Axes, panel: Panel, results: Sequence[PatientResult]) -> None:
    """Dots, summaries, and what they are held against."""
    if panel.logarithmic:
        axes.set_yscale("log")
    drawn = [_dots(strip, results, above=0 if panel.logarithmic else -np.inf) for strip in panel.strips]
    for place, (strip, dots) in enumerate(zip(panel.strips, drawn, strict=True)):
        if strip.parameter is not None:
            low, high = strip.parameter.typical
            axes.fill_between([place - 0.45, place + 0.47], low, high, color="#eef1f5", linewidth=0, zorder=0)
            if len(dots) <= _MOST_INTERVALS:
                _stretch(axes, strip.parameter, [result for _, result in dots])
        axes.plot([place] * len(dots), [value for value, _ in dots], linestyle="none")  # the axis takes them in
    axes.set_xlim(-0.55, len(panel.strips) - 0.4)
    _set_limits(axes, panel)
    for line in panel.lines:
        axes.axhline(line, color=FAINT, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0.5)
    for place, (strip, dots) in enumerate(zip(panel.strips, drawn, strict=True)):
        _draw_strip(axes, place, strip, dots)
    places = range(len(panel.strips))
    axes.set(xticks=places, ylabel=panel.axis)
    labels = [f"{strip.label}\nn = {len(dots)}" for strip, dots in zip(panel.strips, drawn, strict=True)]
    axes.set_xticklabels(labels, fontsize=8)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)


def _dots(strip: Strip, results: Sequence[PatientResult], *, above: float) -> list[tuple[float, PatientResult]]:
    """Values that there are, and that the axis can show, with their patients."""
    return [(found, entry) for entry in results if (found := strip.quantity.value(entry)) is not None and found > above]


def _stretch(axes: Axes, parameter: Parameter, results: Sequence[PatientResult]) -> None:
    """Let the axis take in intervals."""
    for result in results:
        found = result.estimate(parameter.name)
        if found is not None:
            axes.plot([0, 0], found.interval, linestyle="none")


def _set_limits(axes: Axes, panel: Panel) -> None:
    """Limits with room at the data's ends, and ticks that a logarithmic axis can be read by."""
    low, high = axes.get_ylim()
    bottom, top = panel.limits
    if not panel.logarithmic:
        low = low if top is None else low - _ROOM * (top - low)
        axes.set_ylim(low if bottom is None else bottom, high if top is None else top)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    else:
        subs = (1.0, 2.0, 5.0) if high < 100 * low else (1.0,)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_strip(axes: Axes, place: int, strip: Strip, dots: Sequence[tuple[float, PatientResult]]) -> None:
    """Patients side by side where they would hide each other, then median and quartiles."""
    values = np.array([value for value, _ in dots])
    if not len(values):
        return
    size = next(size for least, size in reversed(_DOTS_PT.items()) if len(values) >= least)
    offsets = _swarm(axes, values, size)
    for offset, (value, result) in zip(offsets, dots, strict=True):
        found = result.estimate(strip.parameter.name) if strip.parameter is not None else None
        if found is not None and len(values) <= _MOST_INTERVALS:
            axes.plot([place + offset] * 2, found.interval, color="#b6bcc5", linewidth=0.9, zorder=1)
        color = LEVEL_COLORS[result.level]
        marker = LEVEL_MARKERS[result.level]
        axes.plot(
            [place + offset], [value], marker, color=color, ms=size, mew=0.4, mec="white", clip_on=False, zorder=3
        )
    lower, median, upper = np.percentile(values, (25, 50, 75))
    beside = place + _BESIDE
    axes.plot([beside, beside], [lower, upper], color=INK, linewidth=1.4, zorder=4)
    axes.plot([beside], [median], "_", color=INK, markersize=8, markeredgewidth=1.8, zorder=4)


def _swarm(axes: Axes, values: np.ndarray, size: float) -> np.ndarray:
    """Offsets at which dots don't hide each other, as near to the middle as they can, (num_values,) [places].

    Where there is no room for that, a dot lies where it hides least.

    Args:
        axes: with its limits.
        values: of the dots.
        size: diameter of a dot [pt].
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    per_dot = size * figure.dpi / 72 * 1.06
    heights = axes.transData.transform(np.column_stack([np.zeros(len(values)), values]))[:, 1] / per_dot
    across = axes.transData.transform([(0, values[0]), (1, values[0])])[:, 0]
    dots_per_place = float(np.ptp(across)) / per_dot
    reach = _HALF_WIDTH * dots_per_place
    offsets = np.zeros(len(values))
    candidates = np.array(sorted(np.arange(-reach, reach + 0.1, 0.25), key=abs))
    placed: list[int] = []
    for index in np.argsort(values, kind="stable"):
        near = [other for other in placed if abs(heights[other] - heights[index]) < 1]
        gaps = np.hypot(candidates[:, None] - offsets[near], heights[index] - heights[near])
        nearest = gaps.min(axis=1, initial=1)  # from 1 on, nothing is hidden
        offsets[index] = candidates[np.argmax(nearest)]
        placed.append(int(index))
    return offsets / dots_per_place


def _draw_foot(figure: Figure, content: CohortContent, height: float) -> None:
    """What dots and lines mean."""
    interval = Line2D([], [], color="#b6bcc5", linewidth=0.9, label="95 % interval")
    handles = [
        *(
            Line2D([], [], color=LEVEL_COLORS[level], marker=LEVEL_MARKERS[level], ms=5, linestyle="none", label=level)
            for level in LEVELS
            if content.count(level)
        ),
        Line2D([], [], color=INK, marker="_", markersize=8, mew=1.8, linewidth=1.4, label="median, quartiles"),
        *([interval] if len(content.results) <= _MOST_INTERVALS else []),
        Line2D([], [], color="#e3e7ed", linewidth=6, label="typical range"),
        Line2D([], [], color=FAINT, linewidth=0.8, linestyle=(0, (3, 3)), label="limits of the verdict"),
    ]
    figure.legend(handles=handles, loc="center", bbox_to_anchor=(0.5, 0.36 / height), ncols=len(handles), fontsize=8)
    figure.text(0.5, 0.12 / height, RESEARCH_NOTICE, ha="center", va="center", fontsize=6.5, color=FAINT)
