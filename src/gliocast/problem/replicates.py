r"""Posterior predictive checks: would the fitted model have drawn what was observed?

Observations are replicated from posterior samples, and the observed one is ranked among them by a few statistics. A
p-value near zero says that the model doesn't make such observations, whichever parameters the posterior believes in.
Replicates come from the posterior that has seen the data, so p-values of a true model lie nearer to one half than
uniform ones would: an extreme one means more than its number says, an unremarkable one less.

Source: Gelman, Meng & Stern, Statistica Sinica 6 (1996).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import Grid, InputError, dice
from gliocast.problem.grown import GrownSamples
from gliocast.problem.maps import interpolated
from gliocast.problem.problem import Problem

#: What lies in one of these tails of the replicates is something that the model doesn't draw [1].
_TAIL = 0.025

#: The fewest replicates of which the most extreme one lies in a tail; a replicate costs some 30 ms at 2 mm.
NUM_REPLICATES = 40


@dataclass(frozen=True, eq=False)
class PredictiveStatistic:
    """One statistic of what was observed, among those of replicates.

    Args:
        name: of the statistic.
        unit: of its values.
        observed: its value for the observation.
        replicated: (num_replicates,), its values for replicates.
        two_sided: whether too high a value is as strange as too low a one.
    """

    name: str
    unit: str
    observed: float
    replicated: np.ndarray
    two_sided: bool

    @property
    def p_value(self) -> float:
        """Share of values at least as extreme as the observed one, which is counted in [1]."""
        low = _share_up_to(self.observed, self.replicated)
        return min(1.0, 2 * min(low, _share_up_to(-self.observed, -self.replicated))) if self.two_sided else low

    @property
    def surprising(self) -> bool:
        """Whether the observed value lies outside of the central 95 % of replicates, to a side that matters."""
        return self.p_value < (2 * _TAIL if self.two_sided else _TAIL)

    @property
    def median(self) -> float:
        """Of the replicates."""
        return float(np.median(self.replicated))

    @property
    def interval(self) -> tuple[float, float]:
        """Central 95 % of the replicates, counted as p-values are."""
        low, high = np.quantile(self.replicated, [_TAIL, 1 - _TAIL], method="weibull")
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """What was observed among what the fitted model draws.

    Args:
        statistics: the observed one among replicates.
        shares: of the replicates that label each voxel, by outline, on the inference grid [1].
        grid: where that is.
    """

    statistics: tuple[PredictiveStatistic, ...]
    shares: dict[str, np.ndarray]
    grid: Grid

    def shares_on(self, grid: Grid) -> dict[str, np.ndarray]:
        """The same shares, interpolated onto another grid, float32."""
        return {name: interpolated(share, self.grid, grid) for name, share in self.shares.items()}

    def sentences(self) -> tuple[str, ...]:
        """What a reader must know: one that names what the model doesn't draw, none where there is nothing."""
        found = [
            f"{s.name} {s.observed:.3g}{'' if s.unit == '1' else ' ' + s.unit}, "
            f"of 95 % of replicates {s.interval[0]:.3g} to {s.interval[1]:.3g}"
            for s in self.statistics
            if s.surprising
        ]
        return (f"the fitted model doesn't draw such a tumor: {'; '.join(found)}",) if found else ()


def predictive_check(
    problem: Problem,
    grown: GrownSamples,
    *,
    generator: np.random.Generator,
    num_replicates: int = NUM_REPLICATES,
    names: Sequence[str] = ("core", "whole"),
) -> PredictiveCheck:
    """Volumes and shapes of outlines, and uptake of PET, ranked among replicates.

    Of each outline the volume (two-sided p), and its Dice with the typical outline (one-sided: low where the observed
    shape is stranger than replicates are). An image after the outlines, like PET, gives its total (two-sided) and its
    correlation with the typical image (one-sided). What is typical of a replicate is said by those of all other
    samples, so that it knows those that are ranked no better than the observed one. An outline that neither observation
    nor replicates have is left out.

    Args:
        problem: whose observation has channels, (num_channels, x, y, z), outlines first.
        grown: samples of its posterior; each is seen several times where there are fewer than replicates.
        generator: source of randomness.
        num_replicates: how many observations to rank the observed one among; all are held at a time.
        names: of the channels that are outlines; all others are images.

    Raises:
        InputError: too few replicates, an observation without channels.
    """
    observed = np.asarray(problem.observed, dtype=np.float32)
    if num_replicates < NUM_REPLICATES or observed.ndim != 4 or len(observed) < len(names):
        raise InputError(
            "predictive check",
            expected=f"{NUM_REPLICATES} replicates or more, and channels for {', '.join(names)}",
            got=f"{num_replicates}, and an observation of shape {observed.shape}",
            advice="draw as many of a problem with outlines",
        )
    rows = np.resize(generator.permutation(len(grown.points)), num_replicates)
    replicates = problem.draw(grown.points[rows], [grown.densities[row] for row in rows], generator)
    total = replicates.sum(axis=0, dtype=np.float64)
    ml, num_outlines = problem.anatomy.grid.voxel_ml, len(names)
    measured = []
    for row, replicate in zip(rows, replicates, strict=True):
        same = replicates[rows == row]
        others = (total - same.sum(axis=0, dtype=np.float64)) / max(num_replicates - len(same), 1)
        measured.append(_measure(replicate, others, num_outlines, ml))
    typical = total / num_replicates
    ranked = _rank(_measure(observed, typical, num_outlines, ml), np.array(measured), names)
    shares = {name: share for name, share in zip(names, typical, strict=False) if share.any()}
    return PredictiveCheck(ranked, shares, problem.anatomy.grid)


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
        words = ("volume", "Dice with the typical outline") if outline else ("total", "correlation with the typical")
        statistics += [
            PredictiveStatistic(f"{name} {words[0]}", "ml", float(size), sizes, two_sided=True),
            PredictiveStatistic(f"{name} {words[1]}", "1", float(likeness), alike, two_sided=False),
        ]
    return tuple(statistics)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two images; zero where one of them is constant."""
    x, y = a.ravel() - a.mean(), b.ravel() - b.mean()
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale > 0 else 0.0


def _share_up_to(value: float, replicated: np.ndarray) -> float:
    """Share of values at most as high as the observed one, which is counted in."""
    return float((1 + np.count_nonzero(replicated <= value)) / (1 + len(replicated)))
