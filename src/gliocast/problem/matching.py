r"""A problem of outlines, approached by their surfaces: next to the mode after a few batches of solves.

A likelihood of labels is anything but quadratic: a search for its mode takes hundreds of solves. How far the level sets
of a simulated tumor lie from the outlines (see `gliocast.observation.surface`) is nearly linear in growth, seed and
thresholds, over many voxels, for wide fronts and for narrow ones. So growth is solved at a point and at one neighbor
along each of its parameters, all in one batch, and the step of Gauss and Newton leads to the least displacements, given
what was believed before. Further steps need one solve each, for what a step did tells how sensitivities changed; where
one gains little, they are taken anew. Some twenty solves lead from a network's answer to where a search by likelihood
comes to.

What displacements have beyond the variance of half a voxel is the error of the model or of the rater; it is estimated
robustly, because a second focus must not move the rest. Neighbors err alike, so pairs of voxels count what the
covariance of scores in blocks of tissue leaves them (magnitude adjustment, as in `gliocast.observation.tempering`).

Displacements say where the mode is, and not how sure that is: what was believed before comes from the same outlines,
and secants find information along ridges where there is none. So a belief moves, but becomes no narrower; how sure one
may be is for what follows, a likelihood or a sampler, to say.

Source: Nocedal & Wright, Numerical Optimization (2006), Chapters 10 and 11 (Broyden's update); Huber, Robust Statistics
(1981); Pauli, Racugno & Ventura, Statistica Sinica 21 (2011).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from gliocast.anatomy.mobility import is_tissue
from gliocast.core import ConvergenceError, InputError, Parameter, Posterior
from gliocast.inference import bend, normal_posterior, straighten
from gliocast.observation import Crossing, OutlineLikelihood
from gliocast.problem.problem import Problem

#: Variance of what is uniform over a voxel, median of the square of a standard normal number [1].
_UNIFORM, _MEDIAN_SQUARE = 1 / 12, 0.455

#: Displacements of this many standard deviations count less; beyond the second [voxels] they say no more.
_HUBER, _FARTHEST = 2.0, 4.0

#: Times that weights follow residuals [1].
_NUM_REWEIGHTINGS = 8

#: What a pair counts at most, for every voxel at a surface is one of about three pairs, and at least [1].
_MOST_COUNT, _LEAST_COUNT = 1 / 3, 0.01

#: Where a step leaves more than the first share of the displacements, sensitivities are taken anew; where it leaves
#: more than the second, it is taken back [1].
_PROGRESS, _WORSE = 0.8, 1.01

#: Fewest pairs that outlines are known by [1].
_FEWEST_PAIRS = 8

#: Longest step, in standard deviations of what was believed before [1].
_LONGEST_STEP = 2.5

#: Growth isn't linear over a step: this share of its square, and this share of the variance before, count as variance
#: where a stride or the shortness of a step is measured [1].
_DOUBT, _KEPT = 0.25, 0.05


@dataclass(frozen=True, eq=False)
class Belief:
    """A normal distribution of straightened coordinates.

    Args:
        mean: (num_parameters,).
        covariance: (num_parameters, num_parameters).
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, posterior: Posterior) -> "Belief":
        """That of a posterior's mode and the scatter of its samples."""
        samples = straighten(posterior.parameters, posterior.samples)
        return cls(
            straighten(posterior.parameters, posterior.mode[None])[0], np.cov(samples.T, aweights=posterior.weights)
        )


@dataclass(frozen=True)
class MatchOptions:
    """How to look.

    Args:
        max_solves: of growth; a step is tried as long as fewer were done.
        tolerance: stop when a step is shorter than this, in standard deviations of the belief that it leads to [1].
        stride: of the differences, in standard deviations of the present belief.
    """

    max_solves: int = 30
    tolerance: float = 0.3
    stride: float = 0.7

    def __post_init__(self) -> None:
        if self.max_solves < 1 or not (self.tolerance > 0 and self.stride > 0):
            raise InputError("match", expected="positive numbers", got=f"{self}", advice="use the defaults")


@dataclass(frozen=True, eq=False)
class Match:
    """What looks at surfaces led to.

    Args:
        parameters: of the problem.
        belief: about them.
        displacement: robust standard deviation of what is left between outlines and level sets [voxels]; 0.29 where
            voxels alone are to blame.
        num_solves: of growth.
    """

    parameters: tuple[Parameter, ...]
    belief: Belief
    displacement: float
    num_solves: int

    def posterior(self, method: str, *, generator: np.random.Generator, num_samples: int) -> Posterior:
        """The belief as a posterior of a method's name."""
        return normal_posterior(
            self.belief.mean,
            self.belief.covariance,
            partial(bend, self.parameters),
            self.parameters,
            method,
            generator=generator,
            num_samples=num_samples,
            diagnostics={"evaluations": float(self.num_solves), "displacement_voxels": self.displacement},
        )


