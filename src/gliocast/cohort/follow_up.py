r"""A later visit of a digital patient with mass effect, carried to where the tissue was on an earlier one. Synthetic.

With u the displacement of tissue that is at a point now, which came from x - u(x), a point y of the earlier visit and a
point x of the later one are the same tissue where

.. math:: x - u_{later}(x) = y - u_{earlier}(y)

which is solved for x by fixed-point iteration. It is what a perfect registration of the visits would find; real ones
don't.
"""

import numpy as np
from scipy import ndimage

from gliocast.core import Grid, bounding_box
from gliocast.core.volume import require_shape

#: Iterations at most [1], and the largest last step [voxels]; the map contracts where tissue isn't squeezed away.
_MAX_ITERATIONS, _SETTLED = 40, 0.05


def carried_back(labels: np.ndarray, grid: Grid, *, later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Labels of a later visit where the same tissue was on an earlier one, by nearest neighbors.

    Args:
        labels: of the later visit, integers, shape of the grid.
        grid: of both visits.
        later: displacement of tissue on the later visit [mm, RAS], (3, x, y, z).
        earlier: the same of the earlier visit.

    Returns:
        Integers, shape of the grid.
    """
    require_shape(labels, grid, "labels")
    carried = np.zeros_like(labels)
    if not labels.any():
        return carried
    to_voxels = np.linalg.inv(grid.affine[:3, :3]).astype(np.float32)
    then, now = (np.tensordot(to_voxels, field, axes=1).astype(np.float32) for field in (earlier, later))
    reach = int(np.ceil(np.abs(then).max() + np.abs(now).max()))
    box = bounding_box(labels != 0).grown((reach,) * 3, grid.shape)
    lower = np.array(box.lower, dtype=np.float32)[:, None, None, None]
    here = np.indices([part.stop - part.start for part in box.slices], dtype=np.float32) + lower
    origin = here - then[:, *box.slices]
    there = here
    for _ in range(_MAX_ITERATIONS):
        moved = np.stack([ndimage.map_coordinates(part, there, order=1, mode="nearest") for part in now])
        before, there = there, origin + moved
        if np.abs(there - before).max() < _SETTLED:
            break
    carried[box.slices] = ndimage.map_coordinates(labels, there, order=0, mode="constant")
    return carried
