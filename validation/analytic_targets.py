"""Targets whose posterior and evidence are known, to try inverse methods on.

All have the prior N(0, I) over parameters on the real line, and tell `mean`, `covariance` and `log_evidence` of the
posterior besides playing a Target.
"""

import numpy as np
from scipy.special import gammaln, logsumexp
from scipy.stats import multivariate_normal

from gliocast.core import REAL, Parameter
from gliocast.inference.prior import IndependentPrior

#: Half-width [prior standard deviations] and points per axis of the quadrature behind the banana.
_QUADRATURE_HALF_WIDTH, _QUADRATURE_POINTS = 6.0, 1201


class AnalyticTarget:
    """What the targets here share; a subclass gives `log_likelihood` and `simulate`.

    Args:
        mean: of the posterior, (dim,).
        covariance: of the posterior, (dim, dim).
        log_evidence: log of the marginal likelihood of what was observed [nat].
        observed: what was seen.
    """

    def __init__(self, mean: np.ndarray, covariance: np.ndarray, log_evidence: float, observed: np.ndarray) -> None:
        self.mean, self.covariance, self.log_evidence, self.observed = mean, covariance, log_evidence, observed
        self.prior = standard_prior(len(mean))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Numbered."""
        return self.prior.parameters

    @property
    def standard_deviation(self) -> np.ndarray:
        """Of the posterior, (dim,)."""
        return np.sqrt(np.diag(self.covariance))

    def log_prior(self, points: np.ndarray) -> np.ndarray:
        """See Target."""
        return self.prior.log_density(points)


class LinearGaussian(AnalyticTarget):
    """y = A x + e with e ~ N(0, diag(s^2)): everything is Gaussian.

    Args:
        design: A, (num_observations, dim). By default two parameters trade along a narrow ridge, and of a fourth
            nothing is seen.
        noise: s, (num_observations,).
        observed: y, (num_observations,).
    """

    def __init__(
        self,
        design: np.ndarray | None = None,
        noise: np.ndarray | None = None,
        observed: np.ndarray | None = None,
    ) -> None:
        ridge = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, -0.2, 0.5, 0.0], [0.0, 0.3, 1.0, 0.0]])
        self.design = ridge if design is None else design
        self.noise = np.array([0.05, 0.3, 0.2]) if noise is None else noise
        data = np.array([1.5, 0.4, -0.8]) if observed is None else observed
        weighted = self.design.T / self.noise**2
        covariance = np.linalg.inv(np.eye(self.design.shape[1]) + weighted @ self.design)
        marginal = self.design @ self.design.T + np.diag(self.noise**2)
        log_evidence = float(multivariate_normal.logpdf(data, np.zeros(len(data)), marginal))
        super().__init__(covariance @ weighted @ data, covariance, log_evidence, data)

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """See Target."""
        return _log_normal(self.observed - points @ self.design.T, self.noise)

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See Target, -> (num_points, num_observations)."""
        noise = self.noise * generator.standard_normal((len(points), len(self.noise)))
        return points @ self.design.T + noise


class Banana(AnalyticTarget):
    """y = x_1 - c (x_0^2 - 1) + e, one number seen of two parameters: a thin crescent. Moments by quadrature.

    Args:
        bend: c.
        noise: standard deviation of e.
        observed: y.
    """

    def __init__(self, bend: float = 1.0, noise: float = 0.1, observed: float = 0.3) -> None:
        self.bend, self.noise = bend, np.array([noise])
        self.observed = np.array([observed])
        axis = np.linspace(-_QUADRATURE_HALF_WIDTH, _QUADRATURE_HALF_WIDTH, _QUADRATURE_POINTS)
        grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        masses = np.exp(self.log_likelihood(grid) + _log_normal(grid, np.ones(2))) * (axis[1] - axis[0]) ** 2
        mean = masses @ grid / masses.sum()
        covariance = (masses * (grid - mean).T) @ (grid - mean) / masses.sum()
        super().__init__(mean, covariance, float(np.log(masses.sum())), self.observed)

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """See Target."""
        return _log_normal(self.observed - self._signal(points), self.noise)

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See Target, -> (num_points, 1)."""
        return self._signal(points) + self.noise * generator.standard_normal((len(points), 1))

    def _signal(self, points: np.ndarray) -> np.ndarray:
        return points[:, 1:] - self.bend * (points[:, :1] ** 2 - 1)


class TwoModes(AnalyticTarget):
    """y = x - z c 1 + s e with a hidden sign z, of which y = 0 was seen: two small modes far apart, of known shares.

    p(x | y) = share N(-m 1, v I) + (1 - share) N(m 1, v I),  1/v = 1 + 1/s^2,  m = c v / s^2.

    Args:
        share: probability of z = -1, and of the mode at -m.
        center: c.
        width: s.
        dim: number of parameters.
    """

    def __init__(self, share: float = 0.3, center: float = 1.2, width: float = 0.15, dim: int = 3) -> None:
        self.share, self.center, self.width = share, center, width
        variance = 1 / (1 + 1 / width**2)
        peak = center * variance / width**2
        mean = np.full(dim, (1 - 2 * share) * peak)
        covariance = variance * np.eye(dim) + 4 * share * (1 - share) * peak**2
        each = -0.5 * dim * (np.log(2 * np.pi * (1 + width**2)) + center**2 / (1 + width**2))
        super().__init__(mean, covariance, float(each), np.zeros(dim))

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """See Target."""
        widths = np.full(points.shape[1], self.width)
        minus, plus = (_log_normal(self.observed - points + sign * self.center, widths) for sign in (-1, 1))
        return np.logaddexp(np.log(self.share) + minus, np.log1p(-self.share) + plus)

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See Target, -> (num_points, dim)."""
        sign = np.where(generator.random(len(points)) < self.share, -1.0, 1.0)[:, None]
        return points - sign * self.center + self.width * generator.standard_normal(points.shape)


