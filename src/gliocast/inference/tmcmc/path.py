r"""The path of distributions from the reference q to the posterior, over whitened coordinates z.

.. math:: \log p_b(z) = \log q(z) + b r(z), \qquad r(z) = \log N(z; 0, I) + \log L(z) - \log q(z)

From the prior itself (q = N) this is the tempered likelihood of Ching and Chen.
"""

from dataclasses import dataclass

import numpy as np

from gliocast.core import ConvergenceError, Target
from gliocast.inference.tmcmc.reference import Reference, log_standard_normal


@dataclass(frozen=True, eq=False)
class Particles:
    """Points and all that is known of them.

    Args:
        points: whitened coordinates, (num, dim).
        log_reference: log q, (num,).
        gains: r, the log-density that the way from the reference to the posterior adds; -inf where there is no
            likelihood, (num,).
    """

    points: np.ndarray
    log_reference: np.ndarray
    gains: np.ndarray

    def log_density(self, exponent: float) -> np.ndarray:
        """Unnormalized log p_b at a positive exponent b, (num,)."""
        return self.log_reference + exponent * self.gains

    def take(self, rows: np.ndarray) -> "Particles":
        """These particles, in this order."""
        return Particles(self.points[rows], self.log_reference[rows], self.gains[rows])

    def replaced(self, accepted: np.ndarray, others: "Particles") -> "Particles":
        """With others in the place of those accepted, bool (num,)."""
        return Particles(
            np.where(accepted[:, None], others.points, self.points),
            np.where(accepted, others.log_reference, self.log_reference),
            np.where(accepted, others.gains, self.gains),
        )


class Path:
    """Evaluates particles, counts them, and remembers the best.

    Args:
        target: the posterior.
        reference: where tempering begins.
    """

    def __init__(self, target: Target, reference: Reference) -> None:
        self.target, self.reference = target, reference
        self.num_evaluations = 0
        self.best_point, self.best_height = np.zeros(len(target.parameters)), -np.inf

    def evaluate(self, points: np.ndarray) -> Particles:
        """One batch of the target; particles whose parameters round to the edge of their support have no likelihood.

        Raises:
            ConvergenceError: the target returned nan or +inf.
        """
        natural = self.target.prior.color(points)
        columns = zip(self.target.parameters, natural.T, strict=True)
        inside = np.all([parameter.support.contains(column) for parameter, column in columns], axis=0)
        likelihood = np.full(len(points), -np.inf)
        if inside.any():
            likelihood[inside] = self.log_likelihood(natural[inside])
            self._remember(natural[inside], likelihood[inside])
        self.num_evaluations += len(points)
        log_reference = self.reference.log_density(points)
        return Particles(points, log_reference, log_standard_normal(points) - log_reference + likelihood)

    def log_likelihood(self, natural: np.ndarray) -> np.ndarray:
        """The target's, checked; uncounted."""
        values = np.asarray(self.target.log_likelihood(natural), dtype=float)
        broken = np.isnan(values) | (values == np.inf)
        if broken.any():
            worst = int(np.argmax(broken))
            raise ConvergenceError(
                "tmcmc",
                expected="a log-likelihood",
                got=f"{values[worst]} at {natural[worst].tolist()}",
                advice="repair the target, or return -inf",
            )
        return values

    def log_posterior(self, particles: Particles) -> np.ndarray:
        """Unnormalized, with respect to the straightened coordinates (see Target.log_prior), (num,)."""
        likelihood = particles.gains + particles.log_reference - log_standard_normal(particles.points)
        return self.target.log_prior(self.target.prior.color(particles.points)) + likelihood

    def _remember(self, natural: np.ndarray, likelihood: np.ndarray) -> None:
        heights = self.target.log_prior(natural) + likelihood
        best = int(np.argmax(heights))
        if heights[best] > self.best_height:
            self.best_point, self.best_height = natural[best], float(heights[best])
