r"""An answer drawn to the outlines of a problem by their surfaces: next to the mode after a few batches of solves.

A likelihood of labels is anything but quadratic: a search for its mode takes hundreds of solves. How far the level sets
of a simulated tumor lie from the outlines (see `gliocast.observation.surface`) is nearly linear in growth, seed and
thresholds, over many voxels, for wide fronts and for narrow ones. So growth is solved at a point and at one neighbor
along each of its parameters, all in one batch, and the step of Gauss and Newton leads to the least displacements. What
the answer says of its own errors holds it where outlines tell little. Further steps need one solve each, for what a
step did tells how sensitivities changed; where one gains little, they are taken anew. Displacements are weighed
robustly, because a second focus must not move the rest.

That moves the answer and makes it no surer: it comes from the same outlines already, and secants find information along
ridges where there is none. Where displacements are left that exact outlines wouldn't have, outlines err, and what they
say in the end counts little beside the answer, which knows of errors. How sure one may be is for a likelihood or a
sampler to say.

Source: Nocedal & Wright, Numerical Optimization (2006), Chapters 10 and 11 (Broyden's update); Huber, Robust Statistics
(1981).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gliocast.anatomy.mobility import is_tissue
from gliocast.core import ConvergenceError, InputError, Posterior
from gliocast.inference import bend, straighten
from gliocast.observation import Crossing, OutlineLikelihood
from gliocast.problem.problem import Problem

#: Variance of what is uniform over a voxel [voxels^2], median of the square of a standard normal number [1].
_UNIFORM, _MEDIAN_SQUARE = 1 / 12, 0.455

#: Largest robust standard deviation of displacements that exact outlines leave [voxels]: 0.37 where they are uniform
#: over a voxel, and 0.39 at most after a match of 50 test tumors. Errors of 0.6 mm leave 0.54 on voxels of 2 mm.
_EXACT = 0.42

#: Displacements of this many standard deviations count less [1]; times that weights follow residuals [1].
_HUBER, _NUM_REWEIGHTINGS = 2.0, 8

#: What a pair of voxels counts [1]: every voxel at a surface is in about three.
_COUNT = 1 / 3

#: So many pairs count as one where outlines err beyond half a voxel [1]. A patch over which a rater's error is the same
#: has 25; the rest is for ridges, along which such errors lead secants astray. With this number intervals cover what
#: they say on digital patients (`validation/coverage.py`), and exact outlines are matched as before.
_PATCH = 1000.0

#: Where a step leaves more than the first share of the displacements, sensitivities are taken anew; where it leaves
#: more than the second, it is taken back [1].
_PROGRESS, _WORSE = 0.8, 1.01

#: Fewest pairs that outlines are known by, and fewest samples that a covariance is known by, for each parameter [1].
_FEWEST_PAIRS, _FEWEST_SAMPLES = 8, 10

#: Longest step, in standard deviations of the answer [1].
_LONGEST_STEP = 2.5

#: Growth isn't linear over a step: this share of its square, and this share of the answer's variance, count as variance
#: where a stride or the shortness of a step is measured [1].
_DOUBT, _KEPT = 0.25, 0.05


@dataclass(frozen=True)
class MatchOptions:
    """How to look.

    Args:
        max_solves: of growth; a step is tried as long as fewer were done.
        tolerance: stop when a step is shorter than this, in standard deviations of what is known after it [1].
        stride: of the differences, in the same.
    """

    max_solves: int = 30
    tolerance: float = 0.3
    stride: float = 0.7

    def __post_init__(self) -> None:
        if self.max_solves < 1 or not (self.tolerance > 0 and self.stride > 0):
            raise InputError("match", expected="positive numbers", got=f"{self}", advice="use the defaults")


def match(
    problem: Problem,
    answer: Posterior,
    *,
    start: np.ndarray | None = None,
    options: MatchOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Posterior:
    """An answer moved to where level sets of the growth pass least beside the outlines of a problem.

    Args:
        problem: of outlines.
        answer: about its parameters, with some ten samples for each of them or more.
        start: where to begin, natural units, (num_parameters,); by default at the answer's mode.
        options: how to look.
        progress: called with the fraction of the expected work that is done.

    Returns:
        The answer, moved along the straightened axes, the less the more outlines err. Its diagnostics gain
        ``evaluations`` and ``displacement_voxels``, the robust standard deviation of the displacements that are left;
        0.37 of exact outlines, where half a voxel is all.

    Raises:
        InputError: the problem isn't one of outlines, these have no border inside tissue, or samples are few.
        ConvergenceError: growth can't begin at the start.
    """
    options = options or MatchOptions()
    looks = _Looks(problem, answer, answer.mode if start is None else start, options)
    tell = progress or (lambda share: None)
    settled = False
    while not settled and looks.num_solves < options.max_solves:
        settled = looks.advance()
        tell(min(1.0, looks.num_solves / options.max_solves))
    tell(1.0)
    point = looks.between()
    samples = point + (straighten(answer.parameters, answer.samples) - looks.mean)
    figures = {"evaluations": float(looks.num_solves), "displacement_voxels": looks.best.deviation}
    return replace(
        answer,
        samples=bend(answer.parameters, samples),
        mode=bend(answer.parameters, point[None])[0],
        diagnostics={**answer.diagnostics, **figures},
        method=f"{answer.method}, drawn to the outlines",
    )


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
        """Mean displacement [voxels]."""
        return float(np.abs(self.displaced).mean())

    @property
    def deviation(self) -> float:
        """Robust standard deviation of the displacements [voxels]."""
        return _deviation(self.displaced)


class _Looks:
    """Where a match stands: the best look so far, and the step from it that is to be tried next."""

    best: _Look
    _step: np.ndarray
    _known: np.ndarray

    def __init__(self, problem: Problem, answer: Posterior, start: np.ndarray, options: MatchOptions) -> None:
        outlines, dim = problem.observation, len(problem.parameters)
        if not isinstance(outlines, OutlineLikelihood):
            raise InputError("match", expected="outlines", got=type(outlines).__name__, advice="search by likelihood")
        if len(answer.samples) < _FEWEST_SAMPLES * dim:
            expected = f"{_FEWEST_SAMPLES * dim} samples or more"
            raise InputError("match", expected=expected, got=f"{len(answer.samples)}", advice="draw more")
        self._problem, self._options = problem, options
        self._surfaces = outlines.surfaces(is_tissue(problem.anatomy))
        sizes = [len(surface.inside) for surface in self._surfaces]
        if sum(sizes) < _FEWEST_PAIRS:
            raise InputError("outlines", expected="a border inside tissue", got="hardly any", advice="check the labels")
        self._member = np.repeat(np.arange(len(sizes)), sizes)
        self._num_growth = dim - len(self._surfaces)
        self.mean, begin = straighten(answer.parameters, np.stack([answer.mode, start]))
        self._covariance = np.cov(straighten(answer.parameters, answer.samples).T, aweights=answer.weights)
        self._precision = np.linalg.inv(self._covariance)
        self.num_solves = 0
        first = self._look(begin, self._covariance)
        if first is None:
            raise ConvergenceError(
                "fit", expected="growth at the answer", got="none", advice="check the tissue maps and the labels"
            )
        self._arrive(first)

    def advance(self) -> bool:
        """Try the step; whether there is no need for another one."""
        step = self._shortened(self._step)
        there = self._look(self.best.point + step)
        if there is None or there.size > _WORSE * self.best.size:
            if self.best.fresh:
                self._step = self._step / 2
                return False
            there = self._look(self.best.point, self._reach())
        elif there.size > _PROGRESS * self.best.size and not self._is_short(step):
            there = self._look(there.point, self._reach())
        assert there is not None  # it was seen a moment ago
        self._arrive(there)
        return self._is_short(self._step)

    def between(self) -> np.ndarray:
        """Where the answer and the best look meet, each as sure as it may be; that look itself of exact outlines.

        Straightened coordinates.
        """
        look = self.best
        excess = look.deviation**2 - _EXACT**2
        if excess <= 0:
            return look.point
        share = look.deviation**2 / (look.deviation**2 + _PATCH * excess)
        step, _ = self._newton(look, share * _robust(look.displaced, look.deviation))
        point = look.point + self._shortened(step)
        grows = self._cross(point[None])[0] is not None
        return point if grows else look.point

    def _arrive(self, look: _Look) -> None:
        """Go on from a look: to the least displacements, as far as its sensitivities tell."""
        weights = np.full(len(look.displaced), _COUNT / _UNIFORM)
        for _ in range(_NUM_REWEIGHTINGS):
            step, _ = self._newton(look, weights)
            left = look.displaced + look.jacobian.T @ step
            weights = _robust(left, _deviation(left))
        _, information = self._newton(look, weights)
        self.best, self._step, self._known = look, step, np.linalg.inv(information) + _KEPT * self._covariance

    def _newton(self, look: _Look, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Step from a look to where answer and displacements, weighed, are least; the information of both together."""
        weighed = look.jacobian * weights
        information = self._precision + weighed @ look.jacobian.T
        pull = self._precision @ (self.mean - look.point) - weighed @ look.displaced
        return np.linalg.solve(information, pull), information

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

    def _reach(self) -> np.ndarray:
        """Covariance that tells how far to look for sensitivities."""
        return self._known + _DOUBT * np.outer(self._step, self._step)

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
        step = point - self.best.point
        along = self._precision @ step
        missed = displaced - self.best.displaced - step @ self.best.jacobian
        return self.best.jacobian + np.outer(along, missed) / (along @ step)

    def _shortened(self, step: np.ndarray) -> np.ndarray:
        """At most the longest step along any coordinate."""
        longest = _LONGEST_STEP * np.sqrt(np.diag(self._covariance))
        return step * min(1.0, float((longest / np.maximum(np.abs(step), 1e-12)).min()))

    def _is_short(self, step: np.ndarray) -> bool:
        """Whether a step is nothing to what is known."""
        return float(step @ np.linalg.solve(self._known, step)) < self._options.tolerance**2


def _robust(displaced: np.ndarray, deviation: float) -> np.ndarray:
    """What pairs count, the less the farther they are displaced beyond a deviation [voxels]."""
    near = np.minimum(1, _HUBER * deviation / np.maximum(np.abs(displaced), 1e-12))
    return np.asarray(_COUNT / deviation**2 * near)


def _deviation(displaced: np.ndarray) -> float:
    """Robust standard deviation of displacements, at least that of half a voxel [voxels]."""
    return max(_UNIFORM, float(np.median(displaced**2)) / _MEDIAN_SQUARE) ** 0.5
