r"""Laplace approximation: a Gaussian around the posterior mode, on the straightened axes.

.. math:: p(\theta \mid y) \approx N(\hat\theta, H^{-1}), \qquad H = -\nabla^2 \log p(\hat\theta \mid y)

The Hessian is taken by central differences at the scale of the posterior itself (steps over which the log-posterior
falls by about half a nat), so it sees the posterior's shape and not the discretization's small steps. Parameters trade
against each other along narrow ridges, where steps along the axes are far shorter than the ridge and the differences
cancel. So the steps follow the search distribution's axes first, then the Hessian's own: each round whitens with what
the last one found. All points of a round go to the target as one batch.

Source: MacKay, Information Theory, Inference, and Learning Algorithms (2003), Chapter 27.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import ConvergenceError, InputError, Posterior, Target
from gliocast.inference.cma import CMAOptions, Mode, log_posterior
from gliocast.inference.gauss_newton import GaussNewtonOptions
from gliocast.inference.mode import find_mode, is_linearizable
from gliocast.inference.prior import bend, straighten

#: Fall of the log-posterior over a difference step that is aimed at, and the band that is accepted [nat].
_FALL, _FALL_BAND = 0.5, (0.2, 1.5)

#: Attempts at step lengths per round, and the least curvature that a round believes, where one is expected [1].
_MAX_ATTEMPTS, _FLATTEST = 6, 0.05


#: Rounds of differences by default: the search distribution of CMA-ES says less of the peak than sensitivities do.
_NUM_ROUNDS = {"gauss-newton": 1, "cma-es": 3}


@dataclass(frozen=True)
class LaplaceOptions:
    """How to approximate.

    Args:
        num_samples: samples drawn from the Gaussian.
        search: how the mode is sought; None for Gauss-Newton where the target has features and CMA-ES elsewhere.
        num_rounds: how often the Hessian is taken, each time along the axes that the last one found; None for 1 after
            Gauss-Newton and 3 after CMA-ES. 0 believes the information matrix of Gauss-Newton as it is, for forward
            models that take seconds.
    """

    num_samples: int = 1000
    search: GaussNewtonOptions | CMAOptions | None = None
    num_rounds: int | None = None

    def __post_init__(self) -> None:
        blind = self.num_rounds == 0 and isinstance(self.search, CMAOptions)
        if self.num_samples < 1 or (self.num_rounds or 0) < 0 or blind:
            raise InputError(
                "laplace",
                expected="positive counts, and at least one round after CMA-ES",
                got=f"{self}",
                advice="use the defaults",
            )


def laplace(
    target: Target,
    *,
    start: np.ndarray,
    spread: np.ndarray,
    generator: np.random.Generator,
    options: LaplaceOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Posterior:
    """Find the mode, then the Gaussian that has the posterior's curvature there.

    Args:
        target: the posterior.
        start: first guess, natural units, (num_parameters,).
        spread: initial standard deviations of the search, straightened coordinates, (num_parameters,).
        generator: source of randomness.
        options: how to approximate.
        progress: called with the fraction of the expected work that is done.

    Returns:
        Samples and mode; see `laplace_around`. In `diagnostics`, ``fell_back`` says whether Gauss-Newton was tried in
        vain and CMA-ES took its place.

    Raises:
        InputError: the posterior vanishes all around the start.
        ConvergenceError: the search didn't converge, or the log-posterior falls in no direction from its result.
    """
    options = options or LaplaceOptions()
    mode = find_mode(target, start=start, spread=spread, generator=generator, options=options.search, progress=progress)
    posterior = laplace_around(target, mode, generator=generator, options=options)
    tried = not isinstance(options.search, CMAOptions) and is_linearizable(target)
    fell_back = float(tried and mode.method == "cma-es")
    return replace(posterior, diagnostics={**posterior.diagnostics, "fell_back": fell_back})


def laplace_around(
    target: Target, mode: Mode, *, generator: np.random.Generator, options: LaplaceOptions | None = None
) -> Posterior:
    """The Gaussian that has the posterior's curvature at a mode, whichever search found it.

    Args:
        target: the posterior.
        mode: its highest point.
        generator: draws the samples.
        options: how to approximate.

    Returns:
        Samples and mode; `log_evidence` is the Gaussian's, `diagnostics` counts evaluations and, as
        ``flat_directions``, axes along which the posterior is too flat for the approximation to be believed.

    Raises:
        ConvergenceError: the log-posterior falls in no direction from the mode.
    """
    options = options or LaplaceOptions()
    surface = _Surface(target, mode)
    covariance, num_flat = mode.covariance, 0
    usual = _NUM_ROUNDS[mode.method]
    # a search that fell back to CMA-ES knows the peak's shape alone
    least = 0 if mode.method == "gauss-newton" else 1
    for _ in range(max(least, usual if options.num_rounds is None else options.num_rounds)):
        covariance, num_flat = _covariance(surface, _steps(surface, covariance))
    factor = np.linalg.cholesky(covariance)
    noise = generator.standard_normal((options.num_samples, len(covariance)))
    coordinates = surface.center + noise @ factor.T
    log_densities = -0.5 * np.sum(noise**2, axis=1) - np.log(np.diag(factor)).sum()
    volume = 0.5 * len(covariance) * np.log(2 * np.pi) + float(np.log(np.diag(factor)).sum())
    return Posterior(
        parameters=target.parameters,
        samples=bend(target.parameters, coordinates),
        weights=np.full(options.num_samples, 1 / options.num_samples),
        log_densities=log_densities,
        mode=bend(target.parameters, surface.center[None])[0],
        diagnostics={
            "log_posterior": surface.height,
            "evaluations": float(mode.num_evaluations + surface.num_evaluations),
            "flat_directions": float(num_flat),
        },
        method=f"Laplace approximation, mode by {mode.method}",
        log_evidence=surface.height + volume,
    )


class _Surface:
    """The log-posterior over straightened coordinates, seen from its highest known point."""

    def __init__(self, target: Target, mode: Mode) -> None:
        self._target = target
        self.center = straighten(target.parameters, mode.point[None])[0]
        self.height = mode.log_posterior
        self.num_evaluations = 0

    def falls(self, offsets: np.ndarray) -> np.ndarray:
        """How far the log-posterior lies below the center's at center + offsets, (num, dim) -> (num,) [nat]."""
        self.num_evaluations += len(offsets)
        points = bend(self._target.parameters, self.center + offsets)
        return self.height - log_posterior(self._target, points)

    def climb(self, offset: np.ndarray, fall: float) -> None:
        """Move the center to a point that turned out to be higher."""
        self.center, self.height = self.center + offset, self.height - fall


