"""What voxels count, found together with the mode: residuals need a fit, and a fit needs weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import ConvergenceError, InputError, Posterior, TemperableObservation
from gliocast.inference import CMAOptions, GaussNewtonOptions, Mode, find_mode
from gliocast.inference.gauss_newton import difference_directions, linearize, straight_scale
from gliocast.problem.problem import Problem

#: Times that an expensive growth is solved to correct its stand-in, at most, before outlines are sharpened and again
#: while they are [1]; the mode has settled when no whitened coordinate moves by more than this; and by which factor
#: such searches are narrower than others.
_MAX_STAND_INS, _SETTLED, _NARROW = 6, 0.02, 0.3


@dataclass(frozen=True)
class TemperingOptions:
    """How to find what voxels count.

    Args:
        search: how modes are sought; None for Gauss-Newton where the observation has features.
        max_rounds: fits after the first one, each with the weights that the residuals of the last leave.
        tolerance: stop when the effective number of observations changed by less than this share [1]; posterior
            standard deviations then change by half of it.
    """

    search: GaussNewtonOptions | CMAOptions | None = None
    max_rounds: int = 4
    tolerance: float = 0.1

    def __post_init__(self) -> None:
        if self.max_rounds < 1 or not 0 < self.tolerance < 1:
            raise InputError(
                "tempering",
                expected="at least one round, and a tolerance in (0, 1)",
                got=f"{self}",
                advice="use the defaults",
            )


@dataclass(frozen=True, eq=False)
class Tempered:
    """A problem whose voxels count what the correlation of their residuals leaves them.

    Args:
        problem: the posterior, for any inverse method.
        mode: its mode.
        diagnostics: ``effective_observations``, ``tempering_rounds``, ``tempering_evaluations`` and what one voxel of
            each outline counts; empty where the observation has no such choice.
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
    """Fit, weigh voxels by the correlation of the residuals, fit again from there, until the weights settle.

    Where the problem has a cheaper growth, that one is fitted, corrected by the expensive one at the mode that it leads
    to, fitted again, until the mode settles; the problem that comes back is the corrected one.

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
    if problem.cheaper is None:
        return _temper(problem, start=start, spread=spread, generator=generator, options=options, progress=progress)
    return _temper_by_stand_ins(problem, start, spread=spread, generator=generator, options=options, progress=progress)


def _temper_by_stand_ins(
    problem: Problem,
    point: np.ndarray,
    *,
    spread: np.ndarray,
    generator: np.random.Generator,
    options: TemperingOptions,
    progress: Callable[[float], None] | None,
) -> Tempered:
    """The same with a cheaper growth, corrected wherever the search comes to.

    At first outlines are read as vaguely as they were stated, since the stand-in is vague itself; once the mode has
    settled, every further stand-in leaves sharper outlines to the next.
    """
    gentle, one_round = _NARROW * spread, replace(options, max_rounds=1)
    solves, found = 0, None
    for sharpening in (False, True):
        for _ in range(_MAX_STAND_INS):
            stand_in = problem.standing_in(point)
            solves += 1
            if sharpening:
                found = _temper(stand_in, start=point, spread=gentle, generator=generator, options=one_round)
                problem, mode = problem.reading(found.problem.observation), found.mode
            else:
                mode = find_mode(stand_in, start=point, spread=gentle, generator=generator, options=options.search)
            moved = problem.prior.whiten(mode.point[None]) - problem.prior.whiten(point[None])
            point = mode.point
            if progress is not None:
                progress(solves / (2 * _MAX_STAND_INS))
            if np.abs(moved).max() < _SETTLED:
                break
    assert found is not None
    return replace(found, diagnostics={**found.diagnostics, "expensive_solves": float(solves)})


def _temper(
    problem: Problem,
    *,
    start: np.ndarray,
    spread: np.ndarray,
    generator: np.random.Generator,
    options: TemperingOptions,
    progress: Callable[[float], None] | None = None,
) -> Tempered:
    """The same with the problem's own growth."""
    mode = find_mode(
        problem, start=start, spread=spread, generator=generator, options=options.search, progress=progress
    )
    if not problem.weighs_by_residuals:
        return Tempered(problem, mode, {})
    evaluations, effective, num_rounds = mode.num_evaluations, 0.0, 0
    while num_rounds < options.max_rounds:
        problem, figures = weighed(problem, mode)
        mode = find_mode(problem, start=mode.point, spread=0.1 * spread, generator=generator, options=options.search)
        evaluations, num_rounds = evaluations + mode.num_evaluations, num_rounds + 1
        before, effective = effective, figures["effective_observations"]
        if abs(effective - before) < options.tolerance * effective:
            break
    counts = {"tempering_rounds": float(num_rounds), "tempering_evaluations": float(evaluations)}
    return Tempered(problem, mode, {**figures, **counts})


def weighed(problem: Problem, mode: Mode) -> tuple[Problem, dict[str, float]]:
    """The same problem with outlines as sharp as they are at its mode, and voxels that count accordingly.

    What a voxel counts is what the correlation of the residuals at the mode leaves it.

    Args:
        problem: whose observation weighs voxels.
        mode: of its posterior.

    Returns:
        The problem; ``effective_observations`` in it, and as ``tempering_*`` what one voxel of each scan counts.

    Raises:
        InputError: the observation model has no such weights.
        ConvergenceError: nothing grows at the mode.
    """
    if not isinstance(problem.observation, TemperableObservation):
        raise InputError(
            "tempering",
            expected="an observation model that weighs voxels by their residuals",
            got=type(problem.observation).__name__,
            advice="state its weights",
        )
    (density,) = problem.grow(mode.point[None])
    if density is None:
        raise ConvergenceError(
            "tempering", expected="growth at the mode", got="none", advice="check the tissue maps around the tumor"
        )
    seen = problem.observation.sharpened(density, problem.observation_values(mode.point))
    scale = straight_scale(problem, mode.point)
    information = np.linalg.inv(mode.covariance / np.outer(scale, scale))
    local = linearize(problem.reading(seen), mode.point, difference_directions(information))
    observation, effective = seen.tempered(local.jacobian, local.residuals, local.covariance)
    weights = {f"tempering_{name}": weight for name, weight in observation.voxel_weights.items()}
    return problem.reading(observation), {"effective_observations": effective, **weights}
