"""What the first look at a segmentation tells: radii, the place of its core, the voxels to work on."""

import numpy as np

from gliocast.core import Grid, LabelMap, block_mean


def equivalent_radius(mask: np.ndarray, grid: Grid) -> float:
    """Radius of the ball that has the volume of a mask [mm]."""
    return float((3 * float(mask.sum()) * grid.voxel_volume / (4 * np.pi)) ** (1 / 3))


def central_point(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """World coordinates [mm, RAS] of the mask's voxel next to its centroid, which itself may lie in fluid."""
    voxels = np.argwhere(mask)
    return grid.world_from_voxel(voxels[np.argmin(np.sum((voxels - voxels.mean(axis=0)) ** 2, axis=1))])


def front_shape(labels: LabelMap, core_logit: float, whole_logit: float) -> tuple[float, float]:
    """Diffusion length sqrt(D_w T) [mm] and growth number sqrt(rho T) [1] of a traveling front with these outlines.

    The front has traveled R = 2 l g, and between its two thresholds its logit falls by one per l/g.

    Args:
        labels: with a core and a whole tumor.
        core_logit: logit of the T1c threshold.
        whole_logit: logit of the FLAIR threshold, below it.
    """
    whole, core = (equivalent_radius(part, labels.grid) for part in (labels.whole, labels.core))
    width = max(whole - core, 1.0) / (core_logit - whole_logit)
    return float(np.sqrt(whole * width / 2)), float(np.sqrt(whole / (2 * width)))


def coarsening(grid: Grid, spacing_mm: float) -> tuple[int, int, int]:
    """Voxels of a grid that make one of about a size, along each axis."""
    x, y, z = (max(1, round(spacing_mm / spacing)) for spacing in grid.spacing)
    return x, y, z


def coarsened(data: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Block means of `factors` voxels, padded with zeros like `Anatomy.coarsen`; float32."""
    return block_mean(np.pad(data, [(0, -n % f) for n, f in zip(data.shape, factors, strict=True)]), factors)
