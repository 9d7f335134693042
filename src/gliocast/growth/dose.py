"""Dose of a course that aims at a target: all of it inside, and a penumbra around. No plan of a machine.

At a distance d from the target the dose is the prescription times Phi(1.645 - d / sigma): 95 % at its edge, which plans
aim at, falling from 80 to 20 % over 1.7 sigma.
"""

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from gliocast.core import Grid, InputError, bounding_box
from gliocast.core.volume import require_mask

#: Standard deviation of the penumbra around a target [mm]: 80 % to 20 % over some 7 mm.
PENUMBRA_MM = 4.0

#: Standard deviations between 95 % of a dose and half of it [1].
_NORMAL_95 = 1.645

#: Beyond so many standard deviations there is no dose [1].
_CUTOFF = 6.0


def target_dose(target: np.ndarray, grid: Grid, dose_gy: float, *, penumbra_mm: float = PENUMBRA_MM) -> np.ndarray:
    """The dose in every voxel [Gy], float32, shape of the grid: the prescription in the target, less and less outside.

    Args:
        target: bool, shape of the grid, not empty.
        grid: where it lies.
        dose_gy: prescription [Gy], positive.
        penumbra_mm: its standard deviation, sigma [mm].

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
    reach = tuple(int(np.ceil(_CUTOFF * penumbra_mm / h)) for h in grid.spacing)
    box = bounding_box(target).grown((reach[0], reach[1], reach[2]), grid.shape).slices
    away = ndimage.distance_transform_edt(~target[box], sampling=grid.spacing)
    share = np.where(target[box], 1.0, ndtr(_NORMAL_95 - away / penumbra_mm))
    dose = np.zeros(grid.shape, np.float32)
    dose[box] = dose_gy * np.where(away < _CUTOFF * penumbra_mm, share, 0)
    return dose
