r"""Least squares for a batch of curves at once, in coordinates in which a step of one size means the same everywhere.

Positive parameters are searched for by their logarithm, the others as they are; bounds are a box in these coordinates.
`descend` is Levenberg-Marquardt with projection onto the box, over all rows of a batch together: it ranks the starts
of a fit and refits the draws of a bootstrap, hundreds of which cost less than one fit that calls Python once per
residual.

Source: Marquardt (1963); Kanzow, Yamashita & Fukushima (2004) for the projection.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gliocast.core import Parameter

#: Step of forward differences in search coordinates [1]; the square root of rounding, as these are of order one.
_STEP = 1e-6
#: Damping at the beginning, its least and greatest, and its factors after success and failure [1].
_DAMPING, _DAMPING_RANGE, _EASE, _TIGHTEN = 1e-2, (1e-10, 1e10), 0.2, 5.0
#: A batch has converged when no row's sum of squares falls by more than this share [1].
_TOLERANCE = 1e-7
#: How much a parameter without influence weighs in the normal equations [1].
_RIDGE = 1e-12


@dataclass(frozen=True)
class SearchBox:
    """Coordinates of a law's parameters in which they are searched for, and their bounds.

    Args:
        parameters: with finite supports.
    """

    parameters: tuple[Parameter, ...]

    @property
    def logarithmic(self) -> np.ndarray:
        """Which parameters are searched for by their logarithm: those that can't be zero, bool (num_parameters,)."""
        return np.array([parameter.support.lower > 0 for parameter in self.parameters])

    @property
    def lower(self) -> np.ndarray:
        """Lower bounds as coordinates, (num_parameters,)."""
        return self.coordinates(np.array([parameter.support.lower for parameter in self.parameters]))

    @property
    def upper(self) -> np.ndarray:
        """Upper bounds as coordinates, (num_parameters,)."""
        return self.coordinates(np.array([parameter.support.upper for parameter in self.parameters]))

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Coordinates of values, (..., num_parameters) both."""
        logs = np.log(values, where=self.logarithmic, out=np.zeros(np.shape(values)))
        return np.where(self.logarithmic, logs, values)

    def values(self, coordinates: np.ndarray) -> np.ndarray:
        """Values of coordinates, the inverse of `coordinates`."""
        exponentials = np.exp(coordinates, where=self.logarithmic, out=np.zeros(np.shape(coordinates)))
        return np.where(self.logarithmic, exponentials, coordinates)


def descend(
    residuals: Callable[[np.ndarray], np.ndarray], starts: np.ndarray, box: SearchBox, *, max_steps: int = 40
) -> tuple[np.ndarray, np.ndarray]:
    """Minimize the sum of squares from many starts together.

    Args:
        residuals: coordinates (num_starts, num_parameters) -> residuals (num_starts, num_residuals), row by row.
        starts: coordinates inside the box, (num_starts, num_parameters).
        box: the bounds.
        max_steps: of damping or descent.

    Returns:
        Coordinates (num_starts, num_parameters) and sums of squares (num_starts,).
    """
    lower, upper = box.lower, box.upper
    points = np.clip(starts, lower, upper)
    left = residuals(points)
    costs = np.sum(left**2, axis=-1)
    damping = np.full(len(points), _DAMPING)
    for _ in range(max_steps):
        step = _step(residuals, points, left, damping, lower, upper)
        trials = np.clip(points + step, lower, upper)
        trial_left = residuals(trials)
        trial_costs = np.sum(trial_left**2, axis=-1)
        better = trial_costs < costs
        gain = np.where(better, costs - trial_costs, 0.0)
        stalled = ~better & (damping < _DAMPING / _TOLERANCE)
        points, left = np.where(better[:, None], trials, points), np.where(better[:, None], trial_left, left)
        damping = np.clip(np.where(better, damping * _EASE, damping * _TIGHTEN), *_DAMPING_RANGE)
        finished = gain <= _TOLERANCE * costs + np.finfo(float).tiny
        costs = np.where(better, trial_costs, costs)
        if np.all(finished & ~stalled):
            break
    return points, costs


def _step(
    residuals: Callable[[np.ndarray], np.ndarray],
    points: np.ndarray,
    left: np.ndarray,
    damping: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """Damped Gauss-Newton step; a coordinate on its bound that the slope pushes outward is held."""
    num_parameters = points.shape[-1]
    jacobian = np.empty((*left.shape, num_parameters))
    for column in range(num_parameters):
        moved = points.copy()
        inward = np.where(points[:, column] + _STEP > upper[column], -_STEP, _STEP)
        moved[:, column] += inward
        jacobian[..., column] = (residuals(moved) - left) / inward[:, None]
    slope = np.einsum("bnp,bn->bp", jacobian, left)
    held = ((points <= lower) & (slope > 0)) | ((points >= upper) & (slope < 0))
    jacobian[np.broadcast_to(held[:, None, :], jacobian.shape)] = 0.0
    normal = np.einsum("bnp,bnq->bpq", jacobian, jacobian)
    diagonal = np.einsum("bpp->bp", normal)
    weight = diagonal + _RIDGE * diagonal.max(axis=-1, keepdims=True) + np.finfo(float).tiny
    weight = np.where(held | (diagonal == 0), 1.0, weight)
    matrix = normal + np.einsum("bp,pq->bpq", damping[:, None] * weight, np.eye(num_parameters))
    return -np.linalg.solve(matrix, np.where(held, 0.0, slope)[..., None])[..., 0]
