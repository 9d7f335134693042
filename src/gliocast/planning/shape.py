r"""Whether a target can be delivered: its parts, and how rough its surface is.

Roughness is the surface's area over that of a ball of the same volume: 1 for a ball, 2 for eight of them. The area is
estimated from how often lines cross the surface (Crofton's formula), along the 13 directions between a voxel and its
neighbors:

.. math:: S = 2 \sum_d c_d N_d v / |d|

with N_d voxel pairs along d that lie on different sides, v the volume of a voxel and c_d the share of the sphere of
directions that is nearest to d. Counting voxel faces instead would find half as much again around a ball. Planes along
the grid's axes come out a tenth too small, for no direction between those 13 looks at them.

Source: Lehmann & Legland, Insight Journal (2012); here the shares are those of the grid's own directions, so that thick
slices count right.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import SphericalVoronoi

from gliocast.core import Grid, bounding_box
from gliocast.core.grid import MM3_PER_ML
from gliocast.core.volume import require_mask


@dataclass(frozen=True)
class TargetShape:
    """What a target looks like.

    Args:
        volume_ml: its volume [ml].
        num_components: parts that don't touch, not even diagonally.
        largest_share: share of the volume that the largest part has.
        roughness: surface area over that of a ball of the same volume [1].
    """

    volume_ml: float
    num_components: int
    largest_share: float
    roughness: float


def target_shape(mask: np.ndarray, grid: Grid) -> TargetShape:
    """Volume, parts and roughness of a target.

    Args:
        mask: bool, shape of the grid, not empty.
        grid: where it lies; its axes are taken as orthogonal.
    """
    require_mask(mask, grid, "target")
    inner = mask[bounding_box(mask).slices]
    parts, num_parts = ndimage.label(inner, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    volume = float(sizes.sum()) * grid.voxel_volume
    ball = np.pi ** (1 / 3) * (6 * volume) ** (2 / 3)
    return TargetShape(
        volume_ml=volume / MM3_PER_ML,
        num_components=int(num_parts),
        largest_share=float(sizes.max() / sizes.sum()),
        roughness=float(surface_area(inner, grid.spacing) / ball),
    )


def surface_area(mask: np.ndarray, spacing: tuple[float, float, float]) -> float:
    """Area of a mask's surface [mm^2], the array's edge counted as outside; 3 % off for a ball of radius five."""
    padded = np.pad(mask, 1)
    steps = np.array([np.array(np.unravel_index(n, (3, 3, 3))) - 1 for n in range(27) if n != 13])
    lengths = np.linalg.norm(steps * spacing, axis=1)
    shares = SphericalVoronoi(steps * spacing / lengths[:, None]).calculate_areas() / (4 * np.pi)
    total = 0.0
    for step, length, share in list(zip(steps, lengths, shares, strict=True))[13:]:  # a direction and its opposite
        here = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(step, padded.shape, strict=True))
        there = tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in zip(step, padded.shape, strict=True))
        total += 2 * share * float(np.count_nonzero(padded[here] != padded[there])) / length
    return 2 * total * float(np.prod(spacing))
