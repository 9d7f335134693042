"""Independent priors, normal on the straightened axis of each parameter."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from gliocast.core import InputError, Parameter

#: Half-width of the central 95 % of a normal distribution, in standard deviations [1].
_Z95 = float(norm.ppf(0.975))


@dataclass(frozen=True, eq=False)
class IndependentPrior:
    """Normal distributions of the straightened parameters: normal, log-normal or logit-normal by support.

    Densities are with respect to the straightened coordinates, in which modes are sought.

    Args:
        parameters: what the columns mean.
        location: mean of each straightened coordinate, (num_parameters,).
        scale: standard deviation of each, (num_parameters,).
    """

    parameters: tuple[Parameter, ...]
    location: np.ndarray
    scale: np.ndarray

    @classmethod
    def from_typical(
        cls, parameters: tuple[Parameter, ...], known: Mapping[str, tuple[float, float]] | None = None
    ) -> "IndependentPrior":
        """The prior whose central 95 % is each parameter's typical range.

        Args:
            parameters: what the columns mean.
            known: (location, scale) on the straightened axis, by name, for parameters whose range this patient tells.
        """
        rows = []
        for parameter in parameters:
            if known is not None and parameter.name in known:
                rows.append(known[parameter.name])
            else:
                if not np.isfinite(parameter.typical).all():
                    raise InputError(
                        f"prior of {parameter.name}",
                        expected="a finite typical range",
                        got=f"{parameter.typical}",
                        advice="state its location and scale in `known`",
                    )
                low, high = (float(parameter.support.straighten(np.asarray(end))) for end in parameter.typical)
                rows.append(((low + high) / 2, (high - low) / (2 * _Z95)))
        location, scale = np.array(rows).T
        return cls(parameters, location, scale)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log-density at points in natural units, (num_points, num_parameters) -> (num_points,)."""
        standard = (straighten(self.parameters, points) - self.location) / self.scale
        return -0.5 * np.sum(standard**2 + np.log(2 * np.pi * self.scale**2), axis=1)

    def sample(self, num_points: int, generator: np.random.Generator) -> np.ndarray:
        """Points in natural units, (num_points, num_parameters)."""
        noise = generator.standard_normal((num_points, len(self.parameters)))
        return bend(self.parameters, self.location + self.scale * noise)


def straighten(parameters: tuple[Parameter, ...], points: np.ndarray) -> np.ndarray:
    """Unconstrained coordinates of points in natural units, both (num_points, num_parameters)."""
    return np.stack([p.support.straighten(points[:, n]) for n, p in enumerate(parameters)], axis=1)


def bend(parameters: tuple[Parameter, ...], coordinates: np.ndarray) -> np.ndarray:
    """Points in natural units of unconstrained coordinates, both (num_points, num_parameters)."""
    return np.stack([p.support.bend(coordinates[:, n]) for n, p in enumerate(parameters)], axis=1)
