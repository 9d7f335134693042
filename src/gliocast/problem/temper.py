"""What voxels count, found together with the mode: residuals need a fit, and a fit needs weights.

So the first fit has the weights that were stated. From there the search climbs to where the observation is likeliest
with every voxel counting once, and the errors of the scans follow it: the width of an outline's step is the likeliest.
What is left there is what the model can't explain, and how that is correlated tells what a voxel counts (magnitude
adjustment of a composite likelihood at its maximum; see `gliocast.observation.tempering`). Where the prior still held a
fit back, residuals would be the prior's, correlated all over the outline, and voxels would count far too little. With
these weights the search goes on, from there and from the first fit, and weighs anew until mode and weights agree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import InputError, Posterior
from gliocast.inference import CMAOptions, GaussNewtonOptions, Mode
from gliocast.problem.climb import SETTLED, Climb, Manner, climb, has_settled
from gliocast.problem.problem import Problem
from gliocast.problem.residuals import sharpened, weighed


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
    tolerance: float = SETTLED
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
    options = options or TemperingOptions()
    here = climb(problem, start, Manner(spread, generator, options.search, progress))
    if not problem.weighs_by_residuals:
        return Tempered(here.near, here.mode, {})
    rounds = _sharpen(problem, here, options)
    figures = _weigh(problem, here, options)
    counts = {"tempering_rounds": float(rounds), "tempering_evaluations": float(here.num_evaluations)}
    return Tempered(here.near, here.mode, {**figures, **counts, **here.counts()})


def _sharpen(problem: Problem, here: Climb, options: TemperingOptions) -> int:
    """Follow the mode with every voxel counting once and the likeliest errors, until it settles; the rounds it took."""
    for number in range(1, options.max_rounds + 1):
        before = here.mode.point
        here.follow(problem.reading(sharpened(here.near, here.mode).observation))
        if has_settled(problem, here.mode.point, before, options.tolerance):
            return number
    return options.max_rounds


def _weigh(problem: Problem, here: Climb, options: TemperingOptions) -> dict[str, float]:
    """Weigh voxels and follow the mode until both agree; ``effective_observations`` and weights."""
    before, figures = np.inf, {"effective_observations": 0.0}
    for number in range(options.max_rounds):
        seen, figures = weighed(here.near, here.mode)
        here.follow(problem.reading(seen.observation))
        if number == 0:
            here.reconsider()
        effective = figures["effective_observations"]
        if abs(effective - before) < options.steadiness * effective:
            break
        before = effective
    return figures
