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

A fit absorbs part of the errors. With k' what a voxel counted in it, residuals at the mode are (1 - P) z with

.. math:: P = k'\, d\phi^T M\, d\phi, \qquad C - \mathrm{E}[\hat z \hat z^T] = P C + C P - P C P

and what they lack is added to their autocovariance, in a few rounds. An outline of 15 mm has some twenty patches of the
size over which a rater errs; without this, seven parameters would double k.

Source: Pauli, Racugno & Ventura, Statistica Sinica 21 (2011); Ribatet, Cooley & Davison, Statistica Sinica 22 (2012),
Section 2.2 (magnitude adjustment, M = H^{-1}). Departures: M; the correction for what a fit absorbs; and C is pooled
over directions and cut off at the first lag at which it isn't positive, because a single outline tells no more.
"""

from typing import Literal, get_args

import numpy as np
from scipy import fft

from gliocast.core import InputError
from gliocast.core.box import bounding_box

#: What a voxel of a scan counts. "residuals": what the correlation of residuals leaves it, once a fit has left some,
#: and until then as "stated": what is known before any fit. "independent": once.
Tempering = Literal["residuals", "stated", "independent"]

#: Residuals further apart than this are taken as uncorrelated [mm].
MAX_LAG_MM = 30.0

#: Rounds of adding what the fit absorbed; the fourth changes k by a hundredth.
_NUM_CORRECTIONS = 4

#: Voxels that inform less than this share of what the most telling one does are left out [1].
_NEGLIGIBLE = 1e-5


def require_tempering(tempering: Tempering) -> None:
    """Raise InputError unless it is one of those that there are."""
    if tempering not in get_args(Tempering):
        raise InputError(
            "tempering", expected=" or ".join(get_args(Tempering)), got=tempering, advice="use the default"
        )


def require_residuals(tempering: Tempering) -> None:
    """Raise InputError where residuals don't tell what a voxel counts."""
    if tempering != "residuals":
        raise InputError("tempering", expected="by residuals", got=tempering, advice="keep the weights")


def weight_of_scan(
    jacobian: np.ndarray,
    residuals: np.ndarray,
    covariance: np.ndarray,
    *,
    voxels: np.ndarray,
    spacing: tuple[float, float, float],
    weight: float,
) -> tuple[float, float]:
    """What a voxel of a scan counts, told by the features of a fit, and how many independent observations they all are.

    Args:
        jacobian: derivatives of the scan's features, one for each voxel and after these what belongs to none,
            (num_parameters, num_features).
        residuals: of the same, (num_features,).
        covariance: of the posterior in the same coordinates, (num_parameters, num_parameters).
        voxels: bool mask of those that features are of, in C order, of a grid or a part of it.
        spacing: of the voxels [mm].
        weight: what a voxel counted in the fit [1], whose root is in the features.
    """
    fields = np.zeros((len(jacobian) + 1, *voxels.shape))
    features = np.concatenate([jacobian, residuals[None]])[:, : np.count_nonzero(voxels)]
    fields[:, voxels] = features / np.sqrt(weight)
    counted, informing = effective_weight(fields[:-1], fields[-1], covariance, spacing, weight=weight)
    return counted, counted * informing


def effective_weight(
    sensitivities: np.ndarray,
    residuals: np.ndarray,
    covariance: np.ndarray,
    spacing: tuple[float, float, float],
    *,
    weight: float,
) -> tuple[float, float]:
    """What a voxel of one outline counts, in (0, 1], and how many voxels inform.

    Args:
        sensitivities: d phi of each voxel as if it were independent, (num_parameters, x, y, z).
        residuals: its standardized residuals z at the mode, (x, y, z).
        covariance: metric M, of the posterior that the mode is of, (num_parameters, num_parameters).
        spacing: of the voxels [mm].
        weight: what a voxel counted in that posterior, k' [1].

    Returns:
        k [1]; and the participation number of the voxels' leverages, (sum l)^2 / sum l^2 [1].
    """
    whitened = np.tensordot(np.linalg.cholesky(covariance).T, sensitivities, axes=1)
    leverage = np.sum(whitened**2, axis=0)
    if not leverage.any():
        return 1.0, 0.0
    window = bounding_box(leverage > _NEGLIGIBLE * leverage.max()).slices
    lags = _Lags(whitened[:, *window], spacing)
    autocovariance = _autocovariance(lags, residuals[window], weight)
    ratio = float(np.sum(autocovariance * lags.matches)) / float(leverage.sum())
    return 1 / max(ratio, 1.0), float(leverage.sum() ** 2 / np.sum(leverage**2))


