"""Targets whose posterior is known, and targets that misbehave."""

import numpy as np

from gliocast.core import REAL, Parameter
from gliocast.inference import IndependentPrior

PARAMETERS = tuple(Parameter(f"offset_{n}", f"theta_{n}", "1", REAL, (-10.0, 10.0), "test") for n in range(3))
LOCATION, SCALE = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, 3.0])


class LinearGaussian:
    """x = G theta + noise, theta ~ N(location, scale^2): the posterior is Gaussian and known."""

    def __init__(self, noise=0.3, dim=3, num_numbers=6):
        generator = np.random.default_rng(11)
        self.parameters = PARAMETERS[:dim]
        self.prior = IndependentPrior(self.parameters, LOCATION[:dim], SCALE[:dim])
        self.noise, self.matrix = noise, generator.standard_normal((num_numbers, dim)) / SCALE[:dim]
        truth = self.prior.sample(1, generator)
        self.observed = self.simulate(truth, generator)[0]

    def log_prior(self, points):
        return self.prior.log_density(points)

    def log_likelihood(self, points):
        return -0.5 * np.sum(((self.observed - points @ self.matrix.T) / self.noise) ** 2, axis=1)

    def simulate(self, points, generator):
        means = points @ self.matrix.T
        return means + self.noise * generator.standard_normal(means.shape)

    def posterior(self):
        """Mean and covariance."""
        scale = self.prior.scale
        precision = np.diag(scale**-2) + self.matrix.T @ self.matrix / self.noise**2
        covariance = np.linalg.inv(precision)
        shift = self.prior.location / scale**2 + self.matrix.T @ self.observed / self.noise**2
        return covariance @ shift, covariance


class TwoModes(LinearGaussian):
    """x = |theta_0 - shift| + noise, theta_1 directly: two modes, whose weights are the prior's there."""

    shift = 0.6

    def __init__(self):
        self.parameters = PARAMETERS[:2]
        self.prior = IndependentPrior(self.parameters, np.zeros(2), np.ones(2))
        self.noise, self.observed = 0.1, np.array([1.0, 0.3])

    def simulate(self, points, generator):
        means = np.stack([np.abs(points[:, 0] - self.shift), points[:, 1]], axis=1)
        return means + self.noise * generator.standard_normal(means.shape)

    def share_right(self):
        """Posterior probability of theta_0 > shift, by quadrature."""
        axis = np.linspace(-6, 6, 200_001)
        logs = -0.5 * axis**2 - 0.5 * ((self.observed[0] - np.abs(axis - self.shift)) / self.noise) ** 2
        density = np.exp(logs - logs.max())
        return float(density[axis > self.shift].sum() / density.sum())
