import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from gliocast.core import SCHEMAS, Anatomy, Grid, InputError, LabelMap
from gliocast.planning import expand, gross_tumor_volume, standard_ctv, treatable_region, ventricles
from gliocast.planning.refined import WIDEST_MM

ANISOTROPIC = (1.0, 0.8, 2.5)
FINE = (1.0, 0.8, 1.2)  # nothing is interpolated


def make_grid(extent_mm, spacing):
    shape = tuple(round(extent_mm / h) for h in spacing)
    return Grid(shape, np.diag([*spacing, 1.0]))


def radius_from(grid, center_mm):
    points = grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm(points - np.asarray(center_mm), axis=-1)


def make_labels(grid, core=None, edema=None, cavity=None):
    data = np.zeros(grid.shape, dtype=np.uint8)
    for mask, value in ((edema, 2), (core, 3), (cavity, 4)):
        if mask is not None:
            data[mask] = value
    return LabelMap(data, grid, SCHEMAS["brats-2024"])


def make_anatomy(grid, brain, fluid):
    csf = (fluid & brain).astype(np.float32)
    white = (brain & ~fluid).astype(np.float32)
    return Anatomy(white, np.zeros_like(white), csf, brain, grid)


@pytest.fixture
def head():
    """A ball of brain of 60 mm radius with a ventricle at its center, a thin fissure and shallow fluid."""
    grid = make_grid(130, (2.0, 2.0, 2.5))
    x, y, z = np.moveaxis(grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1)) - 64.0, -1, 0)
    brain = x**2 + y**2 + z**2 <= 60**2
    ventricle = (x / 20) ** 2 + (y / 10) ** 2 + (z / 10) ** 2 <= 1
    fissure = (np.abs(x) <= 1) & (z > 20)
    sulcus = (z < -48) & (np.abs(x) < 10) & (np.abs(y) < 10)
    return grid, brain, ventricle, fissure, sulcus


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), ANISOTROPIC])
def test_margin_around_a_ball_is_a_ball_of_radius_plus_margin(spacing):
    grid = make_grid(70, spacing)
    radius = radius_from(grid, (35.0, 35.0, 35.0))
    ball, margin = radius <= 12.0, 15.0
    grown = expand(ball, grid, margin, np.ones(grid.shape, dtype=bool))
    # The outermost voxel centers lie up to one spacing inside the ball's surface, so the grown ball is that much small.
    largest = 4 / 3 * np.pi * (12.0 + margin) ** 3
    smallest = 4 / 3 * np.pi * (12.0 + margin - 0.5 * max(spacing)) ** 3
    assert smallest < grown.sum() * grid.voxel_volume < 1.002 * largest
    beyond = max(spacing) / 2 if max(spacing) > WIDEST_MM else 1e-4
    assert not grown[radius > 12.0 + margin + beyond].any()


@pytest.mark.parametrize(
    "spacing", [(0.9, 0.9, 2.0), (1.0, 1.0, 3.0), (0.5, 0.5, 4.0), (0.9, 0.9, 5.5), (2.0, 2.0, 2.0)]
)
def test_margin_on_thick_slices_is_neither_cut_short_nor_too_wide(spacing):
    """Between centers of slices of 5.5 mm 15 mm would end at 11 mm, and the volume be a ninth too small."""
    grid = make_grid(70, spacing)
    ball = radius_from(grid, (35.0, 35.0, 35.0)) <= 10.0
    grown = expand(ball, grid, 15.0, np.ones(grid.shape, dtype=bool))
    own = (3 / (4 * np.pi) * ball.sum() * grid.voxel_volume) ** (1 / 3)  # the ball's radius, as the voxels show it
    assert grown.sum() * grid.voxel_volume == pytest.approx(4 / 3 * np.pi * (own + 15.0) ** 3, rel=0.06)
    for axis, edge in enumerate(spacing):
        others = tuple(other for other in range(3) if other != axis)
        ends = [np.flatnonzero(mask.any(axis=others)) for mask in (ball, grown)]
        assert abs((ends[0][0] - ends[1][0]) * edge - 15.0) <= max(edge / 2, 1.0)


@pytest.mark.parametrize("margin", [3.0123, 7.3123, 14.9123])  # on no lattice distance: the two round differently
def test_margin_agrees_with_an_independent_distance_transform(margin):
    grid = make_grid(60, FINE)
    generator = np.random.default_rng(0)
    mask = np.zeros(grid.shape, dtype=bool)
    mask[tuple(generator.integers(6, np.array(grid.shape) - 6, (12, 3)).T)] = True
    mask |= radius_from(grid, (30.0, 25.0, 28.0)) < 6
    image = sitk.GetImageFromArray(mask.transpose(2, 1, 0).astype(np.uint8))
    image.SetSpacing(grid.spacing)
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    expected = sitk.GetArrayFromImage(distance).transpose(2, 1, 0) <= margin
    assert np.array_equal(expand(mask, grid, margin, np.ones(grid.shape, dtype=bool)), expected)


