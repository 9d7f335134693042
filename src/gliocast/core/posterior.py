"""What inference returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gliocast.core.errors import InputError
from gliocast.core.parameter import Parameter


@dataclass(frozen=True, eq=False)
class Posterior:
    """Weighted samples of the parameters given the observation.

    Args:
        parameters: what the columns mean.
        samples: (num_samples, num_parameters), in natural units.
        weights: (num_samples,), nonnegative, summing to one.
        log_densities: (num_samples,) unnormalized log-density under the approximation that drew them.
        mode: (num_parameters,) the point of highest posterior density.
        diagnostics: named figures of how the method went (evaluations, convergence).
        method: how it was found, in a few words.
        log_evidence: log of the marginal likelihood of what was observed [nat]; None where the method gives none.
        stages: what went on from stage to stage (temperature, acceptance, ...), by name, each (num_stages,).
    """

    parameters: tuple[Parameter, ...]
    samples: np.ndarray
    weights: np.ndarray
    log_densities: np.ndarray
    mode: np.ndarray
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    method: str = ""
    log_evidence: float | None = None
    stages: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count, dim = len(self.samples), len(self.parameters)
        shapes = (self.samples.shape, self.weights.shape, self.log_densities.shape, self.mode.shape)
        if shapes != ((count, dim), (count,), (count,), (dim,)) or not np.isclose(self.weights.sum(), 1):
            raise InputError(
                "posterior",
                expected=f"{dim} columns, one weight per sample, weights that sum to one",
                got=f"shapes {shapes}, sum {self.weights.sum():g}",
                advice="normalize the weights",
            )

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean, (num_parameters,)."""
        return self.weights @ self.samples

    @property
    def standard_deviation(self) -> np.ndarray:
        """Weighted standard deviation, (num_parameters,)."""
        return np.sqrt(self.weights @ (self.samples - self.mean) ** 2)

    @property
    def effective_sample_size(self) -> float:
        """Equally weighted samples that the weights are worth (Kish), 1 / sum of squared weights [1]."""
        return float(1 / np.sum(self.weights**2))

    def drawn(self, num_samples: int) -> np.ndarray:
        """Equally weighted samples by systematic resampling, without randomness, (num_samples, num_parameters)."""
        return self.samples[self.drawn_rows(num_samples)]

    def drawn_rows(self, num_samples: int) -> np.ndarray:
        """Which samples those are, rows in ascending order, (num_samples,)."""
        quantiles = (np.arange(num_samples) + 0.5) / num_samples
        rows = np.searchsorted(np.cumsum(self.weights), quantiles)
        return rows.clip(max=len(self.samples) - 1)

    def interval(self, probability: float = 0.95) -> np.ndarray:
        """Central credible interval of each parameter, (num_parameters, 2)."""
        tail = (1 - probability) / 2
        bounds = np.empty((len(self.parameters), 2))
        for column, values in enumerate(self.samples.T):
            order = np.argsort(values)
            cumulative = np.cumsum(self.weights[order]) - self.weights[order] / 2
            bounds[column] = np.interp([tail, 1 - tail], cumulative, values[order])
        return bounds