def match(
    problem: Problem,
    before: Belief,
    *,
    options: MatchOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Match:
    """Belief about growth and thresholds, given where the outlines of a problem pass.

    Args:
        problem: of outlines.
        before: what is believed without them.
        options: how to look.
        progress: called with the fraction of the expected work that is done.

    Raises:
        InputError: the problem isn't one of outlines, or these have no border inside tissue.
        ConvergenceError: growth can't begin where it is believed to have begun.
    """
    options = options or MatchOptions()
    looks = _Looks(problem, before, options)
    settled = False
    while not settled and looks.num_solves < options.max_solves:
        settled = looks.advance()
        if progress is not None:
            progress(min(1.0, looks.num_solves / options.max_solves))
    belief, displacement = looks.conclude()
    return Match(problem.parameters, belief, displacement, looks.num_solves)


@dataclass(frozen=True, eq=False)
class _Look:
    """What was seen at a point.

    Args:
        point: straightened coordinates, (num_parameters,).
        displaced: level sets from outlines [voxels], (num_pairs,).
        jacobian: change of these with each coordinate, (num_parameters, num_pairs).
        fresh: whether the sensitivities were taken at this point.
    """

    point: np.ndarray
    displaced: np.ndarray
    jacobian: np.ndarray
    fresh: bool

    @property
    def size(self) -> float:
        """Mean displacement; what lies far away lies no farther [voxels]."""
        return float(np.minimum(np.abs(self.displaced), _FARTHEST).mean())


class _Looks:
    """Where a match stands: the best look so far, and the step from it that is to be tried next."""

    def __init__(self, problem: Problem, before: Belief, options: MatchOptions) -> None:
        outlines = problem.observation
        if not isinstance(outlines, OutlineLikelihood):
            raise InputError("match", expected="outlines", got=type(outlines).__name__, advice="search by likelihood")
        self._problem, self._before, self._options = problem, before, options
        self._surfaces = outlines.surfaces(is_tissue(problem.anatomy))
        sizes = [len(surface.inside) for surface in self._surfaces]
        if sum(sizes) < _FEWEST_PAIRS:
            raise InputError("outlines", expected="a border inside tissue", got="hardly any", advice="check the labels")
        self._precision = np.linalg.inv(before.covariance)
        self._num_growth = len(problem.parameters) - len(self._surfaces)
        self._member = np.repeat(np.arange(len(sizes)), sizes)
        ends = np.cumsum([0, *(surface.block.max(initial=-1) + 1 for surface in self._surfaces)])
        self._block = np.concatenate([s.block + end for s, end in zip(self._surfaces, ends, strict=False)])
        self.num_solves = 0
        first = self._look(before.mean, before.covariance)
        if first is None:
            raise ConvergenceError(
                "fit", expected="growth where it is believed to be", got="none", advice="check tissue and labels"
            )
        self._best: _Look = first
        self._step, self._covariance = self._least_squares(self._best)

    def advance(self) -> bool:
        """Try the step; whether there is no need for another one."""
        point = self._best.point + self._shortened(self._step)
        there = self._look(point)
        if there is None or there.size > _WORSE * self._best.size:
            if self._best.fresh:
                self._step = self._step / 2
                return False
            there = self._look(self._best.point, self._covariance)
        elif there.size > _PROGRESS * self._best.size and not self._is_short(point - self._best.point):
            there = self._look(point, self._covariance)
        assert there is not None
        self._best = there
        self._step, self._covariance = self._least_squares(there)
        return self._is_short(self._step)

    def conclude(self) -> tuple[Belief, float]:
        """The belief that the best look leads to, and the robust standard deviation of the displacements there."""
        step, covariance, deviation = self._weighed(self._best)
        return Belief(self._best.point + self._shortened(step), covariance + self._before.covariance), deviation

    def _look(self, point: np.ndarray, covariance: np.ndarray | None = None) -> _Look | None:
        """What is seen at a point, None where growth can't begin.

        Sensitivities are taken anew where a covariance tells how far to look; else those of the best look are updated.
        """
        strides = np.zeros((0, len(point))) if covariance is None else self._strides(covariance)
        middle, *around = self._cross(np.concatenate([point[None], point + strides]))
        if middle is None:
            return None
        displaced = self._displacements(middle, point)
        if covariance is None:
            jacobian = self._updated(point, displaced)
        else:
            rises = [
                0 * displaced if there is None else self._displacements(there, point) - displaced for there in around
            ]
            jacobian = np.zeros((len(point), len(displaced)))
            jacobian[: self._num_growth] = np.linalg.solve(strides[:, : self._num_growth], np.stack(rises))
        fall = np.concatenate([crossing.fall for crossing in middle])
        for number in range(len(self._surfaces)):
            jacobian[self._num_growth + number] = np.where(self._member == number, -1 / fall, 0)
        return _Look(point, displaced, jacobian, covariance is not None)

    def _strides(self, covariance: np.ndarray) -> np.ndarray:
        """Steps of the differences along the axes of a covariance of growth, one per row; thresholds stay."""
        number = self._num_growth
        variances, axes = np.linalg.eigh(covariance[:number, :number])
        strides = np.zeros((number, len(covariance)))
        strides[:, :number] = self._options.stride * (axes * np.sqrt(variances)).T
        return strides

    def _cross(self, points: np.ndarray) -> list[list[Crossing] | None]:
        """What growth at each point says on each surface, None where it can't begin."""
        self.num_solves += len(points)
        return [
            None if density is None else [surface.cross(density.data) for surface in self._surfaces]
            for density in self._problem.grow(bend(self._problem.parameters, points))
        ]

    def _displacements(self, crossings: Sequence[Crossing], point: np.ndarray) -> np.ndarray:
        """Of the level sets of a point's thresholds [voxels], (num_pairs,)."""
        levels = point[self._num_growth :]
        return np.concatenate([c.displacements(level) for c, level in zip(crossings, levels, strict=True)])

    def _updated(self, point: np.ndarray, displaced: np.ndarray) -> np.ndarray:
        """Sensitivities that explain what the step to a point did (Broyden), (num_parameters, num_pairs)."""
        step = point - self._best.point
        along = self._precision @ step
        missed = displaced - self._best.displaced - step @ self._best.jacobian
        return self._best.jacobian + np.outer(along, missed) / (along @ step)

    def _least_squares(self, look: _Look) -> tuple[np.ndarray, np.ndarray]:
        """Step to the least displacements were every pair to err by itself, and the covariance of the next stride."""
        step, covariance, _ = self._weighed(look, correlated=False)
        return step, covariance + _KEPT * self._before.covariance + _DOUBT * np.outer(step, step)

    def _weighed(self, look: _Look, *, correlated: bool = True) -> tuple[np.ndarray, np.ndarray, float]:
        """Step to the least displacements, covariance there, and robust standard deviation of what is left."""
        pull, count, jacobian = self._precision @ (self._before.mean - look.point), _MOST_COUNT, look.jacobian
        weights, step, deviation = np.full(jacobian.shape[1], 1 / _UNIFORM), np.zeros(len(jacobian)), np.inf
        for _ in range(_NUM_REWEIGHTINGS):
            weighted = jacobian * weights
            information = self._precision + count * weighted @ jacobian.T
            step = np.linalg.solve(information, pull - count * weighted @ look.displaced)
            left = look.displaced + jacobian.T @ step
            deviation = max(_UNIFORM, float(np.median(left**2)) / _MEDIAN_SQUARE) ** 0.5
            weights = np.minimum(1, _HUBER * deviation / np.maximum(np.abs(left), 1e-12)) / deviation**2
            if correlated:
                count = self._count(jacobian * weights, jacobian, left, np.linalg.inv(information))
        return step, np.linalg.inv(self._precision + count * (jacobian * weights) @ jacobian.T), deviation

    def _count(self, weighted: np.ndarray, jacobian: np.ndarray, left: np.ndarray, metric: np.ndarray) -> float:
        """What a pair counts, of what it would if every one erred by itself [1]; a fit absorbs what it can move."""
        scores = np.zeros((self._block.max() + 1, len(weighted)))
        np.add.at(scores, self._block, (weighted * left).T)
        claimed = float(np.sum(metric * (weighted @ jacobian.T)))
        varying = float(np.einsum("bi,ij,bj->", scores, metric, scores))
        blocks = len(np.unique(self._block))
        free = max(blocks - len(weighted), 1) / blocks
        return float(np.clip(free * claimed / max(varying, 1e-12), _LEAST_COUNT, _MOST_COUNT))

    def _shortened(self, step: np.ndarray) -> np.ndarray:
        """At most the longest step along any coordinate."""
        deviations = np.sqrt(np.diag(self._before.covariance))
        return step * min(1.0, float((_LONGEST_STEP * deviations / np.maximum(np.abs(step), 1e-12)).min()))

    def _is_short(self, step: np.ndarray) -> bool:
        """Whether a step is nothing to what is known [1]."""
        kept = self._covariance - _DOUBT * np.outer(self._step, self._step)
        return float(step @ np.linalg.solve(kept, step)) < self._options.tolerance**2
