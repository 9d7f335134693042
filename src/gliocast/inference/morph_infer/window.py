"""What the network sees of a tumor: a window of outlines and tissue, and a few moments."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.core import Anatomy, Grid, InputError, block_mean

#: Voxels along each side of the window. At 3 mm they hold a tumor of 108 mm.
WINDOW = 36

#: Shares of T1c and FLAIR outline in the one volume that both make [1]; as in the paper.
_CORE_SHARE, _WHOLE_SHARE = 0.666, 0.333

#: Radius that radii are taken relative to [mm].
_RADIUS_MM = 20.0

NUM_MOMENTS = 8


@dataclass(frozen=True, eq=False)
class Window:
    """A tumor as the network sees it.

    Args:
        fields: outlines, white and gray matter, float32 (3, WINDOW, WINDOW, WINDOW).
        moments: radii and centers, (NUM_MOMENTS,).
        center: world coordinates of the middle of the window [mm, RAS], (3,).
    """

    fields: np.ndarray
    moments: np.ndarray
    center: np.ndarray


def look(core: np.ndarray, whole: np.ndarray, white: np.ndarray, gray: np.ndarray, grid: Grid) -> Window:
    """The window around a tumor.

    Args:
        core: share of each voxel inside the outline of the core [1], shape of the grid.
        whole: the same for the whole tumor.
        white: probability of white matter, same shape.
        gray: probability of gray matter.
        grid: where all of them lie, with axes along the world's.

    Raises:
        InputError: an outline is empty, or they lie on a grid that is turned.
    """
    require_outlines(core, whole)
    if not np.allclose(grid.affine[:3, :3], np.diag(grid.spacing)):
        raise InputError(
            "outlines", expected="a grid along R, A and S", got="another orientation", advice="resample them"
        )
    middle = _centroid(whole)
    lower = np.round(middle).astype(int) - WINDOW // 2
    outline = _CORE_SHARE * core + _WHOLE_SHARE * whole
    fields = np.stack([cut(field, lower) for field in (outline, white, gray)])
    center = grid.world_from_voxel(lower + (WINDOW - 1) / 2)
    return Window(fields, _moments(core, whole, grid, center), center)


def look_at_patient(core: np.ndarray, whole: np.ndarray, anatomy: Anatomy, spacing_mm: float) -> Window:
    """The window around a patient's tumor, from any grid: averaged over the network's voxels, along R, A and S.

    Args:
        core: tumor core, bool, shape of the anatomy's grid.
        whole: whole tumor, the same.
        anatomy: tissue.
        spacing_mm: voxel size that the network looks with [mm].

    Raises:
        InputError: an outline is empty.
    """
    require_outlines(core, whole)
    finest = max(1, round(spacing_mm / min(anatomy.grid.spacing)))
    fine = spacing_mm / finest
    center = anatomy.grid.world_from_voxel(_centroid(whole))
    corner = center - WINDOW * spacing_mm / 2 + fine / 2
    affine = np.diag([fine, fine, fine, 1.0])
    affine[:3, 3] = corner
    lattice = np.linalg.inv(anatomy.grid.affine) @ affine
    fields = []
    for field in (core, whole, anatomy.white_matter, anatomy.gray_matter):
        sampled = ndimage.affine_transform(
            field.astype(np.float32), lattice[:3, :3], lattice[:3, 3], (WINDOW * finest,) * 3, order=1
        )
        fields.append(block_mean(sampled, (finest,) * 3))
    grid = Grid((WINDOW * finest,) * 3, affine).coarsen((finest,) * 3)
    # outlines of training tumors are those of voxels
    return look(fields[0] > 0.5, fields[1] > 0.5, fields[2], fields[3], grid)


def mirrored(window: Window, flips: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Fields and moments of the window seen in a mirror.

    Args:
        window: as it is.
        flips: -1 for each axis (R, A, S) that is reversed, else 1.
    """
    fields = window.fields[(slice(None), *(slice(None, None, flip) for flip in flips))]
    return fields, (window.moments * np.array([1, 1, *flips, *flips])).astype(np.float32)


def cut(field: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """A cube of WINDOW voxels from an index on, zero outside of the field, float32."""
    cube = np.zeros((WINDOW,) * 3, np.float32)
    begin, end = np.maximum(lower, 0), np.minimum(lower + WINDOW, field.shape)
    if (begin < end).all():
        source = tuple(slice(a, b) for a, b in zip(begin, end, strict=True))
        target = tuple(slice(a, b) for a, b in zip(begin - lower, end - lower, strict=True))
        cube[target] = field[source]
    return cube


def require_outlines(core: np.ndarray, whole: np.ndarray) -> None:
    """Raise InputError where an outline is empty."""
    if not (core.any() and whole.any()):
        raise InputError(
            "outlines",
            expected="a tumor core and a whole tumor",
            got="an outline without voxels",
            advice="use another method: the network reads growth off the distance between two outlines",
        )


def _moments(core: np.ndarray, whole: np.ndarray, grid: Grid, center: np.ndarray) -> np.ndarray:
    """Log-radius of the whole tumor and of the core, both centers relative to the window's [20 mm]."""
    radii = [(3 * float(part.sum()) * grid.voxel_volume / (4 * np.pi)) ** (1 / 3) for part in (whole, core)]
    centers = [(grid.world_from_voxel(_centroid(part)) - center) / _RADIUS_MM for part in (whole, core)]
    return np.concatenate([np.log(np.array(radii) / _RADIUS_MM), *centers]).astype(np.float32)


def _centroid(field: np.ndarray) -> np.ndarray:
    """Center of mass in voxel indices, (3,)."""
    total = float(field.sum())
    lines = [field.sum(axis=tuple(b for b in range(3) if b != axis)) for axis in range(3)]
    return np.array([float(line @ np.arange(len(line))) / total for line in lines])