class PeakOnPlateau(AnalyticTarget):
    r"""An event that was seen, with log-probability -b + h exp(-q), q = sum_j (x_j - c_j)^2 / 2 s_j^2 and h <= b.

    A likelihood as tumors have it: flat where the modeled tumor misses the real one, and a peak so high that the
    posterior is a millionth of the prior. With exp(h e^-q) = sum_k h^k / k! e^-kq the posterior is a mixture of
    Gaussians, and with v_j = s_j^2 / k the evidence

    Z = e^-b sum_k h^k / k! prod_j sqrt(v_j / (1 + v_j)) exp(-c_j^2 / 2 (1 + v_j)).

    Args:
        base: b [nat].
        height: h [nat].
        center: c, (dim,).
        widths: s, (dim,).
    """

    def __init__(
        self,
        base: float = 260.0,
        height: float = 240.0,
        center: np.ndarray | None = None,
        widths: np.ndarray | None = None,
    ) -> None:
        self.base, self.height = base, height
        self.center = np.array([-0.1, 0.2, 0.1, -0.6, 0.3, -0.5, 0.5]) if center is None else center
        self.widths = np.array([0.3, 0.3, 0.3, 0.9, 0.9, 3.0, 3.0]) if widths is None else widths
        orders = np.arange(1, int(height + 20 * np.sqrt(height) + 20))  # far beyond the largest term, near k = h
        variances = self.widths**2 / orders[:, None]
        logs = orders * np.log(height) - gammaln(orders + 1)
        logs += 0.5 * np.sum(np.log(variances / (1 + variances)) - self.center**2 / (1 + variances), axis=1)
        means = np.vstack([np.zeros_like(self.center), self.center / (1 + variances)])
        spreads = np.vstack([np.ones_like(self.center), variances / (1 + variances)])
        logs = np.append(0.0, logs)  # k = 0 is the prior itself
        total = logsumexp(logs)
        shares = np.exp(logs - total)
        mean = shares @ means
        offsets = means - mean
        covariance = np.diag(shares @ spreads) + (shares * offsets.T) @ offsets
        super().__init__(mean, covariance, float(total - base), np.ones(1))

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """See Target."""
        squares = np.sum(((points - self.center) / self.widths) ** 2, axis=1)
        return -self.base + self.height * np.exp(-0.5 * squares)

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """See Target: whether the event is seen, -> (num_points, 1)."""
        return (generator.random(len(points)) < np.exp(self.log_likelihood(points))).astype(float)[:, None]


def standard_prior(dim: int) -> IndependentPrior:
    """N(0, I) over parameters on the real line."""
    parameters = tuple(Parameter(f"x{n}", f"x_{n}", "1", REAL, (-1.96, 1.96), "none") for n in range(dim))
    return IndependentPrior(parameters, np.zeros(dim), np.ones(dim))


def _log_normal(offsets: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Log-density of independent normal offsets, (num, n) and (n,) -> (num,)."""
    return -0.5 * np.sum((offsets / widths) ** 2 + np.log(2 * np.pi * widths**2), axis=1)
