r"""Search for the posterior mode by Gauss-Newton steps with sensitivities of the forward model.

A target's features phi and residuals z (see `LinearizableTarget`) give, over coordinates w in which the prior is about
the standard normal,

.. math:: g = J^T z + \nabla \log p(w), \qquad F = J^T J - \nabla^2 \log p(w), \qquad J = \partial \phi / \partial w

and a step (F + lambda diag F)^{-1} g. J is taken by differences over steps at the scale of the posterior: all points of
a linearization are one batch, and a handful of parameters cost no more than one adjoint sweep, which would give the
gradient alone. lambda follows the log-posterior itself, of which several candidates are tried at a time.

Source: Levenberg, Q. Appl. Math. 2 (1944); Marquardt, SIAM J. Appl. Math. 11 (1963); Nocedal & Wright, Numerical
Optimization (2006), Chapter 10. Departures: Fisher scoring (expected information of a Bernoulli likelihood) in place of
least squares, and candidates that go beyond the full step, because a residual that has saturated looks closer than it
is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from gliocast.core import ConvergenceError, InputError, LinearizableTarget, Target
from gliocast.inference.cma import Mode, log_posterior
from gliocast.inference.prior import bend, straighten

Differences = Literal["central", "forward"]

#: Candidates of a step: factors on the damping, and on the length of the step that results [1].
_DAMPING_FACTORS, _LENGTH_FACTORS = (0.0, 1.0, 1.0, 30.0), (1.0, 1.0, 3.0, 1.0)

#: Length of differences, in standard deviations of the posterior, and at most, in those of the prior [1].
_STEP, _MAX_STEP = 0.5, 0.3

#: Posterior standard deviation that the first differences suppose, in those of the prior [1].
_FIRST_STEP = 0.1

#: Step for differences of the log-prior, whitened coordinates [1]; its curvature is at least the second number.
_PRIOR_STEP, _LEAST_CURVATURE = 1e-3, 1e-3


@dataclass(frozen=True)
class GaussNewtonOptions:
    """How to search.

    Args:
        differences: "central" takes two solves per parameter, "forward" one.
        tolerance: stop when the next step promises less than this [nat].
        max_iterations: give up after this many linearizations.
        num_starts: points drawn around the start, the best of which is where the search begins; 0 for the start alone.
        step: of the differences, in standard deviations of the posterior, ...
        max_step: ... but at most this along any parameter, in standard deviations of the prior.
        max_move: longest step along any parameter, in standard deviations of the prior.
        max_attempts: batches of candidates that are tried per linearization.
    """

    differences: Differences = "central"
    tolerance: float = 0.01
    max_iterations: int = 40
    num_starts: int = 14
    step: float = _STEP
    max_step: float = _MAX_STEP
    max_move: float = 1.0
    max_attempts: int = 4

    def __post_init__(self) -> None:
        positive = min(self.tolerance, self.step, self.max_step, self.max_move) > 0
        counts = min(self.max_iterations, self.max_attempts) > 0 and self.num_starts >= 0
        if self.differences not in get_args(Differences) or not (positive and counts):
            raise InputError(
                "search",
                expected="central or forward differences, positive lengths and counts",
                got=f"{self}",
                advice="use the defaults",
            )


@dataclass(frozen=True, eq=False)
class Linearization:
    """A target around a point, in coordinates in which the prior is about the standard normal.

    Args:
        jacobian: d phi / d w, (num_parameters, num_features).
        residuals: z at the point, (num_features,).
        num_evaluations: how many points were evaluated.
    """

    jacobian: np.ndarray
    residuals: np.ndarray
    num_evaluations: int

    @property
    def information(self) -> np.ndarray:
        """J^T J, (num_parameters, num_parameters)."""
        return self.jacobian @ self.jacobian.T

    @property
    def covariance(self) -> np.ndarray:
        """(J^T J + I)^{-1}: of the posterior, were it Gaussian, (num_parameters, num_parameters)."""
        return np.linalg.inv(self.information + np.eye(len(self.jacobian)))

    @property
    def score(self) -> np.ndarray:
        """J^T z, the gradient of the log-likelihood, (num_parameters,)."""
        return self.jacobian @ self.residuals


def linearize(
    target: LinearizableTarget,
    point: np.ndarray,
    directions: np.ndarray,
    *,
    differences: Differences = "central",
) -> Linearization:
    """Sensitivities of a target's features at a point in natural units, by differences in one batch.

    Where a difference leaves the region in which the model can be evaluated, the one to the other side is taken; where
    both do, the sensitivity is zero.

    Args:
        target: what is linearized.
        point: natural units, (num_parameters,).
        directions: steps of the differences, one per row, whitened coordinates, (num_parameters, num_parameters).
        differences: to both sides, or to one.

    Raises:
        ConvergenceError: the features can't be evaluated at the point itself.
    """
    here = target.prior.whiten(point[None])
    sides = [directions, -directions] if differences == "central" else [directions]
    phi, z = target.features(np.concatenate([point[None], target.prior.color(here + np.concatenate(sides))]))
    count = len(phi)
    if np.isnan(phi[0]).any() or np.isnan(z[0]).any():
        raise ConvergenceError(
            "fit", expected="a start near the tumor", got=f"nan at {point.tolist()}", advice="check the labels"
        )
    rises = phi[1:].astype(np.float64) - phi[0]
    if differences == "forward" and np.isnan(rises).any():
        back, _ = target.features(target.prior.color(here - directions))
        rises = np.concatenate([rises, np.where(np.isnan(rises), back - phi[0], np.nan)])
        count += len(back)
    rises = rises.reshape(-1, *directions.shape[:1], phi.shape[1])
    rises[1:] *= -1
    known = np.count_nonzero(~np.isnan(rises), axis=0)
    mean = np.nan_to_num(rises).sum(axis=0) / np.maximum(known, 1)
    return Linearization(np.linalg.solve(directions, mean), z[0].astype(np.float64), count)


def difference_directions(information: np.ndarray, *, step: float = _STEP, max_step: float = _MAX_STEP) -> np.ndarray:
    """Steps that are orthogonal in the metric of a posterior and `step` standard deviations long, one per row.

    Along the axes, sensitivities of parameters that trade against each other would have to be exact to far more than a
    percent, lest information appears along the ridge where there is none; orthogonal steps measure the ridge itself.
    Of all orthogonal sets, this one moves the last parameters alone wherever it can: thresholds need no solve.
    """
    factor = np.linalg.cholesky(information[::-1, ::-1])
    directions = step * np.linalg.inv(factor)[::-1, ::-1]
    return directions * np.minimum(1, max_step / np.abs(directions).max(axis=1))[:, None]


def straight_scale(target: Target, point: np.ndarray) -> np.ndarray:
    """Change of each straightened coordinate with its whitened one; parameters are independent in the prior."""
    here = target.prior.whiten(point[None])
    after, before = (
        straighten(target.parameters, target.prior.color(here + h))[0] for h in (_PRIOR_STEP, -_PRIOR_STEP)
    )
    return (after - before) / (2 * _PRIOR_STEP)


def gauss_newton(
    target: LinearizableTarget,
    *,
    start: np.ndarray,
    spread: np.ndarray | None = None,
    generator: np.random.Generator | None = None,
    information: np.ndarray | None = None,
    options: GaussNewtonOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Mode:
    """Maximize the posterior by damped Gauss-Newton steps.

    Args:
        target: the posterior, with features.
        start: first guess, natural units, (num_parameters,).
        spread: standard deviations of the starts around it, straightened coordinates, (num_parameters,).
        generator: draws these starts; without spread or generator the search begins at `start`.
        information: about what the posterior's is there, as a Mode has it; the first differences take their steps from
            it, so a search that begins where another one ended asks for the points that the other one asked for last.
        options: how to search.
        progress: called with the fraction of the expected work that is done.

    Returns:
        The mode, with F^{-1} as its covariance.

    Raises:
        InputError: the posterior vanishes at every start.
        ConvergenceError: the iterations ran out.
    """
    options = options or GaussNewtonOptions()
    search = _Search(target, options, information)
    search.begin(_starts(target, start, spread, generator, options))
    for iteration in range(options.max_iterations):
        if progress is not None:
            progress(min(1.0, iteration / 12))  # searches over seven parameters take 5 to 15 linearizations
        if search.advance():
            return search.mode()
    raise ConvergenceError(
        "fit",
        expected=f"convergence within {options.max_iterations} Gauss-Newton steps",
        got=f"{search.promise:.2g} nat still to be gained",
        advice="search by CMA-ES",
    )


def _starts(
    target: LinearizableTarget,
    start: np.ndarray,
    spread: np.ndarray | None,
    generator: np.random.Generator | None,
    options: GaussNewtonOptions,
) -> np.ndarray:
    """The start, and points scattered around it, natural units."""
    if spread is None or generator is None or options.num_starts == 0:
        return start[None]
    noise = generator.standard_normal((options.num_starts, len(start)))
    scattered = bend(target.parameters, straighten(target.parameters, start[None]) + spread * noise)
    return np.concatenate([start[None], scattered])


class _Search:
    """Where a Gauss-Newton search stands."""

    def __init__(self, target: LinearizableTarget, options: GaussNewtonOptions, information: np.ndarray | None) -> None:
        self._target, self._options = target, options
        dim = len(target.parameters)
        self._information = np.eye(dim) / _FIRST_STEP**2 if information is None else information
        self._damping, self.num_evaluations = 0.1, 0
        self.promise = np.inf

    def begin(self, starts: np.ndarray) -> None:
        """Take the best of some points."""
        values = log_posterior(self._target, starts)
        self.num_evaluations += len(starts)
        best = int(np.argmax(values))
        if not np.isfinite(values[best]):
            raise InputError(
                "fit", expected="a start near the tumor", got="zero likelihood all around it", advice="check the labels"
            )
        self.point, self.value = starts[best], float(values[best])

    def advance(self) -> bool:
        """One linearization and the best step that it leads to; whether the mode is reached."""
        gradient = self._linearize()
        for _ in range(self._options.max_attempts):
            moves = self._moves(gradient)
            self.promise = float(0.5 * gradient @ np.linalg.solve(self._information, gradient))
            if self.promise < self._options.tolerance:
                return True
            points = self._target.prior.color(self._here + moves)
            values = log_posterior(self._target, points)
            self.num_evaluations += len(points)
            best = int(np.argmax(values))
            if values[best] > self.value:
                gain = float(values[best]) - self.value
                self.point, self.value = points[best], float(values[best])
                self._damping = float(np.clip(self._damping * (0.1, 0.3, 0.3, 10.0)[best], 1e-6, 1e6))
                return gain < self._options.tolerance and self.promise < 100 * self._options.tolerance
            self._damping *= 100
        return True  # no step along the gradient leads uphill: the model's own roughness is all that is left

    def mode(self) -> Mode:
        """The best point, and the inverse information there on the straightened axes."""
        scale = straight_scale(self._target, self.point)
        covariance = np.linalg.inv(self._information) * np.outer(scale, scale)
        return Mode(self.point, self.value, covariance, self.num_evaluations, "gauss-newton", self._information)

    @property
    def _here(self) -> np.ndarray:
        return self._target.prior.whiten(self.point[None])

    def _linearize(self) -> np.ndarray:
        """Information anew; returns the gradient."""
        options = self._options
        local = linearize(
            self._target,
            self.point,
            difference_directions(self._information, step=options.step, max_step=options.max_step),
            differences=options.differences,
        )
        self.num_evaluations += local.num_evaluations
        slope, curvature = self._prior_terms()
        self._information = local.information + np.diag(curvature)
        return local.score + slope

    def _moves(self, gradient: np.ndarray) -> np.ndarray:
        """Candidate steps, (num_candidates, num_parameters)."""
        moves = []
        for damping, length in zip(_DAMPING_FACTORS, _LENGTH_FACTORS, strict=True):
            damped = self._information + self._damping * damping * np.diag(np.diag(self._information))
            move = length * np.linalg.solve(damped, gradient)
            moves.append(move * min(1.0, self._options.max_move / np.abs(move).max()))
        return np.array(moves)

    def _prior_terms(self) -> tuple[np.ndarray, np.ndarray]:
        """Slope and negative curvature of the log-prior along each whitened coordinate."""
        here, steps = self._here, _PRIOR_STEP * np.eye(len(self.point))
        middle, after, before = (
            self._target.log_prior(self._target.prior.color(here + offsets)) for offsets in (0 * steps, steps, -steps)
        )
        curvature = (2 * middle - after - before) / _PRIOR_STEP**2
        return (after - before) / (2 * _PRIOR_STEP), np.maximum(curvature, _LEAST_CURVATURE)
