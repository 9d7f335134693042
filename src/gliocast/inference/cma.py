"""Search for the posterior mode by covariance matrix adaptation (Hansen's CMA-ES).

It needs no gradient, forgives the small steps that a discretized growth model leaves in the posterior, and gets out of
shallow side modes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gliocast.core import ConvergenceError, InputError, Target
from gliocast.inference.prior import bend, straighten


@dataclass(frozen=True)
class CMAOptions:
    """How long and how wide to search.

    Args:
        population: points per generation; one batch of the target.
        patience: stop when this many generations together improved the log-posterior by less than `tolerance`, ...
        tolerance: ... [nat], ...
        agreement: ... and half of a generation lies within this of the best point [nat]: before that, a lucky start
            would end a search that has only begun.
        max_generations: give up after this many.
    """

    population: int = 14
    patience: int = 12
    tolerance: float = 0.01
    agreement: float = 0.1
    max_generations: int = 400

    def __post_init__(self) -> None:
        if self.population < 4 or self.patience < 1 or self.max_generations < 1:
            raise InputError(
                "search",
                expected="a population of at least 4, positive counts",
                got=f"{self}",
                advice="use the defaults",
            )


@dataclass(frozen=True, eq=False)
class Mode:
    """The best point found.

    Args:
        point: natural units, (num_parameters,).
        log_posterior: its unnormalized log-posterior.
        covariance: of the search distribution at the end, straightened coordinates; after CMA-ES it has the shape of
            the posterior's peak, after Gauss-Newton its size too, (num_parameters, num_parameters).
        num_evaluations: how many points were evaluated.
        method: "cma-es" or "gauss-newton".
        information: after Gauss-Newton, J^T J and the prior's curvature where the target was last linearized, in
            coordinates in which the prior is about the standard normal, (num_parameters, num_parameters).
    """

    point: np.ndarray
    log_posterior: float
    covariance: np.ndarray
    num_evaluations: int
    method: str = "cma-es"
    information: np.ndarray | None = None


def log_posterior(target: Target, points: np.ndarray) -> np.ndarray:
    """Unnormalized log-posterior of points in natural units; -inf where it can't be evaluated, never nan."""
    values = target.log_prior(points) + target.log_likelihood(points)
    if np.isnan(values).any():
        point = points[int(np.argmax(np.isnan(values)))]
        raise ConvergenceError(
            "fit",
            expected="a log-posterior",
            got=f"nan at {point.tolist()}",
            advice="repair the target, or return -inf",
        )
    return values


def cma_search(
    target: Target,
    *,
    start: np.ndarray,
    spread: np.ndarray,
    generator: np.random.Generator,
    options: CMAOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> Mode:
    """Maximize the posterior over straightened coordinates.

    Args:
        target: the posterior.
        start: first guess, natural units, (num_parameters,).
        spread: initial standard deviations, straightened coordinates, (num_parameters,).
        generator: source of randomness.
        options: how long to search.
        progress: called with the fraction of the expected work that is done.

    Raises:
        InputError: the posterior vanishes everywhere around the start.
        ConvergenceError: the generations ran out.
    """
    import cma  # brings matplotlib's half a second with it

    options = options or CMAOptions()
    center = straighten(target.parameters, start[None])[0]
    # cma reads a seed of 0 as "from the clock"
    settings = {
        "seed": int(generator.integers(1, 2**31)),
        "popsize": options.population,
        "verbose": -9,
    }
    search = cma.CMAEvolutionStrategy(np.zeros(len(center)), 1.0, settings)
    best, best_coordinates, history = -np.inf, center, [-np.inf]
    for generation in range(options.max_generations):
        steps = search.ask()
        coordinates = center + spread * np.array(steps)
        values = log_posterior(target, bend(target.parameters, coordinates))
        if not np.isfinite(values).any() and not np.isfinite(best):
            raise InputError(
                "fit", expected="a start near the tumor", got="zero likelihood all around it", advice="check the labels"
            )
        floor = np.min(values[np.isfinite(values)], initial=0.0) - 1e3
        search.tell(steps, list(-np.where(np.isfinite(values), values, floor)))
        winner = int(np.argmax(values))
        if values[winner] > best:
            best, best_coordinates = float(values[winner]), coordinates[winner]
        history.append(best)
        if progress is not None:
            progress(min(1.0, generation / 90))  # searches over seven parameters take 60 to 120 generations
        gain = best - history[max(0, len(history) - 1 - options.patience)]
        if gain < options.tolerance and best - np.median(values) < options.agreement:
            break
    else:
        raise ConvergenceError(
            "fit",
            expected=f"convergence within {options.max_generations} generations",
            got=f"an improvement by {gain:.2g} nat over the last {options.patience}",
            advice="check the segmentation, or allow more generations",
        )
    point = bend(target.parameters, best_coordinates[None])[0]
    covariance = search.sigma**2 * search.sm.covariance_matrix * np.outer(spread, spread)
    return Mode(point, best, covariance, (generation + 1) * options.population)
