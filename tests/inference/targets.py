"""Targets whose posterior and evidence are known: a linear-Gaussian model, a banana, two modes."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import multivariate_normal

from gliocast.core import REAL, Parameter
from gliocast.inference import IndependentPrior


def standard_prior(dim: int) -> IndependentPrior:
    """N(0, I) over parameters on the real line."""
    parameters = tuple(Parameter(f"x{n}", f"x_{n}", "1", REAL, (-1.96, 1.96), "test") for n in range(dim))
    return IndependentPrior(parameters, np.zeros(dim), np.ones(dim))


class Analytic:
    """A target with the standard normal prior that counts its evaluations."""

    prior: IndependentPrior
    observed = np.zeros(1)

    @property
    def parameters(self):
        return self.prior.parameters

    def log_prior(self, points):
        return self.prior.log_density(points)


@dataclass
class LinearGaussian(Analytic):
    """y = A x + noise; posterior and evidence are Gaussian. By default two parameters trade along a narrow ridge."""

    design: np.ndarray = field(
        default_factory=lambda: np.array([[1.0, 1.0, 0.0, 0.0], [1.0, -0.2, 0.5, 0.0], [0.0, 0.3, 1.0, 0.0]])
    )
    noise: np.ndarray = field(default_factory=lambda: np.array([0.05, 0.3, 0.2]))
    observed: np.ndarray = field(default_factory=lambda: np.array([1.5, 0.4, -0.8]))

    def __post_init__(self):
        self.prior = standard_prior(self.design.shape[1])
        precision = self.design.T / self.noise**2
        self.covariance = np.linalg.inv(np.eye(self.design.shape[1]) + precision @ self.design)
        self.mean = self.covariance @ precision @ self.observed
        marginal = self.design @ self.design.T + np.diag(self.noise**2)
        self.log_evidence = float(multivariate_normal.logpdf(self.observed, np.zeros(len(self.noise)), marginal))

    @property
    def deviations(self):
        return np.sqrt(np.diag(self.covariance))

    def log_likelihood(self, points):
        misfit = (self.observed - points @ self.design.T) / self.noise
        return -0.5 * np.sum(misfit**2 + np.log(2 * np.pi * self.noise**2), axis=1)

    def simulate(self, points, generator):
        shape = (len(points), len(self.noise))
        return points @ self.design.T + self.noise * generator.standard_normal(shape)


@dataclass
class Banana(Analytic):
    """y = x_1 - bend (x_0^2 - 1) + noise: a crescent. Moments and evidence by quadrature in the plane."""

    bend: float = 1.0
    noise: float = 0.1
    observed: np.ndarray = field(default_factory=lambda: np.array([0.3]))

    def __post_init__(self):
        self.prior = standard_prior(2)
        axis = np.linspace(-6, 6, 1601)
        grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        density = np.exp(self.log_likelihood(grid) - 0.5 * np.sum(grid**2, axis=1)) / (2 * np.pi)
        cell = (axis[1] - axis[0]) ** 2
        self.log_evidence = float(np.log(density.sum() * cell))
        weights = density / density.sum()
        self.mean = weights @ grid
        self.covariance = (weights * (grid - self.mean).T) @ (grid - self.mean)

    @property
    def deviations(self):
        return np.sqrt(np.diag(self.covariance))

    def log_likelihood(self, points):
        misfit = (self.observed[0] - self._signal(points)) / self.noise
        return -0.5 * (misfit**2 + np.log(2 * np.pi * self.noise**2))

    def simulate(self, points, generator):
        return (self._signal(points) + self.noise * generator.standard_normal(len(points)))[:, None]

    def _signal(self, points):
        return points[:, 1] - self.bend * (points[:, 0] ** 2 - 1)


@dataclass
class TwoModes(Analytic):
    """Posterior = share N(-c, s^2 I) + (1 - share) N(c, s^2 I), c on the diagonal; the evidence is one by construction.

    The likelihood is that density over the prior's, times exp(-r) with r = 0.
    """

    share: float = 0.3
    center: float = 1.2
    width: float = 0.15
    dim: int = 3
    observed: np.ndarray = field(default_factory=lambda: np.zeros(1))

    def __post_init__(self):
        self.prior = standard_prior(self.dim)
        self.mean = np.full(self.dim, (1 - 2 * self.share) * self.center)
        between = 4 * self.share * (1 - self.share) * self.center**2
        self.covariance = self.width**2 * np.eye(self.dim) + between
        self.log_evidence = 0.0

    @property
    def deviations(self):
        return np.sqrt(np.diag(self.covariance))

    def log_likelihood(self, points):
        squares = [np.sum((points - sign * self.center) ** 2, axis=1) / self.width**2 for sign in (-1, 1)]
        logs = np.log([self.share, 1 - self.share])[:, None] - 0.5 * np.array(squares) - self.dim * np.log(self.width)
        return np.logaddexp(*logs) + 0.5 * np.sum(points**2, axis=1)

    def simulate(self, points, generator):
        sign = np.where(points.mean(axis=1) < 0, -1.0, 1.0)
        return (sign + generator.standard_normal(len(points)))[:, None]
