"""Dose of a course that aims at a target: all of it inside, and a penumbra around. No plan of a machine."""

import numpy as np
from scipy import ndimage

from gliocast.core import Grid, InputError
from gliocast.core.volume import require_mask

#: Standard deviation of the penumbra around a target [mm]: 80 % to 20 % over some 7 mm.
PENUMBRA_MM = 4.0


def target_dose(target: np.ndarray, grid: Grid, dose_gy: float, *, penumbra_mm: float = PENUMBRA_MM) -> np.ndarray:
    """The dose in every voxel [Gy], float32, shape of the grid: the prescription inside of the target, blurred outside.

    Args:
        target: bool, shape of the grid, not empty.
        grid: where it lies.
        dose_gy: prescription [Gy], positive.
        penumbra_mm: standard deviation of the blur [mm].

    Raises:
        InputError: the target is empty or has another shape, or a number isn't positive.
    """
    require_mask(target, grid, "target")
    if not (target.any() and dose_gy > 0 and penumbra_mm > 0):
        raise InputError(
            "dose",
            expected="a target with voxels, a positive dose and a positive penumbra",
            got=f"{np.count_nonzero(target)} voxels, {dose_gy:g} Gy, {penumbra_mm:g} mm",
            advice="pass the target volume and gray",
        )
    edge = ndimage.gaussian_filter(target.astype(np.float32), [penumbra_mm / h for h in grid.spacing])
    return np.where(target, np.float32(dose_gy), np.float32(dose_gy) * edge)
