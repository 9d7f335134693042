"""What rival plans cover of recurrences, patient by patient, and the model's differences from each rival."""

from collections.abc import Iterable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gliocast.core import RESEARCH_NOTICE
from gliocast.planning.evaluation import MODEL, PlanEvaluation
from gliocast.planning.recurrence import ENDPOINTS, ZONES
from gliocast.report.style import BLUE, FAINT, GREEN, INK, ORANGE, PAGE_WIDTH_IN, VERMILLION, figure_style, to_png

#: Colors of the plans.
PLAN_COLORS = {"guideline": VERMILLION, "distance": ORANGE, "edema": GREEN, MODEL: BLUE}

#: Zones that are drawn: all of the recurrence, and what the margin is for; how their differences are marked.
_DRAWN = {ZONES[0]: ("everywhere", "o"), ZONES[2]: ("outside GTV", "D")}

#: Height of the figure [in], resolution for print [1/in].
_HEIGHT_IN, _DPI = 6.3, 220

#: Where means stand beside the patients' dots, and how far the two differences of a rival lie apart [1].
_MEAN_OFFSET, _APART = 0.24, 0.17

#: Wins, ties and losses at the right end of a row.
_COUNTS: dict[str, Any] = {
    "ha": "right",
    "va": "center",
    "size": 7.5,
    "bbox": {"color": "white", "pad": 1.5},
}


def save_coverage_plot(path: Path, evaluation: PlanEvaluation, *, title: str) -> None:
    """Write `coverage_plot` as a PNG file."""
    with figure_style():
        path.write_bytes(to_png(coverage_plot(evaluation, title=title), dpi=_DPI))


def coverage_plot(evaluation: PlanEvaluation, *, title: str) -> Figure:
    """Covered shares of each patient joined over the plans, with means, and the paired differences from the model.

    Args:
        evaluation: of one patient or more.
        title: how many patients, and what kind.
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, _HEIGHT_IN))
    axes = figure.subplots(len(ENDPOINTS), 3, width_ratios=[1, 1, 1.12], squeeze=False)
    figure.subplots_adjust(left=0.065, right=0.985, bottom=0.14, top=0.885, wspace=0.3, hspace=0.42)
    for row, endpoint in zip(axes, ENDPOINTS, strict=True):
        for cell, zone in zip(row[:2], _DRAWN, strict=True):
            _draw_patients(cell, evaluation, endpoint, zone)
        _draw_differences(row[2], evaluation, endpoint)
        row[0].set_ylabel("covered [%]")
    _share_scale(axes[:, 2])
    for letter, cell in zip(ascii_lowercase, axes.flat, strict=False):
        cell.text(-0.02, 1.035, letter, transform=cell.transAxes, ha="right", va="bottom", fontweight="bold", size=10)
    figure.text(0.012, 0.966, title, fontsize=10.5, fontweight="bold", va="center")
    words = f"plans: {evaluation.protocol}; density: {evaluation.density}"
    figure.text(0.012, 0.936, words, fontsize=7.5, color=FAINT, va="center")
    handles = [
        Line2D([], [], color=INK, marker="_", markersize=9, linewidth=1.4, label="mean, 95 % bootstrap interval"),
        *(
            Line2D([], [], color=INK, marker=marker, markersize=5, linestyle="none", label=f"difference, {name}")
            for name, marker in _DRAWN.values()
        ),
    ]
    figure.legend(handles=handles, loc="center", bbox_to_anchor=(0.5, 0.052), ncols=len(handles), fontsize=8)
    figure.text(0.5, 0.018, RESEARCH_NOTICE, ha="center", va="center", fontsize=6.5, color=FAINT)
    return figure


def _draw_patients(axes: Axes, evaluation: PlanEvaluation, endpoint: str, zone: str) -> None:
    """One line through the plans for each patient, and the mean of each plan beside it."""
    measure, plans = endpoint + zone, evaluation.plans
    some = evaluation.has(measure)
    shares = 100 * np.array([evaluation.values(plan, measure)[some] for plan in plans])
    places = np.arange(len(plans))
    for patient in shares.T:
        axes.plot(places, patient, color="#c3c8cf", linewidth=0.8, zorder=1)
    for place, plan in zip(places, plans, strict=True):
        color = PLAN_COLORS[plan]
        axes.plot(np.full(shares.shape[1], place), shares[place], "o", color=color, markersize=4.5, alpha=0.75)
        found = evaluation.mean(plan, measure)
        if found is not None:
            mean, interval = found
            beside = place + _MEAN_OFFSET
            if interval is not None:
                axes.plot([beside, beside], [100 * end for end in interval], color=INK, linewidth=1.4, zorder=4)
            axes.plot([beside], [100 * mean], "_", color=INK, markersize=9, markeredgewidth=1.8, zorder=4)
    name, _ = _DRAWN[zone]
    axes.set_title(f"{endpoint} recurrence, {name} (n = {np.count_nonzero(some)})", fontsize=9, loc="left")
    axes.set(xticks=places, xlim=(-0.4, len(plans) - 0.4), ylim=(-4, 104))
    axes.set_xticklabels(plans)
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)


def _draw_differences(axes: Axes, evaluation: PlanEvaluation, endpoint: str) -> None:
    """The model minus each rival: mean with interval, and wins, ties and losses."""
    rivals = [plan for plan in evaluation.plans if plan != MODEL]
    for place, rival in enumerate(rivals):
        for shift, (zone, (_, marker)) in zip((-_APART, _APART), _DRAWN.items(), strict=True):
            found = evaluation.compare(MODEL, rival, endpoint + zone).everyone
            if found.mean_difference is None:
                continue
            color = PLAN_COLORS[rival]
            if found.interval is not None:
                ends = [100 * end for end in found.interval]
                axes.plot(ends, [place + shift] * 2, color=color, linewidth=1.6)
            axes.plot([100 * found.mean_difference], [place + shift], marker, color=color, markersize=5)
            counts = f"{found.wins}/{found.ties}/{found.losses}"
            axes.text(0.99, place + shift, counts, transform=axes.get_yaxis_transform(), **_COUNTS)
    axes.axvline(0, color=FAINT, linewidth=0.9, zorder=0)
    axes.set(ylim=(len(rivals) - 0.4, -0.6), yticks=range(len(rivals)))
    axes.set_yticklabels(rivals)
    axes.set_xlabel("model covers more [percentage points]", labelpad=2)
    axes.set_title(f"model minus rival, {endpoint}", fontsize=9, loc="left")
    axes.text(1.0, 1.0, "wins/ties/losses", transform=axes.transAxes, ha="right", va="bottom", size=7.5, color=FAINT)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)


def _share_scale(panels: Iterable[Axes]) -> None:
    """One scale for all differences, zero at one place, with room for the counts."""
    panels = list(panels)
    widest = max(1.0, *(abs(end) for axes in panels for end in axes.get_xlim()))
    for axes in panels:
        axes.set_xlim(-widest, 1.5 * widest)
