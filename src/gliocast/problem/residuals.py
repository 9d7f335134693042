"""What residuals at a mode tell of a problem: how sharp its scans are, what their voxels count, how far they err."""

import numpy as np

from gliocast.core import ConvergenceError, Density, DisplaceableObservation, InputError, TemperableObservation
from gliocast.inference import Mode, linearize
from gliocast.inference.gauss_newton import difference_directions
from gliocast.problem.problem import Problem

#: Posterior standard deviation that differences suppose where none is known, in those of the prior [1].
_FIRST_STEP = 0.1


def sharpened(problem: Problem, mode: Mode) -> Problem:
    """The same problem with every voxel counting once, and the errors that make its scans likeliest at a mode.

    Raises:
        InputError: the observation model has no such errors.
        ConvergenceError: nothing grows at the mode.
    """
    observation = _temperable(problem).counting_once()
    return problem.reading(observation.sharpened(_grown(problem, mode), problem.observation_values(mode.point)))


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
    observation = _temperable(problem)
    seen = observation.sharpened(_grown(problem, mode), problem.observation_values(mode.point))
    directions = difference_directions(_information(problem, mode))
    local = linearize(problem.reading(seen), mode.point, directions)
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
    observation = _displaceable(problem)
    return problem.reading(observation.displaced(_grown(problem, mode), problem.observation_values(mode.point)))


def _information(problem: Problem, mode: Mode) -> np.ndarray:
    """Of the posterior at its mode, whitened coordinates, (num_parameters, num_parameters)."""
    if mode.information is not None:
        return mode.information
    # after CMA-ES the covariance has no size
    first = np.eye(len(mode.point)) / _FIRST_STEP**2
    return linearize(problem, mode.point, difference_directions(first)).information + np.eye(len(first))


def _temperable(problem: Problem) -> TemperableObservation:
    if not isinstance(problem.observation, TemperableObservation):
        raise _mute(problem)
    return problem.observation


def _displaceable(problem: Problem) -> DisplaceableObservation:
    if not isinstance(problem.observation, DisplaceableObservation):
        raise _mute(problem)
    return problem.observation


def _mute(problem: Problem) -> InputError:
    return InputError(
        "residuals",
        expected="an observation model that learns from them",
        got=type(problem.observation).__name__,
        advice="state its weights and errors",
    )


def _grown(problem: Problem, mode: Mode) -> Density:
    """Density at a mode; raises ConvergenceError where nothing grows."""
    (density,) = problem.grow(mode.point[None])
    if density is None:
        raise ConvergenceError(
            "fit", expected="growth at the mode", got="none", advice="check the tissue maps around the tumor"
        )
    return density
