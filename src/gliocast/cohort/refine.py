"""Fields on coarse voxels, on fine ones."""

import numpy as np

from gliocast.core import Box


def refine(data: np.ndarray, factor: int, box: Box) -> np.ndarray:
    """A field on blocks of voxels, interpolated linearly to the voxels of a box, float32.

    Args:
        data: on voxels of `factor` fine ones along each axis, (x, y, z).
        factor: fine voxels in a coarse one, along each axis.
        box: which fine voxels.
    """
    for axis, (start, end) in enumerate(zip(box.lower, box.upper, strict=True)):
        place = (np.arange(start, end, dtype=np.float32) - (factor - 1) / 2) / factor
        lower = np.clip(np.floor(place).astype(int), 0, data.shape[axis] - 2)
        share = np.clip(place - lower, 0, 1).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        data = (1 - share) * np.take(data, lower, axis=axis) + share * np.take(data, lower + 1, axis=axis)
    return np.ascontiguousarray(data, dtype=np.float32)
