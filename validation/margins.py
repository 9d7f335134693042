"""How far margins reach on thick slices, and what volume they make: as targets are made, and between voxel centers.

    python validation/margins.py

A ball of 10 mm, 15 mm around it for the CTV and 3 mm more for the PTV. Volumes are compared with those of balls around
the GTV that the voxels show.
"""

import numpy as np
from scipy import ndimage

from gliocast.core import Grid
from gliocast.planning import expand, planning_target_volume

RADIUS_MM, CTV_MM, PTV_MM = 10.0, 15.0, 3.0
SPACINGS = [(1, 1, 1), (0.9, 0.9, 2), (1, 1, 2.5), (1, 1, 3), (0.5, 0.5, 4), (0.9, 0.9, 5.5), (2, 2, 2)]


def between_centers(mask: np.ndarray, grid: Grid, margin_mm: float) -> np.ndarray:
    """The mask grown by a distance between voxel centers."""
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=grid.spacing) <= margin_mm)


def along_slices(inner: np.ndarray, outer: np.ndarray, grid: Grid) -> float:
    """How far one mask lies in front of another along the last axis [mm]."""
    first = [int(np.flatnonzero(mask.any(axis=(0, 1)))[0]) for mask in (inner, outer)]
    return (first[0] - first[1]) * grid.spacing[2]


def row(grid: Grid, gtv: np.ndarray, ctv: np.ndarray, ptv: np.ndarray) -> str:
    """Reach along slices [mm] and error of the volumes [%] of CTV and PTV."""
    own = (3 / (4 * np.pi) * np.count_nonzero(gtv) * grid.voxel_volume) ** (1 / 3)
    cells = []
    for inner, outer, radius in ((gtv, ctv, own + CTV_MM), (ctv, ptv, own + CTV_MM + PTV_MM)):
        ratio = np.count_nonzero(outer) * grid.voxel_volume / (4 / 3 * np.pi * radius**3)
        cells += [f"{along_slices(inner, outer, grid):.3g}", f"{100 * (ratio - 1):+.1f}"]
    return " | ".join(cells)


def main() -> None:
    head = "CTV, mm | volume, % | PTV, mm | volume, %"
    print(f"| spacing, mm | {head} | between centers: {head} |")
    print("|---" * 9 + "|")
    for spacing in SPACINGS:
        shape = tuple(int(70 / edge) for edge in spacing)
        grid = Grid(shape, np.diag([*spacing, 1.0]))
        places = grid.world_from_voxel(np.moveaxis(np.indices(shape), 0, -1))
        middle = (np.array(shape) - 1) / 2 * np.array(spacing)
        gtv = np.linalg.norm(places - middle, axis=-1) <= RADIUS_MM
        ctv = expand(gtv, grid, CTV_MM, np.ones(shape, dtype=bool))
        centers = between_centers(gtv, grid, CTV_MM)
        made = row(grid, gtv, ctv, planning_target_volume(ctv, grid, PTV_MM))
        plain = row(grid, gtv, centers, between_centers(centers, grid, PTV_MM))
        print(f"| {' x '.join(f'{edge:g}' for edge in spacing)} | {made} | {plain} |")


if __name__ == "__main__":
    main()