def _steps(surface: _Surface, covariance: np.ndarray) -> np.ndarray:
    """Steps along the principal axes of a covariance, each so long that the log-posterior falls by about `_FALL`.

    Where a step turns out to lead uphill, the center moves there first.

    Returns:
        (dim, dim), a step per row.
    """
    values, vectors = np.linalg.eigh(covariance)
    steps = (vectors * np.sqrt(np.maximum(values, 1e-12 * values[-1]))).T
    for _ in range(_MAX_ATTEMPTS):
        offsets = np.concatenate([steps, -steps])
        falls = surface.falls(offsets)
        best = int(np.argmin(falls))
        if falls[best] < 0:
            surface.climb(offsets[best], float(falls[best]))
            continue
        mean = np.where(np.isfinite(falls), falls, 1e3).reshape(2, -1).mean(axis=0)
        if ((mean > _FALL_BAND[0]) & (mean < _FALL_BAND[1])).all():
            break
        steps = steps * np.clip(np.sqrt(_FALL / np.maximum(mean, 1e-9)), 0.1, 10.0)[:, None]
    return steps


def _covariance(surface: _Surface, steps: np.ndarray) -> tuple[np.ndarray, int]:
    """Inverse of the negative Hessian, from differences over the given steps, straightened coordinates, (dim, dim).

    Also says in how many directions the log-posterior was too flat for a Gaussian to describe it.
    """
    dim = len(steps)
    pairs = [(a, b) for a in range(dim) for b in range(a)]
    corners = [sign * (steps[a] + steps[b]) for a, b in pairs for sign in (1, -1)]
    falls = surface.falls(np.concatenate([steps, -steps, np.array(corners).reshape(-1, dim)]))
    falls = np.where(np.isfinite(falls), falls, 10.0)
    hessian = np.diag(falls[:dim] + falls[dim : 2 * dim])
    for (a, b), both in zip(pairs, falls[2 * dim :].reshape(-1, 2).sum(axis=1), strict=True):
        hessian[a, b] = hessian[b, a] = (both - hessian[a, a] - hessian[b, b]) / 2
    values, vectors = np.linalg.eigh(hessian)
    if values[-1] <= 0:
        raise ConvergenceError(
            "fit", expected="a posterior with a peak", got="none at the mode found", advice="check the segmentation"
        )
    # One round may lengthen an axis to several times the steps that were tried, not to infinity.
    axes = (vectors / np.sqrt(np.maximum(values, _FLATTEST))).T @ steps
    return axes.T @ axes, int(np.count_nonzero(values < _FLATTEST))
