r"""Gaussian mixtures of weighted points, fitted by expectation maximization.

.. math:: g(z) = \sum_k w_k N(z; m_k, C_k)

Source: Dempster, Laird and Rubin (1977); number of components by Schwarz's criterion (1978).
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

#: Rounds of expectation maximization, and the gain per point that ends them early [nat].
_MAX_ROUNDS, _LEAST_GAIN = 40, 1e-4

#: A component needs this many effective points per parameter, else its covariance is noise [1].
_POINTS_PER_PARAMETER = 10

#: Added to covariances of standardized points, so that they can be factored [1].
_FLOOR = 1e-8


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of normal distributions.

    Args:
        shares: of each component, summing to one, (num_components,).
        means: (num_components, dim).
        factors: lower Cholesky factors of the covariances, (num_components, dim, dim).
    """

    shares: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def standardized(self, points: np.ndarray) -> np.ndarray:
        """Points as every component sees them, L_k^-1 (z - m_k), (num_components, num_points, dim)."""
        return np.stack(
            [
                solve_triangular(factor, (points - mean).T, lower=True).T
                for mean, factor in zip(self.means, self.factors, strict=True)
            ]
        )

    def log_joint(self, points: np.ndarray) -> np.ndarray:
        """Log of share times density, component by component, (num_points, num_components)."""
        squares = np.sum(self.standardized(points) ** 2, axis=2).T
        log_volumes = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        return np.log(self.shares) - log_volumes - 0.5 * (squares + points.shape[1] * np.log(2 * np.pi))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log-density, (num_points, dim) -> (num_points,)."""
        return logsumexp(self.log_joint(points), axis=1)


def fit_mixture(
    points: np.ndarray, weights: np.ndarray, *, max_components: int, generator: np.random.Generator
) -> GaussianMixture:
    """The mixture that describes weighted points best, with as many components as they bear out.

    Args:
        points: (num_points, dim).
        weights: nonnegative, summing to one, (num_points,).
        max_components: at most so many.
        generator: places the first centers.
    """
    mean = weights @ points
    scale = np.sqrt(weights @ (points - mean) ** 2)
    scale = np.where(scale > 0, scale, 1.0)
    standard = (points - mean) / scale
    effective, dim = 1 / np.sum(weights**2), points.shape[1]
    best, best_score = None, -np.inf
    for num_components in range(1, max_components + 1):
        responsibilities = _first_responsibilities(standard, weights, num_components, generator)
        mixture = _maximize(standard, weights, responsibilities, effective)
        if mixture is None:
            break
        num_numbers = num_components * (1 + dim + dim * (dim + 1) / 2) - 1
        score = effective * (weights @ mixture.log_density(standard)) - 0.5 * num_numbers * np.log(effective)
        if score <= best_score:
            break
        best, best_score = mixture, score
    if best is None:
        best = _components(standard, weights[:, None])
    return GaussianMixture(best.shares, mean + scale * best.means, scale[:, None] * best.factors)


def _first_responsibilities(
    points: np.ndarray, weights: np.ndarray, num_components: int, generator: np.random.Generator
) -> np.ndarray:
    """Zero or one for each point and component: which of some centers, drawn far from each other, is nearest.

    Source: Arthur and Vassilvitskii, k-means++ (2007): a center is drawn by squared distance from those before it.
    """
    distances = np.full((len(points), num_components), np.inf)
    odds = weights
    for column in range(num_components):
        center = points[generator.choice(len(points), p=odds / odds.sum())]
        distances[:, column] = np.sum((points - center) ** 2, axis=1)
        odds = weights * distances.min(axis=1)
    return np.eye(num_components)[np.argmin(distances, axis=1)]


def _maximize(
    points: np.ndarray, weights: np.ndarray, responsibilities: np.ndarray, effective: float
) -> GaussianMixture | None:
    """Expectation maximization; None where a component is left with too few points."""
    least = _POINTS_PER_PARAMETER * points.shape[1] / effective
    height = -np.inf
    for _ in range(_MAX_ROUNDS):
        shared = weights[:, None] * responsibilities
        if shared.shape[1] > 1 and shared.sum(axis=0).min() < least:
            return None
        mixture = _components(points, shared)
        if shared.shape[1] == 1:
            return mixture
        joint = mixture.log_joint(points)
        total = logsumexp(joint, axis=1)
        responsibilities = np.exp(joint - total[:, None])
        gain, height = weights @ total - height, weights @ total
        if gain < _LEAST_GAIN:
            break
    return mixture


def _components(points: np.ndarray, shared: np.ndarray) -> GaussianMixture:
    """Moments of points, of which every component owns a share, (num_points, num_components)."""
    shares = shared.sum(axis=0)
    means = shared.T @ points / shares[:, None]
    factors = []
    for column, mean in enumerate(means):
        offsets = points - mean
        covariance = (shared[:, column] * offsets.T) @ offsets / shares[column]
        factors.append(np.linalg.cholesky(covariance + _FLOOR * np.eye(len(mean))))
    return GaussianMixture(shares / shares.sum(), means, np.stack(factors))