def _autocovariance(lags: "_Lags", residuals: np.ndarray, weight: float) -> np.ndarray:
    """C at each lag, weighted by how much voxels inform, with what the fit absorbed."""
    products = lags.correlation(lags.root * residuals)
    autocovariance = lags.pooled(products)
    for _ in range(_NUM_CORRECTIONS):
        autocovariance = lags.pooled(products + lags.absorbed(autocovariance, weight))
    return autocovariance


class _Lags:
    """Sums over pairs of voxels that lie a lag apart, for all lags at once.

    Args:
        whitened: sensitivities a_i of voxels in coordinates in which the posterior is standard normal,
            (num_parameters, x, y, z).
        spacing: of the voxels [mm].
    """

    def __init__(self, whitened: np.ndarray, spacing: tuple[float, float, float]) -> None:
        shape = whitened.shape[1:]
        self._whitened, self._inside = whitened, tuple(slice(n) for n in shape)
        reach = [int(MAX_LAG_MM / h) for h in spacing]
        self._padded = tuple(fft.next_fast_len(n + m, real=True) for n, m in zip(shape, reach, strict=True))
        offsets = [fft.fftfreq(n, 1 / (n * h)) for n, h in zip(self._padded, spacing, strict=True)]
        distance = np.sqrt(sum(np.square(part) for part in np.meshgrid(*offsets, indexing="ij", sparse=True)))
        self._bins = np.minimum(np.rint(distance / min(spacing)), MAX_LAG_MM // min(spacing)).astype(np.intp)
        self.root = np.sqrt(np.sum(whitened**2, axis=0))
        self._pairs = np.bincount(self._bins.ravel(), self.correlation(self.root).ravel())
        self._spectra = np.array([self._spectrum(self.root * part) for part in whitened])
        self.matches = sum(self.correlation(part) for part in whitened)

    def correlation(self, field: np.ndarray) -> np.ndarray:
        """sum_x f(x) f(x + h) for each lag h."""
        return self._field(np.abs(self._spectrum(field)) ** 2)

    def pooled(self, products: np.ndarray) -> np.ndarray:
        """Mean product over all pairs at about the same distance, up to the first at which it isn't positive."""
        totals = np.bincount(self._bins.ravel(), products.ravel())
        means = totals / np.maximum(self._pairs, 1e-12 * self._pairs[0])
        means[-1] = 0.0  # all that lies beyond the longest lag
        means[int(np.argmax(means <= 0)) :] = 0.0
        return means[self._bins]

    def absorbed(self, autocovariance: np.ndarray, weight: float) -> np.ndarray:
        """Sum over pairs of P C + C P - P C P, weighted as `pooled` expects it, for each lag."""
        kernel = self._spectrum(autocovariance).real
        smooth = [self._field(kernel * self._spectrum(part))[self._inside] for part in self._whitened]
        inner = np.tensordot(smooth, self._whitened, axes=([1, 2, 3], [1, 2, 3]))
        once = np.array([self._spectrum(self.root * part) for part in smooth])
        twice = np.tensordot(inner, self._spectra, axes=1)
        return self._field(np.sum(self._spectra.conj() * (2 * weight * once - weight**2 * twice), axis=0).real)

    def _spectrum(self, field: np.ndarray) -> np.ndarray:
        return fft.rfftn(field, self._padded)

    def _field(self, spectrum: np.ndarray) -> np.ndarray:
        return fft.irfftn(spectrum, self._padded)
