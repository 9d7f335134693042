"""How a search follows the mode of a problem that is read anew time and again: by its own growth, or by a stand-in."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from gliocast.core import ConvergenceError, Density, QualityError
from gliocast.inference import CMAOptions, GaussNewtonOptions, Mode, find_mode
from gliocast.problem.problem import Problem

#: Spread of the searches that go on from a mode, relative to the first [1]: what CMA-ES begins with.
_FURTHER = 0.1

#: Share of the work that is done with the first search [1], and searches that are expected after it.
_FIRST_SHARE, _EXPECTED_SEARCHES = 0.4, 8

#: Times that an expensive growth is solved to correct its stand-in before the first mode counts as found, at most [1];
#: the search by a stand-in is narrower than others by the second; a mode has settled when no whitened coordinate moved
#: by more than the third.
_MAX_STAND_INS, _NARROW, SETTLED = 6, 0.3, 0.02

#: Step to the points next to a first mode where the expensive growth is solved, whitened coordinates [1]; and solves
#: that all this takes at most, with five parameters of growth.
_PROBE, _MOST_SOLVES = 0.03, 20


@dataclass(frozen=True, eq=False)
class Manner:
    """How modes are sought.

    Args:
        spread: initial standard deviations of the first search, straightened coordinates, (num_parameters,).
        generator: source of randomness.
        search: which search; None for Gauss-Newton where the observation has features.
        progress: called with the fraction of the expected work that is done.
    """

    spread: np.ndarray
    generator: np.random.Generator
    search: GaussNewtonOptions | CMAOptions | None = None
    progress: Callable[[float], None] | None = None

    def first(self, problem: Problem, start: np.ndarray, *, narrow: float = 1.0) -> Mode:
        """The mode, looked for all around a guess."""
        return find_mode(
            problem,
            start=start,
            spread=narrow * self.spread,
            generator=self.generator,
            options=self.search,
            progress=lambda share: self.tell(_FIRST_SHARE * share),
        )

    def further(self, problem: Problem, start: np.ndarray, information: np.ndarray | None = None) -> Mode:
        """The mode from a point that is next to it; there is no need to look around."""
        search = self.search
        if problem.linearizable and not isinstance(search, CMAOptions):
            search = replace(search or GaussNewtonOptions(), num_starts=0)
        return find_mode(
            problem,
            start=start,
            spread=_FURTHER * self.spread,
            generator=self.generator,
            information=information,
            options=search,
        )

    def tell(self, share: float) -> None:
        """Of the expected work, the share that is done."""
        if self.progress is not None:
            self.progress(min(1.0, share))


class Climb(Protocol):
    """Where a search stands.

    Attributes:
        near: the problem that is solved, which has the mode.
        mode: the mode.
        num_evaluations: points evaluated so far.
    """

    near: Problem
    mode: Mode
    num_evaluations: int

    def follow(self, problem: Problem) -> None:
        """Go on from the mode to that of a problem with the same growth."""
        ...

    def reconsider(self) -> None:
        """Go back to where the first search led, if that leads higher by now."""
        ...

    def counts(self) -> dict[str, float]:
        """What it took beside evaluations."""
        ...


class DirectClimb:
    """A Climb by a problem's own growth.

    Args:
        problem: as it is read at first.
        start: first guess, natural units, (num_parameters,).
        manner: how modes are sought.
    """

    def __init__(self, problem: Problem, start: np.ndarray, manner: Manner) -> None:
        self.near, self._manner, self._num_searches = problem, manner, 0
        self.mode = manner.first(problem, start)
        self.num_evaluations, self._first = self.mode.num_evaluations, self.mode

    def follow(self, problem: Problem) -> None:
        """Go on from the mode to that of a problem with the same growth."""
        self.near, self.mode = problem, self._further(problem, self.mode)
        self._num_searches += 1
        self._manner.tell(_FIRST_SHARE + (1 - _FIRST_SHARE) * self._num_searches / _EXPECTED_SEARCHES)

    def reconsider(self) -> None:
        """Where every voxel counts once there are many peaks; that of the first search may be higher by now."""
        with suppress(ConvergenceError):
            other = self._further(self.near, self._first)
            if other.log_posterior >= self.mode.log_posterior:
                self.mode = other

    def counts(self) -> dict[str, float]:
        """Nothing: evaluations are all."""
        return {}

    def _further(self, problem: Problem, start: Mode) -> Mode:
        mode = self._manner.further(problem, start.point, start.information)
        self.num_evaluations += mode.num_evaluations
        return mode


class StandInClimb:
    """A Climb by a cheaper growth, corrected by the problem's own wherever the search comes to.

    Every search begins at the best point where the expensive growth is known. The first mode is sought until it
    settles; then the expensive growth is solved a step along each of its parameters, which teaches the stand-in slopes.

    Args:
        problem: as it is read at first; it has a cheaper growth.
        start: first guess, natural units, (num_parameters,).
        manner: how modes are sought.

    Raises:
        QualityError: nothing grows where the search comes to.
    """

    def __init__(self, problem: Problem, start: np.ndarray, manner: Manner) -> None:
        self._manner, self._known = manner, list[tuple[np.ndarray, Density]]()
        self.num_evaluations, self._num_solves = 0, 0
        self._seek(problem, start)
        while self._num_solves < _MAX_STAND_INS and not has_settled(problem, self.mode.point, start):
            start = self.mode.point
            self._seek(problem, start)
        if problem.linearizable:
            here, steps = problem.prior.whiten(self.mode.point[None]), _PROBE * np.eye(len(problem.parameters))
            self._solve(problem, problem.prior.color(here + steps[: len(problem.forward.parameters)]))
            self.follow(problem)

    def follow(self, problem: Problem) -> None:
        """Go on from the mode to that of a problem with the same growth."""
        best = self._anchor(problem, self.mode.point)
        self._arrived(self._manner.further(self.near, best))

    def reconsider(self) -> None:
        """Nothing: every search begins at the best point that is known."""

    def counts(self) -> dict[str, float]:
        """How often the expensive growth was solved."""
        return {"expensive_solves": float(self._num_solves)}

    def _seek(self, problem: Problem, start: np.ndarray) -> None:
        best = self._anchor(problem, start)
        self._arrived(self._manner.first(self.near, best, narrow=_NARROW))

    def _arrived(self, mode: Mode) -> None:
        self.mode, self.num_evaluations = mode, self.num_evaluations + mode.num_evaluations

    def _solve(self, problem: Problem, points: np.ndarray) -> None:
        """Solve the expensive growth and remember it."""
        densities = problem.grow(points)
        self._known += [
            (point, density) for point, density in zip(points, densities, strict=True) if density is not None
        ]
        self._num_solves += len(points)
        self._manner.tell(self._num_solves / _MOST_SOLVES)

    def _anchor(self, problem: Problem, start: np.ndarray) -> np.ndarray:
        """Solve the expensive growth at a point, correct the stand-in; the best point so far, where to go on."""
        self._solve(problem, start[None])
        if not self._known:
            raise QualityError(
                "fit", expected="growth at the point that a search came to", got="none", advice="begin elsewhere"
            )
        seen, prior = problem.observation, problem.prior
        heights = [
            seen.log_likelihood(density, problem.observation_values(point)) + prior.log_density(point[None])[0]
            for point, density in self._known
        ]
        best = int(np.argmax(heights))
        self.near = problem.standing_in([self._known[best], *self._known[:best], *self._known[best + 1 :]])
        return self._known[best][0]


def climb(problem: Problem, start: np.ndarray, manner: Manner) -> Climb:
    """To the mode of a problem, by a stand-in where it has a cheaper growth."""
    return (DirectClimb if problem.cheaper is None else StandInClimb)(problem, start, manner)


def has_settled(problem: Problem, point: np.ndarray, before: np.ndarray, tolerance: float = SETTLED) -> bool:
    """Whether no whitened coordinate moved by more than the tolerance [1]."""
    whitened = problem.prior.whiten(np.stack([point, before]))
    return bool(np.abs(whitened[0] - whitened[1]).max() < tolerance)
