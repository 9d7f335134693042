"""A ball for a brain, and segmentations of what grows in it."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, Grid, LabelMap


def make_ball(shape, spacing, *, white, gray=None, hole=None):
    """White matter out to a radius [mm], gray out to another, and fluid in some voxels."""
    radius = spacing * np.sqrt(sum((axis - (n - 1) / 2) ** 2 for axis, n in zip(np.indices(shape), shape, strict=True)))
    inside = radius < (gray or white)
    tissue = inside.copy()
    if hole is not None:
        tissue[hole] = False
    maps = (tissue & (radius < white), tissue & (radius >= white), inside & ~tissue)
    grid = Grid(shape, np.diag([spacing, spacing, spacing, 1.0]))
    return Anatomy(*(part.astype(np.float32) for part in maps), inside, grid)


def make_segmentation(core, whole, grid):
    """Labels of two outlines, of which one lies in the other."""
    return LabelMap((2 * whole.astype(int) - core).astype(np.uint8), grid, SCHEMAS["brats-2021"])


@pytest.fixture(scope="session")
def ball():
    """Builds a brain."""
    return make_ball


@pytest.fixture(scope="session")
def segmentation():
    """Builds a segmentation."""
    return make_segmentation
