"""Volumes of a lesion, the laws fitted to them, and what they forecast."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gliocast.core import VolumeCourse
from gliocast.core.grid import MM3_PER_ML
from gliocast.growth.ode import LawComparison, VolumeFit
from gliocast.report.style import BLUE, FAINT, GREEN, INK, ORANGE, PAGE_WIDTH_IN, PURPLE, VERMILLION

HEIGHT_IN = 4.4
#: Points of a drawn curve [1].
NUM_POINTS = 161
#: How far a picture goes on after the last visit, as a share of the time between first and last [1].
FORECAST_SHARE = 0.2
#: Volumes that span more than this factor are drawn on a logarithmic axis [1].
LINEAR_SPAN = 8.0
#: Bands of a forecast may open up this far beyond the volumes before they leave the picture, as a factor [1].
LINEAR_ROOM, LOG_ROOM = 1.6, 3.0
#: Standard deviations from the median to the 95th percentile.
_NORMAL_95 = 1.645

#: Color and dashes of each law; the order tells them apart in gray, too.
LINES: dict[str, tuple[str, Any]] = {
    "exponential": (BLUE, "-"),
    "logistic": (ORANGE, "--"),
    "Gompertz": (GREEN, "-."),
    "reduced Gompertz": (PURPLE, (0, (5, 1, 1, 1, 1, 1))),
    "radiotherapy compartments": (VERMILLION, (0, (3, 1))),
}


def days_to_draw(course: VolumeCourse) -> np.ndarray:
    """Days from the first visit to some time after the last one, (NUM_POINTS,)."""
    first, last = float(course.days[0]), float(course.days[-1])
    return np.linspace(first, last + FORECAST_SHARE * (last - first), NUM_POINTS)


def volume_figure(
    course: VolumeCourse,
    comparison: LawComparison,
    *,
    num_held_out: int = 0,
    treatment_day: float | None = None,
    detection_mm3: float,
) -> Figure:
    """Measured volumes with the curve and band of each law, the best one emphasized.

    Args:
        course: all visits.
        comparison: laws fitted to all but the last `num_held_out` visits.
        num_held_out: visits at the end that the fit didn't see.
        treatment_day: start of radiotherapy, None to show none [d].
        detection_mm3: limit of detection, where visits without a visible lesion are drawn [mm^3].
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, HEIGHT_IN))
    axes = figure.add_axes((0.075, 0.145, 0.605, 0.765))
    days = days_to_draw(course)
    _scale(axes, course, comparison, days, detection_mm3)
    best = comparison.best
    for fit in sorted(comparison.fits, key=lambda fit: fit is best):
        _law(axes, fit, days, is_best=fit is best)
    _visits(axes, course, num_held_out, best.reading_noise, detection_mm3)
    last_fitted = float(course.days[len(course) - num_held_out - 1])
    axes.axvspan(last_fitted, days[-1], color="#f3f4f6", zorder=0, linewidth=0)
    axes.annotate("forecast", (last_fitted, 1), (0, 3), va="bottom", color=FAINT, **_OFFSET)
    if treatment_day is not None and days[0] <= treatment_day <= days[-1]:
        axes.axvline(treatment_day, color=FAINT, linewidth=1.0, linestyle=":", zorder=1)
        axes.annotate("radiotherapy", (treatment_day, 1), (0, 3), va="bottom", ha="center", color=FAINT, **_OFFSET)
    axes.set_xlim(days[0] - 0.02 * np.ptp(days), days[-1])
    axes.set_xlabel("day")
    axes.set_ylabel("volume [ml]")
    axes.grid(color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    figure.text(0.695, 0.945, f"Patient {course.number}", fontsize=11, fontweight="bold", va="center")
    _legend(figure, course, comparison, num_held_out)
    figure.text(0.99, 0.02, "For research only. Bands assume that the law holds.", color=FAINT, fontsize=8, ha="right")
    return figure


#: Where an annotation stands: a day, and a share of the height.
_OFFSET: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 8.5}
_BEST, _OTHER = {"linewidth": 2.6}, {"linewidth": 1.3}


def _law(axes: Axes, fit: VolumeFit, days: np.ndarray, *, is_best: bool) -> None:
    """One law's curve and band; that of the best law is broad and solid."""
    color, dashes = LINES[fit.law.name]
    low, high = fit.band(days) / MM3_PER_ML
    axes.fill_between(days, low, high, color=color, alpha=0.22 if is_best else 0.055, linewidth=0)
    style: dict[str, Any] = {"linestyle": "-", **_BEST} if is_best else {"linestyle": dashes, **_OTHER}
    axes.plot(days, fit.volume(days) / MM3_PER_ML, color=color, zorder=4 if is_best else 3, **style)


