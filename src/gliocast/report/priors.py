"""What a prior looks like along one parameter, or two of them, in natural units."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from gliocast.core import Prior

#: How far out a prior is followed, in whitened coordinates [standard deviations], and in how many steps [1].
_REACH, _STEPS = 5.0, 401


@dataclass(frozen=True, eq=False)
class PriorMarginal:
    """One parameter under a prior that is independent from one parameter to the next.

    Args:
        prior: of all parameters.
        column: which one.
    """

    prior: Prior
    column: int

    def density(self, values: np.ndarray) -> np.ndarray:
        """Density at values in natural units, in one over the unit; zero outside of the support, (num_values,)."""
        inside = self.prior.parameters[self.column].support.contains(values)
        density = np.zeros(len(values))
        if np.count_nonzero(inside) > 1:
            # with respect to the value: N(xi; 0, 1) d xi / d value
            coordinates = self.whiten(values[inside])
            density[inside] = norm.pdf(coordinates) * np.gradient(coordinates, values[inside])
        return density

    def whiten(self, values: np.ndarray) -> np.ndarray:
        """Whitened coordinate of values inside the support, (num_values,)."""
        points = np.repeat(self.prior.color(np.zeros((1, len(self.prior.parameters)))), len(values), axis=0)
        points[:, self.column] = values
        return self.prior.whiten(points)[:, self.column]

    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """Values that hold all but a millionth of the prior, and their density, both (num_values,)."""
        coordinates = np.zeros((_STEPS, len(self.prior.parameters)))
        coordinates[:, self.column] = np.linspace(-_REACH, _REACH, _STEPS)
        values = self.prior.color(coordinates)[:, self.column]
        return values, norm.pdf(coordinates[:, self.column]) / np.gradient(values, coordinates[:, self.column])


def contour_levels(one: PriorMarginal, other: PriorMarginal, shares: tuple[float, ...]) -> list[float]:
    """Joint densities above which these shares of the prior lie, in the order of the shares."""
    mass = norm.pdf(np.linspace(-_REACH, _REACH, _STEPS))
    density = np.outer(one.reach()[1], other.reach()[1])
    return levels_of(density, np.outer(mass, mass), shares)


def levels_of(density: np.ndarray, mass: np.ndarray, shares: tuple[float, ...]) -> list[float]:
    """Densities above which these shares of the mass lie; both arrays of one shape."""
    order = np.argsort(-density, axis=None)
    cumulative = np.cumsum(mass.ravel()[order])
    rows = np.searchsorted(cumulative, np.array(shares) * cumulative[-1])
    return [float(density.ravel()[order[min(row, len(order) - 1)]]) for row in rows]
