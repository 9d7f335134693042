"""The joint posterior two parameters at a time, with the prior drawn in."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy import ndimage

from gliocast.core import Posterior, Prior
from gliocast.report.naming import axis_label, readable_name
from gliocast.report.priors import PriorMarginal, contour_levels, levels_of
from gliocast.report.style import BLUE, FAINT, PAGE_WIDTH_IN, VERMILLION

#: Shares of posterior and prior inside the contours [1].
SHARES = (0.5, 0.95)
#: Fill between the contours, from the outer one inward, and that of the histograms.
FILLS = ("#cfe1f1", "#7fb2dc")
BARS = "#9ec5e6"
DASHES = (0, (3.2, 1.8))
#: Bins of a histogram, and of the smoothed one behind contours [1], with its width in bins [1].
NUM_BINS, NUM_CELLS, SMOOTHING = 30, 44, 2.4
#: Share of the posterior left outside of a panel at either end [1], and the free border around the rest [1].
OUTSIDE, BORDER = 0.002, 0.08
LEFT_IN, BOTTOM_IN, HEAD_IN, GAP_IN = 0.62, 0.62, 0.24, 0.07


def corner(posterior: Posterior, *, prior: Prior | None = None, truth: Mapping[str, float] | None = None) -> Figure:
    """Marginal posteriors on the diagonal, the joint one of every pair below it.

    Args:
        posterior: weighted samples.
        prior: drawn as dashed lines; where a contour isn't seen, it lies outside of the panel.
        truth: true values by parameter name.
    """
    num = len(posterior.parameters)
    side = (PAGE_WIDTH_IN - LEFT_IN - num * GAP_IN) / num
    height = BOTTOM_IN + num * (side + GAP_IN) + HEAD_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    true = [None if truth is None else truth.get(parameter.name) for parameter in posterior.parameters]
    limits = [_limits(posterior, column, true[column]) for column in range(num)]
    marginals = None if prior is None else [PriorMarginal(prior, column) for column in range(num)]
    for row in range(num):
        for column in range(row + 1):
            x, y = LEFT_IN + column * (side + GAP_IN), BOTTOM_IN + (num - 1 - row) * (side + GAP_IN)
            axes = figure.add_axes((x / PAGE_WIDTH_IN, y / height, side / PAGE_WIDTH_IN, side / height))
            axes.set_xlim(limits[column])
            if row == column:
                _diagonal(axes, posterior, column, None if marginals is None else marginals[column])
                axes.set_title(readable_name(posterior.parameters[column]), fontsize=8, pad=3)
            else:
                axes.set_ylim(limits[row])
                pair = None if marginals is None else (marginals[column], marginals[row])
                _pair(axes, posterior, (column, row), pair)
            _mark(axes, posterior, (column, row), true)
            _label(axes, posterior, (column, row), num)
    figure.legend(
        handles=_handles(prior=prior is not None, truth=truth is not None),
        loc="upper right",
        bbox_to_anchor=(1 - 0.01, 1 - HEAD_IN / height),
        fontsize=9.5,
        labelspacing=0.7,
    )
    return figure


def _limits(posterior: Posterior, column: int, true: float | None) -> tuple[float, float]:
    """What a panel shows of a parameter."""
    values, mode = posterior.samples[:, column], float(posterior.mode[column])
    order = np.argsort(values)
    marks = np.interp([OUTSIDE, 1 - OUTSIDE], np.cumsum(posterior.weights[order]), values[order])
    marks = [*marks, mode, *([] if true is None else [true])]
    border = BORDER * (max(marks) - min(marks)) or max(1e-6, 0.05 * abs(mode))
    return min(marks) - border, max(marks) + border


def _diagonal(axes: Axes, posterior: Posterior, column: int, marginal: PriorMarginal | None) -> None:
    """Histogram of one parameter, as a density, with that of the prior."""
    limits = axes.get_xlim()
    heights, _, _ = axes.hist(
        posterior.samples[:, column],
        bins=NUM_BINS,
        range=limits,
        weights=posterior.weights,
        density=True,
        color=BARS,
        histtype="stepfilled",
    )
    axes.set_ylim(0, 1.12 * float(np.max(heights)) or 1.0)
    axes.spines["left"].set_visible(False)
    if marginal is not None:
        values = np.linspace(*limits, 200)
        axes.plot(values, marginal.density(values), color=FAINT, linewidth=1.2, linestyle=DASHES)


def _pair(
    axes: Axes, posterior: Posterior, columns: tuple[int, int], marginals: tuple[PriorMarginal, PriorMarginal] | None
) -> None:
    """Contours of the joint posterior of two parameters, and of their prior."""
    limits = (axes.get_xlim(), axes.get_ylim())
    x, y = (posterior.samples[:, column] for column in columns)
    counts, *edges = np.histogram2d(x, y, bins=NUM_CELLS, range=limits, weights=posterior.weights)
    smooth = ndimage.gaussian_filter(counts, SMOOTHING, mode="constant")
    centers = [(edge[1:] + edge[:-1]) / 2 for edge in edges]
    inner, outer = levels_of(smooth, smooth, SHARES)
    if outer < inner < smooth.max():
        axes.contourf(*centers, smooth.T, levels=[outer, inner, 1.01 * smooth.max()], colors=FILLS)
        axes.contour(*centers, smooth.T, levels=[outer, inner], colors=[BLUE], linewidths=0.8)
    if marginals is not None:
        one, other = marginals
        density = np.outer(one.density(centers[0]), other.density(centers[1]))
        levels = sorted(level for level in contour_levels(one, other, SHARES) if density.min() < level < density.max())
        if levels:
            axes.contour(*centers, density.T, levels=levels, colors=[FAINT], linewidths=1.0, linestyles=[DASHES])


def _mark(axes: Axes, posterior: Posterior, columns: tuple[int, int], true: list[float | None]) -> None:
    """The mode, and the truth where it is known."""
    column, row = columns
    if column == row:
        axes.axvline(posterior.mode[column], color=BLUE, linewidth=1.4)
    else:
        axes.plot(*posterior.mode[[column, row]], marker="o", markersize=3.2, color=BLUE, zorder=5)
    style: dict[str, Any] = {"color": VERMILLION, "linewidth": 1.1, "linestyle": (0, (1.5, 1.2)), "zorder": 4}
    if (value := true[column]) is not None:
        axes.axvline(value, **style)
    if column != row and (value := true[row]) is not None:
        axes.axhline(value, **style)


def _label(axes: Axes, posterior: Posterior, columns: tuple[int, int], num: int) -> None:
    """Numbers and symbols at the outer panels only."""
    column, row = columns
    axes.tick_params(labelsize=7, length=2.5, pad=2)
    axes.xaxis.set_major_locator(MaxNLocator(4, prune="both"))
    if row == num - 1:
        axes.set_xlabel(axis_label(posterior.parameters[column]), fontsize=9)
        axes.xaxis.set_label_coords(0.5, -0.40 / axes.get_position().width / PAGE_WIDTH_IN)
        axes.tick_params(axis="x", labelrotation=45)
    else:
        axes.tick_params(labelbottom=False)
    if column == row:
        axes.set_yticks([])
        return
    axes.yaxis.set_major_locator(MaxNLocator(4, prune="both"))
    if column == 0:
        axes.set_ylabel(axis_label(posterior.parameters[row]), fontsize=9)
        axes.yaxis.set_label_coords(-0.46 / axes.get_position().width / PAGE_WIDTH_IN, 0.5)
    else:
        axes.tick_params(labelleft=False)


def _handles(*, prior: bool, truth: bool) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=FILLS[1], edgecolor=BLUE, label=f"{100 * SHARES[0]:.0f} % of the posterior"),
        Patch(facecolor=FILLS[0], edgecolor=BLUE, label=f"{100 * SHARES[1]:.0f} % of the posterior"),
        Line2D([], [], color=BLUE, marker="o", markersize=4, linewidth=1.4, label="mode"),
    ]
    if prior:
        shares = " and ".join(f"{100 * share:.0f} %" for share in SHARES)
        handles.append(Line2D([], [], color=FAINT, linewidth=1.2, linestyle=DASHES, label=f"prior, {shares} of it"))
    if truth:
        handles.append(Line2D([], [], color=VERMILLION, linewidth=1.4, linestyle=(0, (1.5, 1.2)), label="truth"))
    for handle in handles:
        handle.set_snap(False)
    return handles
