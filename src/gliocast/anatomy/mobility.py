r"""Where tumor cells can live, and how easily they move there.

.. math:: D(x) / D_w = p_w(x) + p_g(x) / r

in brain tissue, and zero in cerebrospinal fluid and outside the brain.

Source: Swanson, Alvord & Murray, Cell Proliferation 33 (2000).
"""

import numpy as np

from gliocast.core import Anatomy, InputError

#: A voxel belongs to the domain of growth if at least this share of it is white or gray matter [1].
TISSUE_FRACTION = 0.5

#: Ratios of diffusivity outside of this range are a mistake [1].
_RATIOS = (0.1, 1e4)


def is_tissue(anatomy: Anatomy) -> np.ndarray:
    """Voxels where cells can live, bool, shape of the anatomy's grid."""
    return anatomy.brain & (anatomy.white_matter + anatomy.gray_matter >= TISSUE_FRACTION)


def mobility(anatomy: Anatomy, ratio: float) -> np.ndarray:
    """D(x) / D_w, zero where no cell can go; float32, shape of the anatomy's grid.

    Args:
        anatomy: the tissue.
        ratio: diffusivity in white over gray matter, r [1]; the literature uses 10 to 100.

    Raises:
        InputError: a senseless ratio.
    """
    require_ratio(ratio)
    relative = anatomy.white_matter + anatomy.gray_matter / np.float32(ratio)
    return np.where(is_tissue(anatomy), relative, 0).astype(np.float32)


def fastest_mobility(ratio: float) -> float:
    """Diffusivity over D_w in the fastest tissue, which is gray matter where the ratio r is below one [1]."""
    return max(1.0, 1 / ratio)


def require_ratio(ratio: float) -> None:
    """Raise InputError unless a ratio of diffusivities makes sense."""
    if not _RATIOS[0] <= ratio <= _RATIOS[1]:  # also true for nan
        raise InputError(
            "diffusivity ratio",
            expected=f"a number from {_RATIOS[0]:g} to {_RATIOS[1]:.0f}",
            got=f"{ratio}",
            advice="use 10, or up to 100",
        )