def test_margin_of_whole_voxels_reaches_the_last_voxel_despite_rounding():
    grid = Grid((41, 1, 1), np.diag([0.9, 1, 1, 1]))
    point = np.zeros(grid.shape, dtype=bool)
    point[20] = True
    grown = expand(point, grid, 13.5, np.ones(grid.shape, dtype=bool))
    assert grown.sum() == 31


def test_expansion_stays_within_its_region():
    grid = make_grid(40, (1.0, 1.0, 1.0))
    radius = radius_from(grid, (20.0, 20.0, 20.0))
    half = np.indices(grid.shape)[0] < 22
    assert not expand(radius < 5, grid, 8.0, half)[~half].any()


@pytest.mark.parametrize("margin", [0.0, -1.0, 50.1, np.nan, np.inf])
def test_senseless_margin_is_refused(margin, head):
    grid, brain, ventricle, _, _ = head
    labels = make_labels(grid, core=ventricle)
    with pytest.raises(InputError, match="margin"):
        standard_ctv(labels, make_anatomy(grid, brain, ventricle), margin_mm=margin)


def test_gross_tumor_volume_is_core_and_cavity():
    grid = make_grid(30, (1.0, 1.0, 1.0))
    radius = radius_from(grid, (15.0, 15.0, 15.0))
    core, cavity, edema = radius < 4, (radius >= 4) & (radius < 6), radius < 10
    gtv, note = gross_tumor_volume(make_labels(grid, core=core, edema=edema, cavity=cavity))
    assert np.array_equal(gtv, radius < 6)
    assert note is None


def test_gross_tumor_volume_without_core_is_the_whole_tumor_and_says_so():
    grid = make_grid(30, (1.0, 1.0, 1.0))
    edema = radius_from(grid, (15.0, 15.0, 15.0)) < 8
    gtv, note = gross_tumor_volume(make_labels(grid, edema=edema))
    assert np.array_equal(gtv, edema)
    assert note is not None
    assert "whole tumor" in note


def test_empty_segmentation_is_refused():
    with pytest.raises(InputError, match="segmentation"):
        gross_tumor_volume(make_labels(make_grid(10, (1.0, 1.0, 1.0))))


def test_ventricle_is_found_and_sulci_and_fissures_are_not(head):
    grid, brain, ventricle, fissure, sulcus = head
    found = ventricles(make_anatomy(grid, brain, ventricle | fissure | sulcus))
    assert not found[~ventricle].any()
    assert found[ventricle].mean() > 0.95


def test_ventricles_are_found_once_for_an_anatomy_and_cannot_be_written_to(head):
    grid, brain, ventricle, _, _ = head
    first, second = (make_anatomy(grid, brain, ventricle & wanted) for wanted in (brain, ~brain))
    found = ventricles(first)
    assert ventricles(first) is found
    assert not found.flags.writeable
    assert not ventricles(second).any()  # another anatomy has its own, though as large


def test_no_fluid_means_no_ventricle(head):
    grid, brain, _, _, _ = head
    assert not ventricles(make_anatomy(grid, brain, np.zeros_like(brain))).any()


def test_standard_ctv_is_cropped_at_brain_and_ventricles_but_keeps_the_gtv(head):
    grid, brain, ventricle, _, _ = head
    gtv = radius_from(grid, (64.0, 64.0 + 12.0, 64.0)) < 8  # reaches into the ventricle
    ctv = standard_ctv(make_labels(grid, core=gtv), make_anatomy(grid, brain, ventricle), margin_mm=15.0)
    deep_in_ventricle = ventricles(make_anatomy(grid, brain, ventricle)) & ~gtv
    assert (gtv & ventricle).any()
    assert ctv[gtv].all()
    assert not ctv[~brain].any()
    assert not ctv[deep_in_ventricle].any()


@pytest.mark.parametrize("reach", [2.0, 5.0])
def test_target_reaches_into_ventricles_as_far_as_asked(head, reach):
    grid, brain, ventricle, _, _ = head
    anatomy = make_anatomy(grid, brain, ventricle)
    labels = make_labels(grid, core=radius_from(grid, (64.0, 64.0 + 20.0, 64.0)) < 4)
    cropped = treatable_region(labels, anatomy)
    region = treatable_region(labels, anatomy, ventricle_mm=reach)
    depth = ndimage.distance_transform_edt(~cropped & brain, sampling=grid.spacing)
    assert region[brain & (depth <= reach)].all()
    assert not region[brain & (depth > reach + max(grid.spacing) / 2)].any()
    assert (region & ~cropped).any()
    assert (brain & ~region).any()  # a ventricle is deeper than that


@pytest.mark.parametrize("reach", [-1.0, 51.0, np.nan])
def test_senseless_reach_into_ventricles_is_refused(head, reach):
    grid, brain, ventricle, _, _ = head
    labels = make_labels(grid, core=radius_from(grid, (64.0, 84.0, 64.0)) < 4)
    with pytest.raises(InputError, match="reach into ventricles"):
        treatable_region(labels, make_anatomy(grid, brain, ventricle), ventricle_mm=reach)
