r"""Posterior predictive checks: would the fitted model have drawn what was observed?

Observations are replicated from posterior samples, and the observed one is ranked among them by a few statistics. A
p-value near zero says that the model doesn't make such observations, whichever parameters the posterior believes in.
Replicates come from the posterior that has seen the data, so p-values of a true model lie nearer to one half than
uniform ones would: an extreme one means more than its number says, an unremarkable one less.

Source: Gelman, Meng & Stern, Statistica Sinica 6 (1996).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import InputError, Posterior, dice
from gliocast.problem.problem import Problem
from gliocast.problem.visits import require_posterior_of

#: Replicates below this number give p-values in too coarse steps [1].
_MIN_REPLICATES = 20

#: Observations held at a time.
_CHUNK = 8


@dataclass(frozen=True, eq=False)
class PredictiveStatistic:
    """One statistic of what was observed, among those of replicates.

    Args:
        name: of the statistic.
        unit: of its values.
        observed: its value for the observation.
        replicated: (num_replicates,), its values for replicates.
        p_value: share of values at least as extreme as the observed one, which is counted in.
    """

    name: str
    unit: str
    observed: float
    replicated: np.ndarray
    p_value: float


def predictive_check(
    problem: Problem,
    posterior: Posterior,
    *,
    generator: np.random.Generator,
    num_replicates: int = 200,
    names: Sequence[str] = ("core", "whole"),
) -> tuple[PredictiveStatistic, ...]:
    """Volumes and shapes of outlines, and uptake of PET, ranked among replicates.

    Of each outline the volume (two-sided p), and its Dice with the typical outline (one-sided: low where the observed
    shape is stranger than replicates are). An image after the outlines, like PET, gives its total (two-sided) and its
    correlation with the typical image (one-sided). What is typical is said by as many further replicates, so that it
    knows those that are ranked no better than the observed one. An outline that neither observation nor replicates have
    is left out.

    Args:
        problem: whose observation has channels, (num_channels, x, y, z), outlines first.
        posterior: its solution.
        generator: source of randomness.
        num_replicates: how many observations to rank the observed one among.
        names: of the channels that are outlines; all others are images.

    Raises:
        InputError: too few replicates, an observation without channels, a posterior of another problem.
    """
    observed = np.asarray(problem.observed, dtype=np.float32)
    if num_replicates < _MIN_REPLICATES or observed.ndim != 4 or len(observed) < len(names):
        raise InputError(
            "predictive check",
            expected=f"{_MIN_REPLICATES} replicates or more, and channels for {', '.join(names)}",
            got=f"{num_replicates}, and an observation of shape {observed.shape}",
            advice="draw 200 of a problem with outlines",
        )
    require_posterior_of(problem.parameters, posterior)
    points = generator.permuted(posterior.drawn(2 * num_replicates), axis=0)
    total = np.zeros(observed.shape)
    for chunk in _replicates(problem, points[:num_replicates], generator):
        total += chunk.sum(axis=0)
    typical = total / num_replicates
    ml, num_outlines = problem.anatomy.grid.voxel_volume / 1000, len(names)
    rows = [
        _measure(replicate, typical, num_outlines, ml)
        for chunk in _replicates(problem, points[num_replicates:], generator)
        for replicate in chunk
    ]
    return _rank(_measure(observed, typical, num_outlines, ml), np.array(rows), names)


def _replicates(problem: Problem, points: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Observations drawn at each point, a few at a time because they are large."""
    for first in range(0, len(points), _CHUNK):
        yield problem.simulate(points[first : first + _CHUNK], generator)


def _measure(seen: np.ndarray, typical: np.ndarray, num_outlines: int, ml: float) -> np.ndarray:
    """Size [ml] and likeness [1] of each channel, (num_channels, 2)."""
    likeness = [
        dice(channel > 0.5, usual > 0.5) if n < num_outlines else _correlation(channel, usual)
        for n, (channel, usual) in enumerate(zip(seen, typical, strict=True))
    ]
    return np.stack([seen.sum(axis=(1, 2, 3), dtype=float) * ml, likeness], axis=1)


def _rank(observed: np.ndarray, replicated: np.ndarray, names: Sequence[str]) -> tuple[PredictiveStatistic, ...]:
    """Statistics of measures, (num_channels, 2) and (num_replicates, num_channels, 2)."""
    statistics = []
    for channel, (size, likeness) in enumerate(observed):
        outline = channel < len(names)
        name = names[channel] if outline else f"image {channel - len(names) + 1}"
        sizes, alike = replicated[:, channel].T
        if outline and size == 0 and not sizes.any():
            continue
        words = ("volume", "Dice") if outline else ("total", "correlation")
        statistics += [
            PredictiveStatistic(f"{name} {words[0]}", "ml", float(size), sizes, _two_sided(size, sizes)),
            PredictiveStatistic(f"{name} {words[1]}", "1", float(likeness), alike, _low(likeness, alike)),
        ]
    return tuple(statistics)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two images; zero where one of them is constant."""
    x, y = a.ravel() - a.mean(), b.ravel() - b.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale > 0 else 0.0


def _low(value: float, replicated: np.ndarray) -> float:
    """Share of values at most as high as the observed one, which is counted in."""
    return float((1 + np.count_nonzero(replicated <= value)) / (1 + len(replicated)))


def _two_sided(value: float, replicated: np.ndarray) -> float:
    """Twice the smaller of the shares below and above, at most one."""
    return min(1.0, 2 * min(_low(value, replicated), _low(-value, -replicated)))
