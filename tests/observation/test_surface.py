"""Surfaces of outlines, against balls and fronts that are known."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Grid, LabelMap
from gliocast.observation import OutlineLikelihood, Surface

SHAPE, SPACING = (40, 36, 32), (2.0, 2.0, 2.0)
EVERYWHERE = np.ones(SHAPE, bool)
RADII = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - np.array([19.3, 17.6, 15.1]), axis=-1)


def front(radius, width):
    """Density whose logit falls by one per width [voxels] from the level 0 at a radius."""
    return 1 / (1 + np.exp((RADII - radius) / width))


def test_pairs_are_neighbors_on_both_sides_of_the_outline():
    ball = RADII < 9
    surface = Surface.of(ball, EVERYWHERE)
    inside, outside = (np.stack(np.unravel_index(part, SHAPE)) for part in (surface.inside, surface.outside))
    assert ball[tuple(inside)].all()
    assert not ball[tuple(outside)].any()
    assert (np.abs(inside - outside).sum(axis=0) == 1).all()
    # the faces of a ball of voxels have one and a half times its area
    assert len(surface.inside) == pytest.approx(1.5 * 4 * np.pi * 9**2, rel=0.05)


def test_what_borders_on_fluid_is_no_surface():
    tissue = EVERYWHERE.copy()
    tissue[20:] = False
    surface = Surface.of(RADII < 9, tissue)
    for part in (surface.inside, surface.outside):
        assert (np.unravel_index(part, SHAPE)[0] < 20).all()


@pytest.mark.parametrize("width", [0.5, 2.0, 6.0])
def test_displacements_of_the_right_density_are_those_of_voxels(width):
    """Uniform over half a voxel to both sides, whatever the width of the front."""
    displaced = Surface.of(RADII < 9, EVERYWHERE).cross(front(9, width)).displacements(0.0)
    assert abs(displaced.mean()) < 0.02
    assert displaced.var() == pytest.approx(1 / 12, rel=0.1)
    assert np.abs(displaced).max() < 0.51


@pytest.mark.parametrize("width", [0.5, 2.0])
def test_displacements_say_how_far_a_level_set_lies_outside(width):
    """Along the axes; a radial way is shorter by the mean cosine over faces, two thirds."""
    crossing = Surface.of(RADII < 9, EVERYWHERE).cross(front(10, width))
    assert 1.0 < np.median(crossing.displacements(0.0)) < 1.8
    assert abs(np.median(crossing.displacements(1 / width))) < 0.05


def test_shares_of_voxels_say_where_between_two_the_outline_passes():
    fine = np.linalg.norm(np.moveaxis(np.indices([4 * n for n in SHAPE]), 0, -1) / 4 - 14.7, axis=-1) < 9
    shares = fine.reshape(40, 4, 36, 4, 32, 4).mean(axis=(1, 3, 5))
    radii = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) + 0.375 - 14.7, axis=-1)
    density = 1 / (1 + np.exp((radii - 9) / 2))
    surfaces = (Surface.of(part, EVERYWHERE) for part in (shares >= 0.5, shares))
    binary, partial = (surface.cross(density).displacements(0.0).std() for surface in surfaces)
    assert partial < 0.5 * binary


def test_outlines_have_a_surface_for_each_threshold():
    grid = Grid(SHAPE, np.diag([*SPACING, 1.0]))
    whole = (RADII < 9).astype(np.uint8) * 2
    both = np.where(RADII < 5, np.uint8(1), whole)
    for labels, sizes in ((whole, [9]), (both, [5, 9])):
        outlines = OutlineLikelihood.from_labels(LabelMap(labels, grid, SCHEMAS["brats-2021"]))
        surfaces = outlines.surfaces(EVERYWHERE)
        assert len(surfaces) == len(outlines.parameters)
        for surface, radius in zip(surfaces, sizes, strict=True):
            assert len(surface.inside) == pytest.approx(6 * np.pi * radius**2, rel=0.1)
