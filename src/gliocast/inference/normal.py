"""A normal distribution of some coordinates as a posterior."""

from collections.abc import Callable, Mapping

import numpy as np

from gliocast.core import Parameter, Posterior


def normal_posterior(
    mean: np.ndarray,
    covariance: np.ndarray,
    place: Callable[[np.ndarray], np.ndarray],
    parameters: tuple[Parameter, ...],
    method: str,
    *,
    generator: np.random.Generator,
    num_samples: int,
    diagnostics: Mapping[str, float] | None = None,
) -> Posterior:
    """Posterior whose coordinates are normal.

    Args:
        mean: of the coordinates, (num_parameters,).
        covariance: (num_parameters, num_parameters).
        place: makes coordinates, (num_points, num_parameters), parameters in natural units.
        parameters: what these are.
        method: how it was found.
        generator: source of randomness.
        num_samples: how many to draw.
        diagnostics: figures of how it went; by default no evaluation.
    """
    factor = np.linalg.cholesky(covariance)
    noise = generator.standard_normal((num_samples, len(mean)))
    return Posterior(
        parameters=parameters,
        samples=place(mean + noise @ factor.T),
        weights=np.full(num_samples, 1 / num_samples),
        log_densities=-0.5 * np.sum(noise**2, axis=1) - float(np.log(np.diag(factor)).sum()),
        mode=place(mean[None])[0],
        diagnostics={"evaluations": 0.0} if diagnostics is None else diagnostics,
        method=method,
    )
