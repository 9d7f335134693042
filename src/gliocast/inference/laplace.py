r"""Laplace approximation: a Gaussian around the posterior mode, on the straightened axes.

.. math:: p(\theta \mid y) \approx N(\hat\theta, H^{-1}), \qquad H = -\nabla^2 \log p(\hat\theta \mid y)

The Hessian is taken by central differences at the scale of the posterior itself (steps over which the log-posterior
falls by about half a nat), so it sees the posterior's shape and not the discretization's small steps. All points of a
Hessian go to the target as one batch.

Source: MacKay, Information Theory, Inference, and Learning Algorithms (2003), Chapter 27.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gliocast.core import ConvergenceError, Posterior, Target
from gliocast.inference.cma import CMAOptions, Mode, cma_search, log_posterior
from gliocast.inference.prior import bend, straighten

#: Fall of the log-posterior over a difference step that is aimed at, and the band that is accepted [nat].
_FALL, _FALL_BAND = 0.5, (0.2, 1.5)


@dataclass(frozen=True)
class LaplaceOptions:
    """How to approximate.

    Args:
        num_samples: samples drawn from the Gaussian.
        search: how the mode is sought.
        max_rounds: attempts to find step sizes, and Newton steps from a mode that turned out to be none.
    """

    num_samples: int = 1000
    search: CMAOptions = field(default_factory=CMAOptions)
    max_rounds: int = 8


def laplace(
    target: Target,
    *,
    start: np.ndarray,
    spread: np.ndarray,
    generator: np.random.Generator,
    options: LaplaceOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Posterior:
    """Mode by CMA-ES, then the Gaussian that has the posterior's curvature there.

    Args:
        target: the posterior.
        start: first guess, natural units, (num_parameters,).
        spread: initial standard deviations of the search, straightened coordinates, (num_parameters,).
        generator: source of randomness.
        options: how to approximate.
        progress: called with the fraction of the expected work that is done.

    Raises:
        ConvergenceError: the search didn't converge, or the posterior isn't peaked at its result.
    """
    options = options or LaplaceOptions()
    mode = cma_search(
        target, start=start, spread=spread, generator=generator, options=options.search, progress=progress
    )
    surface = _Surface(target, mode)
    scales = _difference_scales(surface, options.max_rounds)
    covariance = _covariance(surface, scales)
    factor = np.linalg.cholesky(covariance)
    noise = generator.standard_normal((options.num_samples, len(scales)))
    coordinates = surface.center + noise @ factor.T
    log_densities = -0.5 * np.sum(noise**2, axis=1) - np.log(np.diag(factor)).sum()
    return Posterior(
        parameters=target.parameters,
        samples=bend(target.parameters, coordinates),
        weights=np.full(options.num_samples, 1 / options.num_samples),
        log_densities=log_densities,
        mode=bend(target.parameters, surface.center[None])[0],
        diagnostics={
            "log_posterior": surface.height,
            "evaluations": float(mode.num_evaluations + surface.num_evaluations),
        },
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


def _difference_scales(surface: _Surface, max_rounds: int) -> np.ndarray:
    """Step along each axis over which the log-posterior falls by about `_FALL`, (dim,)."""
    dim = len(surface.center)
    scales = np.full(dim, 0.1)
    for _ in range(max_rounds):
        offsets = np.concatenate([np.diag(scales), -np.diag(scales)])
        falls = surface.falls(offsets)
        best = int(np.argmin(falls))
        if falls[best] < 0:
            surface.climb(offsets[best], float(falls[best]))
            continue
        mean = np.where(np.isfinite(falls), falls, 1e3).reshape(2, dim).mean(axis=0)
        if ((mean > _FALL_BAND[0]) & (mean < _FALL_BAND[1])).all():
            break
        scales = scales * np.clip(np.sqrt(_FALL / np.maximum(mean, 1e-9)), 0.1, 10.0)
    return scales


def _covariance(surface: _Surface, scales: np.ndarray) -> np.ndarray:
    """Inverse of the negative Hessian, in straightened coordinates, (dim, dim)."""
    dim = len(scales)
    axes = np.diag(scales)
    pairs = [(a, b) for a in range(dim) for b in range(a)]
    corners = [sa * axes[a] + sb * axes[b] for a, b in pairs for sa, sb in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    falls = surface.falls(np.concatenate([axes, -axes, np.array(corners).reshape(-1, dim)]))
    falls = np.where(np.isfinite(falls), falls, 10.0)
    hessian = np.diag(falls[:dim] + falls[dim : 2 * dim])
    for (a, b), (pp, pm, mp, mm) in zip(pairs, falls[2 * dim :].reshape(-1, 4), strict=True):
        hessian[a, b] = hessian[b, a] = (pp - pm - mp + mm) / 4
    values, vectors = np.linalg.eigh(hessian)
    if values[-1] <= 0:
        raise ConvergenceError(
            "fit", expected="a posterior with a peak", got="none at the mode found", advice="check the segmentation"
        )
    # A direction that looks flat or saddle-like at this scale is held to the width of the steps that were tried.
    values = np.maximum(values, _FALL / 2)
    return (vectors / values) @ vectors.T * np.outer(scales, scales)
