r"""How volumes are read: with an error that is a factor, and not at all below a limit.

A seen volume enters by its logarithm, :math:`r = \log V_{read} - \log V`. A volume read as zero says that the lesion
was smaller than the limit of detection :math:`V_{det}`: it is left-censored, with probability :math:`\Phi(z)`,
:math:`z = (\log V_{det} - \log V) / \sigma`, and enters a sum of squares as :math:`r = \sigma\sqrt{-2\log\Phi(z)}`, so
that the sum over :math:`2\sigma^2` is the negative log-likelihood. Dropping such visits instead would teach a law that
a lesion which vanished stays; taking zero for a volume has no logarithm.

Source: Tobin, Econometrica 26 (1958), for the censored likelihood.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr

#: Limit of detection [mm^3]: a sphere of 5 mm, what RECIST 1.1 writes down for lesions too small to measure.
DETECTION_VOLUME_MM3 = float(np.pi / 6 * 5.0**3)
#: Volumes aren't read more precisely than this, however well a curve with many parameters passes through them:
#: standard deviation of the logarithm [1].
MIN_SIGMA = 0.05
#: The largest that is looked for [1].
_MAX_SIGMA = 5.0


@dataclass(frozen=True, eq=False)
class Readings:
    """Volumes of one lesion on several days, or many draws of them.

    Args:
        days: (num_days,), ascending [d].
        log_volumes: (..., num_days) [log mm^3], the limit where nothing was seen.
        seen: whether there was a volume to read, bool (..., num_days).
        log_limit: logarithm of the limit of detection [log mm^3]; -inf where everything was seen.
    """

    days: np.ndarray
    log_volumes: np.ndarray
    seen: np.ndarray
    log_limit: float

    @classmethod
    def of(cls, days: np.ndarray, volumes: np.ndarray, detection_mm3: float = DETECTION_VOLUME_MM3) -> Self:
        """Readings of one lesion.

        Args:
            days: ascending [d].
            volumes: of the same length [mm^3]; zero where the lesion wasn't seen.
            detection_mm3: limit of detection [mm^3]; where a smaller volume was read in the same lesion, that is it.
        """
        seen = volumes > 0
        if seen.all():
            return cls(days, np.log(volumes), seen, -np.inf)
        limit = min(detection_mm3, float(volumes[seen].min(initial=np.inf)))
        return cls(days, np.log(np.where(seen, volumes, limit)), seen, float(np.log(limit)))

    def residuals(self, expected: np.ndarray, sigma: float) -> np.ndarray:
        """Residuals of log-volumes (..., num_days), for a solver that squares them itself.

        Args:
            expected: logarithms of the volumes by a law, (..., num_days).
            sigma: standard deviation of a reading's logarithm [1]; matters only where something wasn't seen.
        """
        left = self.log_volumes - expected
        if not np.isfinite(self.log_limit):
            return left
        unseen = sigma * np.sqrt(-2 * log_ndtr((self.log_limit - expected) / sigma))
        return np.where(self.seen, left, unseen)

    def log_likelihood(self, expected: np.ndarray, sigma: float) -> float:
        """Log-likelihood of one lesion's volumes, in their logarithms [nat]."""
        squares = np.sum(self.residuals(expected, sigma) ** 2) / sigma**2
        return float(-0.5 * squares - self.seen.sum() * np.log(sigma * np.sqrt(2 * np.pi)))

    def most_likely_sigma(self, expected: np.ndarray) -> float:
        """Standard deviation of a reading that makes one lesion's volumes most likely, at least `MIN_SIGMA` [1]."""
        if self.seen.all():
            return max(float(np.sqrt(np.mean((self.log_volumes - expected) ** 2))), MIN_SIGMA)
        bounds = (np.log(MIN_SIGMA), np.log(_MAX_SIGMA))
        best = minimize_scalar(lambda x: -self.log_likelihood(expected, float(np.exp(x))), bounds=bounds)
        return float(np.exp(best.x))

    def drawn(self, log_volumes: np.ndarray) -> Self:
        """Readings of other volumes (..., num_days) on the same days and with the same limit."""
        seen = log_volumes >= self.log_limit
        return replace(self, log_volumes=np.where(seen, log_volumes, self.log_limit), seen=seen)
