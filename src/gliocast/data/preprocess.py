"""From skull-stripped scans to a brain mask and standardized intensities."""

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from gliocast.core import Grid, InputError, Volume

#: Volumes that a brain between early childhood and old age has, with CSF [ml], and room for generous masks.
BRAIN_VOLUME_RANGE = (500.0, 2300.0)
#: Extent of a brain's bounding box along each axis [mm].
BRAIN_EXTENT_RANGE = (80.0, 230.0)
#: A brain fills about half of its own bounding box; what fills more of the whole image has no empty background.
MAX_FILLED = 0.7
#: An MRI has hundreds of gray values, 8-bit exports about a hundred; a label map has a handful.
MIN_GRAY_VALUES = 32

STRIP_ADVICE = "run a brain extraction first (HD-BET, SynthStrip), which leaves exact zeros around the brain"


def brain_mask(volumes: Iterable[Volume]) -> np.ndarray:
    """Brain mask of skull-stripped scans: the largest connected part that is nonzero in any scan, holes filled.

    Smaller parts are fiducials and debris of the brain extraction. Negative values at the brain's edge, left there by
    interpolation, count as brain.

    Args:
        volumes: scans of one visit, on one grid.

    Returns:
        bool, all False if every scan is zero.
    """
    first, *rest = volumes
    nonzero = first.data != 0
    for volume in rest:
        first.grid.require_same(volume.grid, "brain mask")
        nonzero |= volume.data != 0
    if not nonzero.any():
        return nonzero
    parts, _ = ndimage.label(nonzero)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    mask = parts == sizes.argmax()
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    # Whatever the outside can't reach is a hole. One labeling is many times faster than binary_fill_holes,
    # which dilates the outside voxel by voxel.
    outside, _ = ndimage.label(~np.pad(mask[box], 1))
    mask[box] = (outside != outside[0, 0, 0])[1:-1, 1:-1, 1:-1]
    return mask


def require_brain(mask: np.ndarray, grid: Grid, t1: Volume) -> None:
    """Raise InputError unless the mask and the T1 inside can be a skull-stripped human brain.

    Cheap checks that catch heads, crops, phantoms and false spacings; the affine registration to the atlas has the
    last word.

    Args:
        mask: from `brain_mask`.
        grid: of the mask.
        t1: the scan whose gray values are looked at.
    """
    filled = float(mask.mean())
    if filled > MAX_FILLED:
        raise InputError(
            "brain",
            expected="a skull-stripped brain on a background of zeros",
            got=f"nonzero values in {filled:.0%} of the image",
            advice=f"not skull-stripped; {STRIP_ADVICE}",
        )
    volume = np.count_nonzero(mask) * grid.voxel_ml
    lower, upper = BRAIN_VOLUME_RANGE
    if not lower <= volume <= upper:
        raise InputError(
            "brain",
            expected=f"a skull-stripped brain of {lower:g} to {upper:g} ml",
            got=f"{volume:.0f} ml of nonzero voxels",
            advice=STRIP_ADVICE if volume > upper else "pass the whole brain and check the voxel spacing",
        )
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    extent = [(part.stop - part.start) * h for part, h in zip(box, grid.spacing, strict=True)]
    shortest, longest = BRAIN_EXTENT_RANGE
    if min(extent) < shortest or max(extent) > longest:
        raise InputError(
            "brain",
            expected=f"{shortest:g} to {longest:g} mm along each axis",
            got=" x ".join(f"{length:.0f}" for length in extent) + " mm",
            advice="pass one whole skull-stripped brain and check the voxel spacing",
        )
    require_gray_values(t1, mask, "t1")


def require_gray_values(volume: Volume, brain: np.ndarray, subject: str) -> None:
    """Raise InputError unless the volume has the many gray values of a scan inside the brain."""
    inside = volume.data[brain]
    count = len(np.unique(inside[:: max(1, len(inside) // 100_000)]))  # a sample is enough to tell hundreds from a few
    if count < MIN_GRAY_VALUES:
        raise InputError(
            subject,
            expected="the gray values of a scan inside the brain",
            got=f"{count} different values",
            advice="pass the scan itself, not a mask or label map",
        )


def zscore(volume: Volume, brain: np.ndarray) -> Volume:
    """Intensities with zero mean and unit standard deviation inside the brain, zero outside; float32."""
    inside = volume.data[brain].astype(np.float64)
    deviation = float(inside.std()) if inside.size else 0.0
    if deviation == 0:
        raise InputError(
            "z-score",
            expected="intensities that vary inside the brain",
            got=f"{inside.size} equal voxels",
            advice="pass a scan and its brain mask",
        )
    data = np.zeros(volume.data.shape, dtype=np.float32)
    data[brain] = (inside - inside.mean()) / deviation
    return Volume(data, volume.grid)
