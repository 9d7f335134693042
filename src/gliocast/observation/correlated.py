r"""Errors that neighboring voxels share: a stationary Gaussian field, and how many voxels of it count.

A field of unit variance at every voxel, correlated over a length :math:`\ell` by

.. math:: \rho(d) = \exp(-d^2 / \ell^2),

is white noise behind a Gaussian filter of standard deviation :math:`\ell / 2`. Noise behind a point spread of a given
full width at half maximum is correlated over  FWHM / sqrt(2 ln 2)  (`correlation_from_fwhm`).
"""

import numpy as np
from scipy import ndimage

from gliocast.core import Grid, InputError

#: Correlations are summed up to this many correlation lengths [1], where they have fallen to 1e-4.
_REACH = 3.0


def correlation_from_fwhm(fwhm_mm: float) -> float:
    """Length over which white noise is correlated behind a Gaussian point spread of a width [mm]."""
    return fwhm_mm / np.sqrt(2 * np.log(2))


def correlated_noise(grid: Grid, correlation_mm: float, generator: np.random.Generator) -> np.ndarray:
    """Standard normal numbers on a grid, correlated over a length; a length of zero makes them independent.

    The variance is one at every voxel in expectation: the field isn't scaled by its own standard deviation, which would
    take away what all voxels have in common. Opposite faces of the grid are neighbors.

    Args:
        grid: where.
        correlation_mm: distance over which the correlation falls to 1/e [mm].
        generator: source of randomness.
    """
    noise = generator.standard_normal(grid.shape, dtype=np.float32)
    if correlation_mm == 0:
        return noise
    for axis, (size, spacing) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        impulse = np.zeros(size)
        impulse[0] = 1
        width = correlation_mm / 2 / spacing
        kernel = ndimage.gaussian_filter1d(impulse, width, mode="wrap")
        noise = ndimage.gaussian_filter1d(noise, width, axis=axis, mode="wrap") / np.linalg.norm(kernel)
    return noise


def correlated_sum(field: np.ndarray, grid: Grid, correlation_mm: float) -> np.ndarray:
    """At each voxel the field around it, weighted by its correlation there: sum_j rho(d_ij) s_j, shape of the grid."""
    if correlation_mm == 0:
        return field
    for axis, spacing in enumerate(grid.spacing):
        reach = int(np.ceil(_REACH * correlation_mm / spacing))
        kernel = np.exp(-((np.arange(-reach, reach + 1) * spacing / correlation_mm) ** 2))
        field = ndimage.convolve1d(field, kernel, axis=axis, mode="constant")
    return field


def independent_share(sensitivity: np.ndarray, grid: Grid, correlation_mm: float) -> float:
    r"""Share of voxels that count, where errors are correlated over a length [1].

    A parameter that moves the standardized predictions by :math:`s_i` is known as well from all voxels together as from
    this share of them, were they independent:

    .. math:: w = \sum_i s_i^2 \Big/ \sum_{ij} s_i \, \rho(d_{ij}) \, s_j

    which makes the curvature of the tempered log-likelihood, w times the naive one, the inverse of the estimate's
    variance under correlated errors (Ribatet, Cooley & Davison, Statistica Sinica 22, 2012, the scalar case).

    Args:
        sensitivity: s, shape of the grid.
        grid: where.
        correlation_mm: distance over which the correlation falls to 1/e [mm].
    """
    single = float(np.sum(sensitivity**2))
    if not single > 0:
        raise InputError("tempering", expected="voxels that depend on something", got="none", advice="check the scan")
    return min(1.0, single / float(np.sum(sensitivity * correlated_sum(sensitivity, grid, correlation_mm))))
