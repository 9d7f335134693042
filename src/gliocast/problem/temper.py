"""What voxels count, found together with the mode: residuals need a fit, and a fit needs weights.

So the first fit has the weights that were stated. From there the search climbs to where the observation is likeliest
with every voxel counting once, and the errors of the scans follow it: the width of an outline's step is the likeliest.
What is left there is what the model can't explain, and how that is correlated tells what a voxel counts (magnitude
adjustment of a composite likelihood at its maximum; see `gliocast.observation.tempering`). Where the prior still held a
fit back, residuals would be the prior's, correlated all over the outline, and voxels would count far too little. With
these weights the search goes on, from there and from the first fit, and weighs anew until mode and weights agree.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import (
    ConvergenceError,
    Density,
    DisplaceableObservation,
    InputError,
    Posterior,
    QualityError,
    TemperableObservation,
)
from gliocast.inference import CMAOptions, GaussNewtonOptions, Mode, find_mode, linearize
from gliocast.inference.gauss_newton import difference_directions, straight_scale
from gliocast.problem.problem import Problem

#: Times that an expensive growth is solved to correct its stand-in, at most, before outlines are sharpened [1]; the
#: first search by a stand-in is narrower than others by this factor.
_MAX_STAND_INS, _NARROW = 6, 0.3

#: Step to the points next to a first mode where the expensive growth is solved, whitened coordinates [1]; and solves
#: that all this takes at most, with five parameters of growth.
_PROBE, _MOST_SOLVES = 0.03, 20

#: Spread of the searches that go on from a mode, relative to the first [1]: what CMA-ES begins with. And the share of
#: the work that is done with the first. Posterior standard deviation that differences suppose where none is known, in
#: those of the prior.
_FURTHER, _FIRST_SHARE, _FIRST_STEP = 0.1, 0.4, 0.1


@dataclass(frozen=True)
class TemperingOptions:
    """How to find what voxels count.

    Args:
        search: how modes are sought; None for Gauss-Newton where the observation has features.
        max_rounds: fits after the first one with every voxel counting once, each with the errors that are likeliest
            after the last; and as many, at most, with weights.
        tolerance: a mode has settled when no whitened coordinate moved by more than this [1].
        steadiness: stop when the effective number of observations changed by less than this share [1]; posterior
            standard deviations then change by half of it.
    """

    search: GaussNewtonOptions | CMAOptions | None = None
    max_rounds: int = 4
    tolerance: float = 0.02
    steadiness: float = 0.1

    def __post_init__(self) -> None:
        if self.max_rounds < 1 or not (0 < self.tolerance < 1 and 0 < self.steadiness < 1):
            raise InputError(
                "tempering",
                expected="at least one round, tolerance and steadiness in (0, 1)",
                got=f"{self}",
                advice="use the defaults",
            )


@dataclass(frozen=True, eq=False)
class Tempered:
    """A problem whose voxels count what the correlation of their residuals leaves them.

    Args:
        problem: the posterior, for any inverse method.
        mode: its mode.
        diagnostics: ``effective_observations``, ``tempering_rounds``, ``tempering_evaluations``, ``expensive_solves``
            where another growth stood in, and what one voxel of each outline counts; empty where the observation has
            no such choice.
    """

    problem: Problem
    mode: Mode
    diagnostics: Mapping[str, float]

    def noted(self, posterior: Posterior) -> Posterior:
        """A posterior of the problem, with what is known of the weights among its diagnostics."""
        return replace(posterior, diagnostics={**posterior.diagnostics, **self.diagnostics})


def temper(
    problem: Problem,
    *,
    start: np.ndarray,
    spread: np.ndarray,
    generator: np.random.Generator,
    options: TemperingOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Tempered:
    """Fit, sharpen until the likeliest errors settle, weigh voxels by the correlation of the residuals, fit again.

    Where the problem has a cheaper growth, that one is fitted, corrected by the expensive one wherever the search comes
    to; the problem that comes back is the corrected one.

    Args:
        problem: the posterior, with provisional weights.
        start: first guess, natural units, (num_parameters,).
        spread: initial standard deviations of the search, straightened coordinates, (num_parameters,).
        generator: source of randomness.
        options: how.
        progress: called with the fraction of the expected work that is done.

    Raises:
        InputError: the posterior vanishes all around the start.
        ConvergenceError: the search didn't converge.
    """
    climb = _Climb(problem, options or TemperingOptions(), spread, generator, progress)
    climb.begin(start)
    if not problem.weighs_by_residuals:
        return Tempered(climb.near, climb.mode, climb.counts())
    climb.sharpen()
    figures = climb.weigh()
    return Tempered(climb.near, climb.mode, {**figures, **climb.counts()})


class _Climb:
    """Where the search stands: the problem as it is read by now, the one solved in its place nearby, and its mode."""

    mode: Mode
    _first: np.ndarray  # where the first search led, if growth is cheap

    def __init__(
        self,
        problem: Problem,
        options: TemperingOptions,
        spread: np.ndarray,
        generator: np.random.Generator,
        progress: Callable[[float], None] | None,
    ) -> None:
        self.problem, self.near = problem, problem
        self._options, self._spread, self._generator, self._progress = options, spread, generator, progress
        self._evaluations, self._rounds, self._solves = 0, 0, 0
        self._known: list[tuple[np.ndarray, Density]] = []

    def begin(self, start: np.ndarray) -> None:
        """The first mode, with the weights that were stated; by stand-ins until it settles."""
        if self.problem.cheaper is None:
            self._seek(start, self._spread, self._options.search, lambda share: self._tell(_FIRST_SHARE * share))
            self._first = self.mode.point
            return
        self._seek(start, _NARROW * self._spread, self._options.search)
        while self._solves < _MAX_STAND_INS and not self._settled(start):
            start = self.mode.point
            self._seek(start, _NARROW * self._spread, self._options.search)
        self._look_around()

    def sharpen(self) -> None:
        """Follow the mode with every voxel counting once and the likeliest errors, until it settles."""
        before = None
        while self._rounds < self._options.max_rounds and (before is None or not self._settled(before)):
            before = self.mode.point
            observation, density = _temperable(self.near), _grown(self.near, self.mode)
            sharp = observation.counting_once().sharpened(density, self.near.observation_values(before))
            self.problem = self.problem.reading(sharp)
            self._follow()
            self._rounds += 1
            self._tell(_FIRST_SHARE + (1 - _FIRST_SHARE) * self._rounds / (self._options.max_rounds + 2))

    def weigh(self) -> dict[str, float]:
        """Weigh voxels and follow the mode until both agree; ``effective_observations`` and weights."""
        before, figures = np.inf, {"effective_observations": 0.0}
        for number in range(self._options.max_rounds):
            seen, figures = weighed(self.near, self.mode)
            self.problem = self.problem.reading(seen.observation)
            self._follow()
            if number == 0 and self.problem.cheaper is None:  # a stand-in begins at the best point that is known
                self._return_to_the_first()
            effective = figures["effective_observations"]
            if abs(effective - before) < self._options.steadiness * effective:
                break
            before = effective
        return figures

    def _return_to_the_first(self) -> None:
        """Where every voxel counts once there are many peaks; the one that the first fit leads to may be higher."""
        followed = self.mode
        with suppress(ConvergenceError):
            self._seek(self._first, _FURTHER * self._spread, self._further)
        if self.mode.log_posterior < followed.log_posterior:
            self.mode = followed

    def counts(self) -> dict[str, float]:
        """What it took."""
        if not self.problem.weighs_by_residuals:
            return {}
        counts = {"tempering_rounds": float(self._rounds), "tempering_evaluations": float(self._evaluations)}
        return counts if self.problem.cheaper is None else {**counts, "expensive_solves": float(self._solves)}

    def _follow(self) -> None:
        self._seek(self.mode.point, _FURTHER * self._spread, self._further)

    @property
    def _further(self) -> GaussNewtonOptions | CMAOptions | None:
        """How a mode is followed: there is no need to look around."""
        search = self._options.search
        if isinstance(search, CMAOptions) or not self.problem.linearizable:
            return search
        return replace(search or GaussNewtonOptions(), num_starts=0)

    def _seek(
        self,
        start: np.ndarray,
        spread: np.ndarray,
        search: GaussNewtonOptions | CMAOptions | None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.near = self.problem
        if self.problem.cheaper is not None:
            start = self._anchor(start)
        self.mode = find_mode(
            self.near, start=start, spread=spread, generator=self._generator, options=search, progress=progress
        )
        self._evaluations += self.mode.num_evaluations

    def _tell(self, share: float) -> None:
        """Of the expected work, the share that is done."""
        if self._progress is not None:
            self._progress(min(1.0, share if self.problem.cheaper is None else self._solves / _MOST_SOLVES))

    def _look_around(self) -> None:
        """Solve the expensive growth next to the mode, a step along each of its parameters, and follow the mode."""
        if not self.problem.linearizable:
            return
        prior, num_growth = self.problem.prior, len(self.problem.forward.parameters)
        here = prior.whiten(self.mode.point[None])
        self._solve(prior.color(here + _PROBE * np.eye(here.size)[:num_growth]))
        self._follow()

    def _solve(self, points: np.ndarray) -> None:
        """Solve the expensive growth and remember it."""
        densities = self.problem.grow(points)
        self._known += [
            (point, density) for point, density in zip(points, densities, strict=True) if density is not None
        ]
        self._solves += len(points)
        self._tell(0.0)

    def _anchor(self, start: np.ndarray) -> np.ndarray:
        """Solve the expensive growth at a point, correct the stand-in; the best point so far, where to go on."""
        self._solve(start[None])
        if not self._known:
            raise QualityError(
                "fit", expected="growth at the point that a search came to", got="none", advice="begin elsewhere"
            )
        seen, prior = self.problem.observation, self.problem.prior
        heights = [
            seen.log_likelihood(density, self.problem.observation_values(point))
            + float(prior.log_density(point[None])[0])
            for point, density in self._known
        ]
        best = int(np.argmax(heights))
        self.near = self.problem.standing_in([self._known[best], *self._known[:best], *self._known[best + 1 :]])
        return self._known[best][0]

    def _settled(self, before: np.ndarray) -> bool:
        whitened = self.problem.prior.whiten(np.stack([self.mode.point, before]))
        return bool(np.abs(whitened[0] - whitened[1]).max() < self._options.tolerance)


def weighed(problem: Problem, mode: Mode) -> tuple[Problem, dict[str, float]]:
    """The same problem with errors as they are at its mode, and voxels that count what correlated residuals leave them.

    Residuals are looked at with the weights that the mode was found with: what a fit took of them depends on these.

    Args:
        problem: whose observation weighs voxels.
        mode: of its posterior.

    Returns:
        The problem; ``effective_observations`` in it, and as ``tempering_*`` what one voxel of each scan counts.

    Raises:
        InputError: the observation model has no such weights.
        ConvergenceError: nothing grows at the mode.
    """
    observation, density = _temperable(problem), _grown(problem, mode)
    seen = observation.sharpened(density, problem.observation_values(mode.point))
    if mode.method == "gauss-newton":
        scale = straight_scale(problem, mode.point)
        information = np.linalg.inv(mode.covariance / np.outer(scale, scale))
    else:  # a covariance without size
        start = np.eye(len(mode.point)) / _FIRST_STEP**2
        information = linearize(problem, mode.point, difference_directions(start)).information + np.eye(len(start))
    local = linearize(problem.reading(seen), mode.point, difference_directions(information))
    tempered, effective = seen.tempered(local.jacobian, local.residuals, local.covariance)
    weights = {f"tempering_{name}": weight for name, weight in tempered.voxel_weights.items()}
    return problem.reading(tempered), {"effective_observations": effective, **weights}


def displaced(problem: Problem, mode: Mode) -> Problem:
    """The same problem, whose simulations err as far as the observation does from what its mode shows.

    A tumor that growth from one focus doesn't describe lies farther from it than a rater errs; a method that learns
    from simulations has to be shown such ones. The likelihood stays as it is.

    Raises:
        InputError: the observation model isn't one of outlines.
        ConvergenceError: nothing grows at the mode.
    """
    if not isinstance(problem.observation, DisplaceableObservation):
        raise InputError(
            "simulations",
            expected="an observation model that learns its errors from a fit",
            got=type(problem.observation).__name__,
            advice="state its errors",
        )
    density = _grown(problem, mode)
    return problem.reading(problem.observation.displaced(density, problem.observation_values(mode.point)))


def _temperable(problem: Problem) -> TemperableObservation:
    if not isinstance(problem.observation, TemperableObservation):
        raise InputError(
            "tempering",
            expected="an observation model that weighs voxels by their residuals",
            got=type(problem.observation).__name__,
            advice="state its weights",
        )
    return problem.observation


def _grown(problem: Problem, mode: Mode) -> Density:
    """Density at a mode; raises ConvergenceError where nothing grows."""
    (density,) = problem.grow(mode.point[None])
    if density is None:
        raise ConvergenceError(
            "fit", expected="growth at the mode", got="none", advice="check the tissue maps around the tumor"
        )
    return density
