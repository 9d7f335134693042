r"""Where tempering begins: the prior, or a normal distribution around a point that is likely already.

All of it in whitened coordinates z, in which the prior is N(0, I). With share s of the prior,

.. math:: q(z) = s N(z; 0, I) + (1 - s) N(z; m, C)

is normalized, so the path from q to the posterior gives the same evidence as the path from the prior.
"""

from dataclasses import dataclass

import numpy as np

from gliocast.core import InputError, Posterior, Prior
from gliocast.inference.tmcmc.mixture import GaussianMixture

#: How much wider than an approximate posterior the reference made of it is [1]: too wide costs a stage, too narrow
#: leaves tails to few particles.
WIDENING = 2.0

#: Share of the prior in a reference [1]; it finds modes that the normal distribution overlooks, unless they are so
#: small that none of these few particles comes near.
PRIOR_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Reference:
    """A mixture of the prior and a normal distribution, whitened coordinates.

    Args:
        mean: of the normal distribution, (dim,).
        covariance: of the normal distribution, (dim, dim).
        prior_share: share of the prior, in [0, 1].
    """

    mean: np.ndarray
    covariance: np.ndarray
    prior_share: float = PRIOR_SHARE

    def __post_init__(self) -> None:
        dim = len(self.mean)
        fits = self.mean.shape == (dim,) and self.covariance.shape == (dim, dim)
        if not (fits and np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise InputError(
                "start",
                expected="a point inside the support and a finite covariance",
                got=f"mean {np.round(self.mean, 3).tolist()}",
                advice="begin inside the parameters' ranges",
            )
        if np.linalg.eigvalsh(self.covariance)[0] <= 0 or not 0 <= self.prior_share <= 1:
            raise InputError(
                "start",
                expected="a positive definite covariance, a share of the prior in [0, 1]",
                got=f"least variance {np.linalg.eigvalsh(self.covariance)[0]:.3g}, share {self.prior_share:g}",
                advice="take known parameters out of the problem",
            )

    @classmethod
    def prior(cls, dim: int) -> "Reference":
        """The prior alone."""
        return cls(np.zeros(dim), np.eye(dim), prior_share=1.0)

    @classmethod
    def around(
        cls, prior: Prior, point: np.ndarray, *, width: float | np.ndarray, prior_share: float = PRIOR_SHARE
    ) -> "Reference":
        """Around a point.

        Args:
            prior: the target's.
            point: natural units, (num_parameters,).
            width: standard deviations as shares of the prior's, one for all or (num_parameters,).
            prior_share: share of the prior.

        Raises:
            InputError: the point lies outside the support, or a width isn't positive.
        """
        with np.errstate(invalid="ignore", divide="ignore"):  # refused by name in __post_init__
            mean = prior.whiten(np.asarray(point, dtype=float)[None])[0]
        widths = np.broadcast_to(np.asarray(width, dtype=float), mean.shape)
        return cls(mean, np.diag(widths**2), prior_share)

    @classmethod
    def from_posterior(
        cls, prior: Prior, posterior: Posterior, *, widening: float = WIDENING, prior_share: float = PRIOR_SHARE
    ) -> "Reference":
        """Around an approximate posterior (Laplace, a network's), widened.

        Args:
            prior: the target's.
            posterior: in the target's parameters.
            widening: factor of the standard deviations.
            prior_share: share of the prior.
        """
        coordinates = prior.whiten(posterior.samples)
        covariance = np.cov(coordinates.T, aweights=posterior.weights).reshape(2 * coordinates.shape[1:])
        return cls(posterior.weights @ coordinates, widening**2 * covariance, prior_share)

    def sample(self, num_points: int, generator: np.random.Generator) -> np.ndarray:
        """Whitened points, (num_points, dim)."""
        noise = generator.standard_normal((num_points, len(self.mean)))
        if self.prior_share == 1:
            return noise
        from_prior = generator.random(num_points) < self.prior_share
        return np.where(from_prior[:, None], noise, self.mean + noise @ np.linalg.cholesky(self.covariance).T)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log-density of whitened points, (num_points, dim) -> (num_points,)."""
        if self.prior_share == 1:
            return log_standard_normal(points)
        normal = GaussianMixture(np.ones(1), self.mean[None], np.linalg.cholesky(self.covariance)[None])
        if self.prior_share == 0:
            return normal.log_density(points)
        return np.logaddexp(
            np.log(self.prior_share) + log_standard_normal(points),
            np.log1p(-self.prior_share) + normal.log_density(points),
        )


def log_standard_normal(points: np.ndarray) -> np.ndarray:
    """Log-density of N(0, I), (num_points, dim) -> (num_points,)."""
    return -0.5 * np.sum(points**2 + np.log(2 * np.pi), axis=1)
