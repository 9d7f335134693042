"""How much of the modeled tumor a plan covers, against how much tissue it treats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliocast.planning import CoverageBand, CoverageCurve, PlanComparison
from gliocast.report.style import BLUE, FAINT, INK, PAGE_WIDTH_IN, VERMILLION

MARGIN_TICKS_MM = (0, 5, 10, 15, 20, 25, 30, 40)
#: The left-out share is drawn down to this; below, other errors of a plan dwarf it.
SMALLEST_SHARE_PERCENT = 0.01

#: How the model's plan is marked and how the standard one: both are seen where they lie on each other.
_RING: Mapping[str, Any] = {"markersize": 10, "markerfacecolor": "none", "markeredgewidth": 1.8}
_DOT: Mapping[str, Any] = {"markersize": 5.5, "markeredgewidth": 0.0}


def coverage_figure(
    curve: CoverageCurve, comparison: PlanComparison, *, margin_mm: float, band: CoverageBand | None = None
) -> Figure:
    """Covered share against treated volume for growing margins and density levels, and the share left out.

    Args:
        curve: both families.
        comparison: the plan, marked on both curves.
        margin_mm: the plan's margin [mm].
        band: where both curves lie under the posterior; None where it isn't known.
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, 3.4))
    covered, left_out = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.07, right=0.985, bottom=0.145, top=0.845, wspace=0.2)
    families = (
        (curve.covered_by_density, comparison.covered_by_model, BLUE, "-", "highest density (model)"),
        (curve.covered_by_margin, comparison.covered_by_standard, VERMILLION, "--", "uniform margin (standard)"),
    )
    bands = (None, None) if band is None else (band.by_density, band.by_margin)
    for (share, _, color, dashes, name), between in zip(families, bands, strict=True):
        covered.plot(curve.volume_ml, 100 * share, dashes, color=color, linewidth=2, label=name)
        missing = _left_out(share)
        left_out.semilogy(curve.volume_ml, missing, dashes, color=color, linewidth=2)
        if between is not None:
            covered.fill_between(curve.volume_ml, *(100 * between), color=color, alpha=0.16, linewidth=0)
            left_out.fill_between(
                curve.volume_ml,
                *(100 * np.clip(1 - between, 1e-2 * SMALLEST_SHARE_PERCENT, 1)),
                color=color,
                alpha=0.16,
                linewidth=0,
            )
    covered.set_ylabel("modeled tumor burden covered [%]")
    left_out.set_ylabel("modeled tumor burden left out [%]")
    lowest = 100 * (1 - np.interp(_widest_volume(curve, comparison), curve.volume_ml, curve.covered_by_density))
    left_out.set_ylim(bottom=max(float(lowest) / 1.5, SMALLEST_SHARE_PERCENT))
    for (_, at_plan, color, _, _), look in zip(families, (_RING, _DOT), strict=True):
        _mark_plan(covered, comparison.standard_ml, 100 * at_plan, color, look)
        _mark_plan(left_out, comparison.standard_ml, 100 * (1 - at_plan), color, look)
    left_out.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    covered.legend(loc="lower right")
    for axes in (covered, left_out):
        _finish(axes, curve, comparison)
    covered.annotate(
        f"plan: GTV + {margin_mm:g} mm,\n{comparison.standard_ml:.0f} ml",
        (comparison.standard_ml, covered.get_ylim()[0]),
        xytext=(5, 42),
        textcoords="offset points",
        color=FAINT,
        fontsize=8.5,
    )
    return figure


def _mark_plan(axes: Axes, volume_ml: float, value: float, color: str, look: Mapping[str, Any]) -> None:
    """A plan on its curve; where the axis ends above it, an arrow down at that end."""
    bottom = axes.get_ylim()[0]
    marker, place = ("o", value) if value >= bottom else ("v", bottom)
    shown: dict[str, Any] = {"markeredgecolor": color, "markerfacecolor": color, **look}
    axes.plot([volume_ml], [place], marker, zorder=5, clip_on=False, **shown)


def _left_out(share: np.ndarray) -> np.ndarray:
    """What isn't covered, where that is enough to be drawn [%]."""
    missing = 100 * np.clip(1 - share, 0, 1)
    missing[missing < SMALLEST_SHARE_PERCENT] = np.nan
    return missing


def _finish(axes: Axes, curve: CoverageCurve, comparison: PlanComparison) -> None:
    """Grid, the plan's volume, and the margins as a second scale on top."""
    axes.set_xlabel("treated volume [ml]")
    axes.grid(color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.axvline(comparison.standard_ml, color=FAINT, linewidth=1.0, linestyle=":")
    lower, upper = float(curve.volume_ml[0]), _widest_volume(curve, comparison)
    axes.set_xlim(lower - 0.02 * (upper - lower), upper + 0.02 * (upper - lower))
    widest = np.interp(upper, curve.volume_ml, curve.margin_mm)
    margins = [tick for tick in MARGIN_TICKS_MM if tick <= widest]
    places = np.interp(margins, curve.margin_mm, curve.volume_ml)
    kept = [k for k in range(len(margins)) if k == 0 or places[k] - places[k - 1] > 0.04 * (upper - lower)]
    top = axes.secondary_xaxis("top")
    top.set_xticks([places[k] for k in kept], labels=[str(margins[k]) for k in kept])
    top.set_xlabel("uniform margin around the GTV [mm]", color=INK)
    top.spines["top"].set_visible(True)


def _widest_volume(curve: CoverageCurve, comparison: PlanComparison) -> float:
    """Where the volume axis ends [ml]: twice the plan, and not before a margin covers all but half a percent."""
    nearly_all, _ = curve.volume_to_cover(0.995)
    return float(min(curve.volume_ml[-1], max(2 * comparison.standard_ml, np.nan_to_num(nearly_all, nan=np.inf))))
