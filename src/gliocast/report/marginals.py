"""Marginal posteriors of the parameters."""

import re
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gliocast.core import Parameter, Posterior
from gliocast.report.montage import SCAN_NAMES
from gliocast.report.style import BLUE, PAGE_WIDTH_IN, VERMILLION

NUM_COLUMNS = 4
NUM_BINS = 40
BAND, BARS = "#f3efe2", "#9ec5e6"
GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "kappa": "κ", "lambda": "λ", "rho": "ρ", "sigma": "σ", "tau": "τ"}


def readable_name(parameter: Parameter) -> str:
    """The parameter's name as prose: ``t1c_threshold`` becomes "T1c threshold"."""
    return " ".join(SCAN_NAMES.get(word, word) for word in parameter.name.split("_"))


def symbol_pieces(parameter: Parameter) -> list[tuple[str, bool]]:
    """The parameter's symbol in pieces, each with whether it is an index: ``sqrt(D_w T)`` is √(D, w, " T)"."""
    symbol = re.sub(r"\bsqrt\b", "√", parameter.symbol)
    symbol = re.sub(rf"(?<![A-Za-z])({'|'.join(GREEK)})(?![A-Za-z])", lambda match: GREEK[match[1]], symbol)
    pieces = re.split(r"_\{?(\w+)\}?", symbol)
    return [(piece, k % 2 == 1) for k, piece in enumerate(pieces) if piece]


def readable_unit(parameter: Parameter) -> str:
    """The unit, nothing where there is none."""
    return "" if parameter.unit == "1" else parameter.unit


def has_typical_range(parameter: Parameter) -> bool:
    """Whether a range seen in patients means something: not for a location, which depends on the scanner's frame."""
    return bool(np.isfinite(parameter.typical).all())


def marginals(posterior: Posterior, *, truth: Mapping[str, float] | None = None) -> Figure:
    """A histogram of each parameter with mode, 95 % interval and typical range; the truth where it is known.

    Args:
        posterior: weighted samples.
        truth: true values by parameter name.
    """
    num_parameters = len(posterior.parameters)
    num_rows = -(-num_parameters // NUM_COLUMNS)
    height = 1.75 * num_rows + 0.4
    figure = Figure(figsize=(PAGE_WIDTH_IN, height))
    axes = figure.subplots(num_rows, NUM_COLUMNS, squeeze=False).ravel()
    figure.subplots_adjust(left=0.02, right=0.98, top=1 - 0.26 / height, bottom=0.78 / height, wspace=0.12, hspace=0.85)
    intervals = posterior.interval(0.95)
    for column, parameter in enumerate(posterior.parameters):
        value = None if truth is None else truth.get(parameter.name)
        _marginal(axes[column], posterior, column, intervals[column], value)
    for unused in axes[num_parameters:]:
        unused.remove()
    handles = [
        Patch(color=BARS, label="posterior"),
        Line2D([], [], color=BLUE, linewidth=2, label="mode"),
        Line2D([], [], color="#1b1f24", linewidth=3, label="95 % interval"),
        Patch(color=BAND, label="typical range in patients"),
    ]
    if truth is not None:
        handles.append(Line2D([], [], color=VERMILLION, linewidth=2, linestyle="--", label="truth"))
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), borderaxespad=0.2)
    return figure


def _marginal(axes: Axes, posterior: Posterior, column: int, interval: np.ndarray, truth: float | None) -> None:
    """One parameter's panel."""
    parameter, samples, mode = posterior.parameters[column], posterior.samples[:, column], float(posterior.mode[column])
    # the outermost samples would squeeze everything else together
    marks = [*np.quantile(samples, [0.002, 0.998]), *interval, mode, *([] if truth is None else [truth])]
    lower, upper = min(marks), max(marks)
    pad = 0.06 * (upper - lower) or max(1e-6, 0.05 * abs(mode))
    limits = (lower - pad, upper + pad)
    heights, _, _ = axes.hist(
        samples, bins=NUM_BINS, range=limits, weights=posterior.weights, color=BARS, histtype="stepfilled"
    )
    top = float(np.max(heights)) * 1.15 or 1.0
    if has_typical_range(parameter):
        axes.axvspan(*parameter.typical, color=BAND, zorder=0)
    axes.axvline(mode, color=BLUE, linewidth=2)
    axes.plot(interval, [0, 0], color="#1b1f24", linewidth=5, solid_capstyle="butt", clip_on=False, zorder=6)
    if truth is not None:
        axes.axvline(truth, color=VERMILLION, linewidth=2, linestyle="--")
    axes.set(xlim=limits, ylim=(0, top), yticks=[])
    axes.spines["left"].set_visible(False)
    symbol = "".join(
        f"$_{{\\mathrm{{{piece}}}}}$" if is_index else piece for piece, is_index in symbol_pieces(parameter)
    )
    unit = readable_unit(parameter)
    axes.set_title(readable_name(parameter), fontsize=9, loc="left", pad=4)
    axes.set_xlabel(symbol + (f" [{unit}]" if unit else ""), labelpad=2)
    axes.locator_params(axis="x", nbins=5)
