r"""How much a voxel counts when residuals are correlated.

A likelihood that multiplies over voxels takes errors of an outline, which are correlated over millimeters, for as many
independent ones. With sensitivities d phi(x) and standardized residuals z(x) of each voxel (see `LinearizableTarget`),
the information that it claims and the variance that its score has are

.. math:: H = \sum_x d\phi(x)\, d\phi(x)^T, \qquad J = \sum_{x,y} d\phi(x)\, C(x - y)\, d\phi(y)^T,

where C is the autocovariance of z, taken where voxels inform. Were each voxel to count

.. math:: k = \frac{\mathrm{tr}\, M H}{\mathrm{tr}\, M J} \le 1

the log-likelihood would fall around its peak, on average over directions, as that of correlated observations does. The
metric M is the posterior covariance: directions count as far as the data decide them. Outlines without errors give k
near one, a rater's errors of millimeters a small k, a tumor that the model can't describe a smaller one still.

Source: Pauli, Racugno & Ventura, Statistica Sinica 21 (2011); Ribatet, Cooley & Davison, Statistica Sinica 22 (2012),
Section 2.2 (magnitude adjustment, M = H^{-1}). Departures: M; and C is pooled over directions and cut off at the first
lag at which it isn't positive, because a single outline tells no more.
"""

import numpy as np
from scipy import fft

from gliocast.core.box import bounding_box

#: Residuals further apart than this are taken as uncorrelated [mm].
MAX_LAG_MM = 30.0

#: Voxels that inform less than this share of what the most telling one does are left out [1].
_NEGLIGIBLE = 1e-5


def effective_weight(
    sensitivities: np.ndarray, residuals: np.ndarray, covariance: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[float, float]:
    """What a voxel of one outline counts, in (0, 1], and how many voxels inform.

    Args:
        sensitivities: d phi of each voxel as if it were independent, (num_parameters, x, y, z).
        residuals: its standardized residuals z, (x, y, z).
        covariance: metric M, (num_parameters, num_parameters).
        spacing: of the voxels [mm].

    Returns:
        k [1]; and the participation number of the voxels' leverages, (sum l)^2 / sum l^2 [1].
    """
    whitened = np.tensordot(np.linalg.cholesky(covariance).T, sensitivities, axes=1)
    leverage = np.sum(whitened**2, axis=0)
    if not leverage.any():
        return 1.0, 0.0
    window = bounding_box(leverage > _NEGLIGIBLE * leverage.max()).slices
    whitened, leverage, residuals = whitened[:, *window], leverage[window], residuals[window]
    lags = _Lags(leverage.shape, spacing)
    weight = np.sqrt(leverage)
    covariances = lags.pooled(lags.correlation(weight * residuals), lags.correlation(weight))
    matches = sum(lags.correlation(part) for part in whitened)
    ratio = float(np.sum(covariances * matches)) / float(leverage.sum())
    return 1 / max(ratio, 1.0), float(leverage.sum() ** 2 / np.sum(leverage**2))


class _Lags:
    """Sums over pairs of voxels that lie a lag apart, for all lags at once."""

    def __init__(self, shape: tuple[int, ...], spacing: tuple[float, float, float]) -> None:
        reach = [int(MAX_LAG_MM / h) for h in spacing]
        self._padded = tuple(fft.next_fast_len(n + m, real=True) for n, m in zip(shape, reach, strict=True))
        offsets = [fft.fftfreq(n, 1 / (n * h)) for n, h in zip(self._padded, spacing, strict=True)]
        distance = np.sqrt(sum(np.square(part) for part in np.meshgrid(*offsets, indexing="ij", sparse=True)))
        self._bins = np.minimum(np.rint(distance / min(spacing)), MAX_LAG_MM // min(spacing)).astype(np.intp)

    def correlation(self, field: np.ndarray) -> np.ndarray:
        """sum_x f(x) f(x + h) for each lag h."""
        return fft.irfftn(np.abs(fft.rfftn(field, self._padded)) ** 2, self._padded)

    def pooled(self, products: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Mean product over all pairs at about the same distance, up to the first at which it isn't positive."""
        totals, counts = (np.bincount(self._bins.ravel(), part.ravel()) for part in (products, pairs))
        means = totals / np.maximum(counts, 1e-12 * counts[0])
        means[-1] = 0.0  # all that lies beyond the longest lag
        gone = int(np.argmax(means <= 0))
        means[gone:] = 0.0
        return means[self._bins]
