"""Independent priors: normal on the straightened axis of each parameter, or uniform in a box."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from gliocast.core import InputError, Parameter, Support

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

    def __post_init__(self) -> None:
        for parameter, location, scale in zip(self.parameters, self.location, self.scale, strict=True):
            if not (np.isfinite(location) and np.isfinite(scale) and scale > 0):
                raise InputError(
                    f"prior of {parameter.name}",
                    expected="a finite location and a positive width",
                    got=f"{location:g} and {scale:g}",
                    advice="take the parameter out of the problem if it is known",
                )

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

    def whiten(self, points: np.ndarray) -> np.ndarray:
        """Coordinates in which the prior is standard normal, both (num_points, num_parameters)."""
        return (straighten(self.parameters, points) - self.location) / self.scale

    def color(self, coordinates: np.ndarray) -> np.ndarray:
        """Points in natural units of whitened coordinates; the inverse of `whiten`."""
        return bend(self.parameters, self.location + self.scale * coordinates)


@dataclass(frozen=True, eq=False)
class UniformPrior:
    """Uniform distributions over intervals; the support of each parameter is cut to its interval.

    Args:
        parameters: what the columns mean; each support is an interval (a, b).
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        for parameter in self.parameters:
            if not np.isfinite([parameter.support.lower, parameter.support.upper]).all():
                raise InputError(
                    f"prior of {parameter.name}",
                    expected="a finite interval",
                    got=f"({parameter.support.lower:g}, {parameter.support.upper:g})",
                    advice="state the interval",
                )

    @classmethod
    def over(cls, parameters: tuple[Parameter, ...], ranges: Mapping[str, tuple[float, float]]) -> "UniformPrior":
        """Uniform over `ranges` by name, over the typical range where none is given."""
        bounds = [ranges.get(parameter.name, parameter.typical) for parameter in parameters]
        for parameter, (low, high) in zip(parameters, bounds, strict=True):
            if not low < high:
                raise InputError(
                    f"prior of {parameter.name}",
                    expected="an interval of positive width",
                    got=f"{low:g} to {high:g}",
                    advice="take the parameter out of the problem if it is known",
                )
        cut = zip(parameters, bounds, strict=True)
        return cls(tuple(replace(p, support=Support(low, high), typical=(low, high)) for p, (low, high) in cut))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log-density at points in natural units, straightened coordinates; -inf outside, -> (num_points,)."""
        inside = (points > self._lower) & (points < self._upper)
        share = np.where(inside, (points - self._lower) / (self._upper - self._lower), 0.5)
        return np.where(inside.all(axis=1), np.sum(np.log(share) + np.log1p(-share), axis=1), -np.inf)

    def sample(self, num_points: int, generator: np.random.Generator) -> np.ndarray:
        """Points in natural units, (num_points, num_parameters)."""
        return generator.uniform(self._lower, self._upper, (num_points, len(self.parameters)))

    def whiten(self, points: np.ndarray) -> np.ndarray:
        """Coordinates in which the prior is standard normal, both (num_points, num_parameters)."""
        return norm.ppf((points - self._lower) / (self._upper - self._lower))

    def color(self, coordinates: np.ndarray) -> np.ndarray:
        """Points in natural units of whitened coordinates; the inverse of `whiten`."""
        return self._lower + (self._upper - self._lower) * norm.cdf(coordinates)

    @property
    def _lower(self) -> np.ndarray:
        return np.array([parameter.support.lower for parameter in self.parameters])

    @property
    def _upper(self) -> np.ndarray:
        return np.array([parameter.support.upper for parameter in self.parameters])


def straighten(parameters: tuple[Parameter, ...], points: np.ndarray) -> np.ndarray:
    """Unconstrained coordinates of points in natural units, both (num_points, num_parameters)."""
    return np.stack([p.support.straighten(points[:, n]) for n, p in enumerate(parameters)], axis=1)


def bend(parameters: tuple[Parameter, ...], coordinates: np.ndarray) -> np.ndarray:
    """Points in natural units of unconstrained coordinates, both (num_points, num_parameters)."""
    return np.stack([p.support.bend(coordinates[:, n]) for n, p in enumerate(parameters)], axis=1)
