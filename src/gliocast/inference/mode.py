"""The posterior mode, by the quickest search that a target allows."""

from collections.abc import Callable
from typing import TypeGuard

import numpy as np

from gliocast.core import ConvergenceError, InputError, LinearizableTarget, Target
from gliocast.inference.cma import CMAOptions, Mode, cma_search
from gliocast.inference.gauss_newton import GaussNewtonOptions, gauss_newton


def is_linearizable(target: Target) -> TypeGuard[LinearizableTarget]:
    """Whether a target offers features: it has the method, and its property `linearizable`, if any, doesn't deny it."""
    return callable(getattr(target, "features", None)) and bool(getattr(target, "linearizable", True))


def find_mode(
    target: Target,
    *,
    start: np.ndarray,
    spread: np.ndarray,
    generator: np.random.Generator,
    information: np.ndarray | None = None,
    options: GaussNewtonOptions | CMAOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Mode:
    """The posterior mode by Gauss-Newton steps; by CMA-ES where the target has no features or the steps lead nowhere.

    Args:
        target: the posterior.
        start: first guess, natural units, (num_parameters,).
        spread: initial standard deviations of the search, straightened coordinates, (num_parameters,).
        generator: source of randomness.
        information: of an earlier Mode at the start, where there is one; see `gauss_newton`.
        options: which search, and how; by default Gauss-Newton where the target has features.
        progress: called with the fraction of the expected work that is done.

    Returns:
        The mode; its `method` says which search found it.

    Raises:
        InputError: the posterior vanishes all around the start, or Gauss-Newton steps were asked of a target without
            features.
        ConvergenceError: neither search converged.
    """
    if isinstance(options, CMAOptions) or (options is None and not is_linearizable(target)):
        return cma_search(target, start=start, spread=spread, generator=generator, options=options, progress=progress)
    if not is_linearizable(target):
        raise InputError(
            "search", expected="a target with features", got=type(target).__name__, advice="search by CMA-ES"
        )
    try:
        return gauss_newton(
            target,
            start=start,
            spread=spread,
            generator=generator,
            information=information,
            options=options,
            progress=progress,
        )
    except ConvergenceError:
        return cma_search(target, start=start, spread=spread, generator=generator, progress=progress)
