"""How much a voxel of each scan counts, told by the residuals of a fit.

Weights that come before any fit know how far errors are correlated from the literature alone. What a fit leaves
unexplained tells it of the scan at hand, and holds the model's own shortcomings, too. So: fit, weigh anew, fit again.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gliocast.core import InputError, OutsideTissueError, Posterior, QualityError
from gliocast.inference import bend, straighten
from gliocast.observation import DoubleLogisticOutline, JointObservation, PETLikelihood
from gliocast.problem.grown import require_posterior_of
from gliocast.problem.problem import Problem

#: From sensitivities (num_parameters, x, y, z) of standardized predictions, standardized residuals (x, y, z), posterior
#: covariance (num_parameters, num_parameters) and spacing [mm] to the share of voxels that count, and how many inform.
Estimator = Callable[[np.ndarray, np.ndarray, np.ndarray, tuple[float, float, float]], tuple[float, float]]

#: Steps of the central differences, in posterior standard deviations [1].
_STEP = 0.5

#: Posterior samples that its covariance is taken from.
_NUM_SAMPLES = 1000


def reweighed(problem: Problem, posterior: Posterior, estimate: Estimator) -> Problem:
    """The same problem with the weights that the residuals at the posterior mode tell.

    Args:
        problem: of a `JointObservation` of the paper's scans.
        posterior: its solution with the weights that it has.
        estimate: of the share of voxels that count.

    Raises:
        InputError: another kind of observation, or a posterior of another problem.
        QualityError: growth can't begin next to the mode.
    """
    observation = problem.observation
    if not isinstance(observation, JointObservation):
        raise InputError(
            "weights", expected="a joint observation", got=type(observation).__name__, advice="put it into one"
        )
    require_posterior_of(problem.parameters, posterior)
    samples = straighten(problem.parameters, posterior.drawn(_NUM_SAMPLES))
    covariance = np.atleast_2d(np.cov(samples.T))
    center = straighten(problem.parameters, posterior.mode[None])
    steps = _STEP * np.diag(np.sqrt(np.diag(covariance)))
    ahead = bend(problem.parameters, np.concatenate([center, center + steps]))
    fields = [_fields(problem, observation, point) for point in ahead]
    back = [_fields(problem, observation, point) for point in bend(problem.parameters, center - steps)]
    weights = []
    for row, (_, residuals) in enumerate(fields[0]):
        pairs = zip(fields[1:], back, np.diag(steps), strict=True)
        sensitivities = np.stack([(up[row][0] - down[row][0]) / (2 * step) for up, down, step in pairs])
        weights.append(estimate(sensitivities, residuals, covariance, problem.anatomy.grid.spacing)[0])
    return Problem(problem.forward, problem.anatomy, observation.weighted(weights), problem.prior)


def _fields(problem: Problem, observation: JointObservation, point: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Stabilized predictions and standardized residuals of each scan, unweighted, on the grid."""
    num_forward = len(problem.forward.parameters)
    try:
        (density,) = problem.forward(point[:num_forward], problem.anatomy, days=[1.0])
    except OutsideTissueError as error:
        raise QualityError(
            "weights", expected="a mode that can be moved a little", got=error.got, advice="fit again"
        ) from error
    fields = []
    for scan, own in zip(observation.scans, observation.parts(point[num_forward:]), strict=True):
        if not isinstance(scan, DoubleLogisticOutline | PETLikelihood):
            raise InputError("weights", expected="scans of voxels", got=type(scan).__name__, advice="leave them out")
        flat = replace(scan, weight=1.0).features(density, own)
        fields.append((_embedded(flat[0], scan.brain), _embedded(flat[1], scan.brain)))
    return fields


def _embedded(features: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Features of the brain's voxels on the grid; what comes after them belongs to no voxel."""
    field = np.zeros(brain.shape)
    field[brain] = features[: np.count_nonzero(brain)]
    return field
