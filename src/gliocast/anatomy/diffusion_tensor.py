r"""Along which directions tumor cells migrate: the mobility tensor, from the diffusion of water.

.. math:: T(x) = p_w(x)\,R(x) + \frac{p_g(x)}{r}\,I

in tissue and zero elsewhere, where R is the water tensor scaled to a mean diffusivity (a third of its trace) of one. A
tensor without direction, R = I, gives the mobility of the isotropic model; so D_w keeps its meaning, the mean
diffusivity in white matter.

Cells may follow fibers more strictly than water does. An anisotropy factor s > 1 weights the eigenvalues of R,
lambda_1 >= lambda_2 >= lambda_3, before they are scaled again:

.. math::
    \lambda_i' = a_i \lambda_i, \quad a_1 = s\,c_l + s\,c_p + c_s, \quad a_2 = c_l + s\,c_p + c_s, \quad a_3 = 1

with the shape coefficients of Westin, which sum to one:

.. math:: c_l = (\lambda_1 - \lambda_2)/\Sigma, \quad c_p = 2(\lambda_2 - \lambda_3)/\Sigma, \quad
          c_s = 3\lambda_3/\Sigma, \quad \Sigma = \lambda_1 + \lambda_2 + \lambda_3

so that fibers (linear) gain along one axis, crossings (planar) along two, and a sphere stays a sphere.

Source: Jbabdi et al., Magn. Reson. Med. 54 (2005), eigenvalue weighting; Clatz et al., IEEE Trans. Med. Imaging 24
(2005), mobility from the water tensor. Departure: the tensor is scaled to unit mean diffusivity after the weighting,
so that the factor changes directions and not the speed on average.
"""

import numpy as np

from gliocast.anatomy.mobility import is_tissue, require_ratio
from gliocast.core import Anatomy, DiffusionTensor, InputError
from gliocast.core.tensor import from_matrices, to_matrices

#: The greatest factor by which cells may be more anisotropic than water [1].
_MAX_ANISOTROPY = 100.0

#: Voxels whose eigenvalues are computed at once; bounds the memory.
_CHUNK = 200_000


def tensor_mobility(
    water: DiffusionTensor, anatomy: Anatomy, *, diffusivity_ratio: float = 10.0, anisotropy: float = 1.0
) -> DiffusionTensor:
    """T(x) = D(x) / D_w along the world axes, zero where no cell can go.

    White matter without a water tensor (outside of the diffusion scan, or masked) is isotropic.

    Args:
        water: diffusion tensor of water on the anatomy's grid; its unit doesn't matter.
        anatomy: tissue probabilities.
        diffusivity_ratio: r, diffusivity in white over gray matter [1]; the literature uses 10 to 100.
        anisotropy: s, how much more anisotropic cells migrate than water [1]; 1 leaves the water's, the literature
            uses up to 10.

    Raises:
        InputError: the grids differ, or an option is out of range.
    """
    anatomy.grid.require_same(water.grid, "diffusion tensor")
    require_ratio(diffusivity_ratio)
    require_anisotropy(anisotropy)
    tissue = is_tissue(anatomy)
    cells = np.flatnonzero(tissue)
    source, result = water.data.reshape(6, -1), np.zeros((6, tissue.size), dtype=np.float32)
    white, gray = anatomy.white_matter.ravel(), anatomy.gray_matter.ravel()
    for start in range(0, cells.size, _CHUNK):
        chunk = cells[start : start + _CHUNK]
        part = white[chunk] * _relative(source[:, chunk], anisotropy)
        part[:3] += gray[chunk] / np.float32(diffusivity_ratio)
        result[:, chunk] = part
    return DiffusionTensor(result.reshape(water.data.shape), anatomy.grid)


def _relative(water: np.ndarray, anisotropy: float) -> np.ndarray:
    """Tensors of mean diffusivity one, (6, n); the identity where there is none."""
    relative, known = _unit(water)
    if anisotropy > 1:
        values, vectors = np.linalg.eigh(to_matrices(relative))
        values *= anisotropy_weights(values, anisotropy)
        relative, _ = _unit(from_matrices((vectors * values[:, None, :]) @ vectors.swapaxes(-1, -2)))
    relative[:, ~known] = np.array([1, 1, 1, 0, 0, 0], dtype=np.float32)[:, None]
    return relative


def _unit(tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tensors scaled to mean diffusivity one, and where that is possible."""
    mean = tensor[:3].sum(axis=0, dtype=np.float64) / 3
    known = mean > 0
    return (tensor / np.where(known, mean, 1)).astype(np.float32), known


def anisotropy_weights(eigenvalues: np.ndarray, anisotropy: float) -> np.ndarray:
    """The factors a_3, a_2, a_1 of ascending eigenvalues, both of shape (..., 3)."""
    smallest, middle, largest = np.moveaxis(np.maximum(eigenvalues, 0), -1, 0)
    total = smallest + middle + largest
    total = np.where(total > 0, total, 1)
    linear, planar, spherical = (largest - middle) / total, 2 * (middle - smallest) / total, 3 * smallest / total
    along = anisotropy * (linear + planar) + spherical
    return np.stack([np.ones_like(along), linear + anisotropy * planar + spherical, along], axis=-1)


def require_anisotropy(anisotropy: float) -> None:
    """Raise InputError unless a factor of anisotropy makes sense."""
    if not 1 <= anisotropy <= _MAX_ANISOTROPY:  # also true for nan
        raise InputError(
            "anisotropy",
            expected=f"a number from 1 to {_MAX_ANISOTROPY:g}",
            got=f"{anisotropy}",
            advice="use 1 for that of water, or up to 10",
        )