def _visits(axes: Axes, course: VolumeCourse, num_held_out: int, noise: float, detection_mm3: float) -> None:
    """Volumes as dots with the noise of a reading, vanished lesions as triangles at the limit of detection."""
    volumes, seen = course.volumes / MM3_PER_ML, course.volumes > 0
    held = np.arange(len(course)) >= len(course) - num_held_out
    error = _NORMAL_95 * noise * volumes
    for group, face in ((~held, INK), (held, "white")):
        dots = group & seen
        axes.errorbar(
            course.days[dots],
            volumes[dots],
            error[dots],
            fmt="o",
            color=INK,
            markerfacecolor=face,
            markeredgewidth=1.4,
            markersize=6.5,
            elinewidth=1.0,
            zorder=6,
        )
        gone = group & ~seen
        limit = np.full(int(gone.sum()), _limit(course, detection_mm3) / MM3_PER_ML)
        axes.plot(course.days[gone], limit, "v", color=INK, markerfacecolor=face, markersize=7, zorder=6)


def _limit(course: VolumeCourse, detection_mm3: float) -> float:
    """Volume below which this lesion can't have been seen [mm^3]."""
    return min(detection_mm3, float(course.volumes[course.volumes > 0].min(initial=np.inf)))


def _scale(axes: Axes, course: VolumeCourse, comparison: LawComparison, days: np.ndarray, detection_mm3: float) -> None:
    """Logarithmic where volumes span much or a lesion vanished, linear from zero elsewhere."""
    seen = course.volumes[course.volumes > 0]
    is_gone = len(seen) < len(course)
    lowest = _limit(course, detection_mm3) if is_gone else seen.min()
    low, high = comparison.best.band(days)
    if not is_gone and seen.max() <= LINEAR_SPAN * seen.min():
        top = np.clip(high.max(), 1.15 * seen.max(), LINEAR_ROOM * seen.max())
        axes.set_ylim(0, 1.05 * top / MM3_PER_ML)
        return
    top = np.clip(high.max(), seen.max(), LOG_ROOM * seen.max()) / MM3_PER_ML
    bottom = np.clip(low.min(), lowest / LOG_ROOM, lowest) / MM3_PER_ML
    axes.set_yscale("log")
    axes.set_ylim(bottom / 1.25, 1.25 * top)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if top / bottom < 300:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, course: VolumeCourse, comparison: LawComparison, num_held_out: int) -> None:
    """Laws by weight, the best one first, and what the marks mean."""
    order = sorted(zip(comparison.fits, comparison.weights, strict=True), key=lambda pair: pair[0].aicc)
    laws = []
    for fit, weight in order:
        color, dashes = LINES[fit.law.name]
        share = f"  {weight:.2f}" if np.isfinite(fit.aicc) else "  too few visits"
        is_best = fit is comparison.best
        style: dict[str, Any] = {"linestyle": "-", **_BEST} if is_best else {"linestyle": dashes, **_OTHER}
        label = f"{fit.law.name} ({len(fit.values)})" + (share if comparison.is_compared else "")
        laws.append(Line2D([], [], color=color, label=label, **style))
    title = (
        "law (parameters), Akaike weight" if comparison.is_compared else "law (parameters); too few visits to compare"
    )
    top = figure.legend(handles=laws, loc="upper left", bbox_to_anchor=(0.685, 0.915), title=title, handlelength=3.2)
    top.set_alignment("left")
    dot: dict[str, Any] = {"linestyle": "none", "color": INK, "markersize": 6.5}
    marks = [Line2D([], [], marker="o", label="measured (bar: reading noise)", **dot)]
    if np.any(course.volumes == 0):
        marks.append(Line2D([], [], marker="v", label="not visible: below this volume", **dot))
    if num_held_out:
        marks.append(Line2D([], [], marker="o", markerfacecolor="white", label="held out of the fit", **dot))
    marks.append(Line2D([], [], color=FAINT, alpha=0.35, linewidth=7, label="5–95 % band of the curve"))
    low = figure.legend(handles=marks, loc="lower left", bbox_to_anchor=(0.685, 0.11), handlelength=3.2)
    low.set_alignment("left")
