"""Marginal posteriors of several methods, one over the other."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gliocast.core import Posterior, Prior
from gliocast.report.naming import axis_label, readable_name
from gliocast.report.priors import PriorMarginal
from gliocast.report.style import BLUE, FAINT, GREEN, INK, ORANGE, PAGE_WIDTH_IN, PURPLE, SKY, VERMILLION

NUM_COLUMNS = 4
#: One color per method, in their order; more than these are told apart by nobody.
COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)
#: Values at which a curve is drawn, and the share of a posterior left outside of its panel at either end [1].
NUM_VALUES, OUTSIDE = 240, 0.002


def compare_marginals(
    posteriors: Mapping[str, Posterior], *, prior: Prior | None = None, truth: Mapping[str, float] | None = None
) -> Figure:
    """A panel for each parameter with the density that each method gives it, its mode as a tick below.

    Args:
        posteriors: of the same parameters, by what the legend calls them.
        prior: drawn as a dashed line.
        truth: true values by parameter name.
    """
    parameters = next(iter(posteriors.values())).parameters
    num_rows = -(-len(parameters) // NUM_COLUMNS)
    height = 1.75 * num_rows + 0.4
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    panels = figure.subplots(num_rows, NUM_COLUMNS, squeeze=False).ravel()
    figure.subplots_adjust(left=0.02, right=0.98, top=1 - 0.26 / height, bottom=0.78 / height, wspace=0.12, hspace=0.85)
    for column, parameter in enumerate(parameters):
        axes = panels[column]
        true = None if truth is None else truth.get(parameter.name)
        marginal = None if prior is None else PriorMarginal(prior, column)
        _curves(axes, list(posteriors.values()), column, marginal, true)
        if true is not None:
            axes.axvline(true, color=VERMILLION, linewidth=1.6, linestyle="--", zorder=1)
        axes.set_title(readable_name(parameter), fontsize=9, loc="left", pad=4)
        axes.set_xlabel(axis_label(parameter), labelpad=2)
        axes.locator_params(axis="x", nbins=5)
    for unused in panels[len(parameters) :]:
        unused.remove()
    handles = [
        Line2D([], [], color=color, linewidth=2, label=name) for name, color in zip(posteriors, COLORS, strict=False)
    ]
    if prior is not None:
        handles.append(Line2D([], [], color=FAINT, linewidth=1.4, linestyle="--", label="prior"))
    if truth is not None:
        handles.append(Line2D([], [], color=VERMILLION, linewidth=1.6, linestyle="--", label="truth"))
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), borderaxespad=0.2)
    return figure


def _curves(
    axes: Axes, posteriors: list[Posterior], column: int, marginal: PriorMarginal | None, true: float | None
) -> None:
    """One parameter's panel."""
    marks = [mark for posterior in posteriors for mark in _quantiles(posterior, column, (OUTSIDE, 1 - OUTSIDE))]
    marks += [float(posterior.mode[column]) for posterior in posteriors] + ([] if true is None else [true])
    lower, upper = min(marks), max(marks)
    border = 0.06 * (upper - lower) or max(1e-6, 0.05 * abs(lower))
    values = np.linspace(lower - border, upper + border, NUM_VALUES)
    tops = []
    for posterior, color in zip(posteriors, COLORS, strict=False):
        density = _smooth(posterior, column, values)
        tops.append(float(density.max()))
        axes.plot(values, density, color=color, linewidth=1.6)
        axes.fill_between(values, density, color=color, alpha=0.10, linewidth=0)
    if marginal is not None:
        axes.plot(values, marginal.density(values), color=FAINT, linewidth=1.4, linestyle="--", zorder=1)
    top = 1.12 * max(tops)
    for number, (posterior, color) in enumerate(zip(posteriors, COLORS, strict=False)):
        foot = -0.05 * (number + 1) * top
        axes.plot([*_quantiles(posterior, column, (0.025, 0.975))], [foot, foot], color=color, linewidth=1.8)
        axes.plot(posterior.mode[column], foot, marker="o", markersize=3.4, color=color)
    axes.set(xlim=(values[0], values[-1]), ylim=(-0.05 * (len(posteriors) + 1) * top, top), yticks=[])
    axes.spines["left"].set_visible(False)


def _quantiles(posterior: Posterior, column: int, levels: tuple[float, ...]) -> np.ndarray:
    order = np.argsort(posterior.samples[:, column])
    cumulative = np.cumsum(posterior.weights[order]) - posterior.weights[order] / 2
    return np.interp(levels, cumulative, posterior.samples[order, column])


def _smooth(posterior: Posterior, column: int, values: np.ndarray) -> np.ndarray:
    """Kernel density estimate with Silverman's width, for the effective number of samples, (num_values,)."""
    samples, deviation = posterior.samples[:, column], posterior.standard_deviation[column]
    width = 1.06 * (deviation or 1e-9) * posterior.effective_sample_size**-0.2
    kernels = np.exp(-0.5 * ((values[:, None] - samples) / width) ** 2)
    return kernels @ posterior.weights / (width * np.sqrt(2 * np.pi))
