import numpy as np
import pytest

from gliocast.core import (
    POSITIVE,
    SCHEMAS,
    UNIT_INTERVAL,
    Anatomy,
    Box,
    Density,
    Grid,
    InputError,
    LabelMap,
    Parameter,
    Posterior,
    Volume,
    block_mean,
    bounding_box,
    dice,
)

OBLIQUE = np.array([[0.9, 0.1, 0.0, 5.0], [-0.1, 0.9, 0.2, -7.0], [0.0, -0.2, 2.0, 3.0], [0, 0, 0, 1]])


def test_world_and_voxel_coordinates_invert_each_other():
    grid = Grid((10, 12, 14), OBLIQUE)
    index = np.array([[0, 0, 0], [3.5, 2.0, 13.0]])
    np.testing.assert_allclose(grid.voxel_from_world(grid.world_from_voxel(index)), index, atol=1e-12)


def test_coarse_voxels_are_centered_on_their_blocks():
    grid = Grid((10, 12, 14), OBLIQUE)
    coarse = grid.coarsen((2, 3, 1))
    assert coarse.shape == (5, 4, 14)
    assert coarse.voxel_volume == pytest.approx(6 * grid.voxel_volume)
    np.testing.assert_allclose(coarse.world_from_voxel([1, 2, 3]), grid.world_from_voxel([2.5, 7, 3]))


def test_cropping_keeps_the_world():
    grid = Grid((10, 12, 14), OBLIQUE)
    cropped = grid.crop((2, -1, 4), (8, 5, 9))
    assert cropped.shape == (6, 6, 5)
    np.testing.assert_allclose(cropped.world_from_voxel([0, 0, 0]), grid.world_from_voxel([2, -1, 4]))


def test_grids_are_equal_up_to_a_hundredth_of_a_voxel():
    grid = Grid((10, 12, 14), OBLIQUE)
    shift = np.zeros((4, 4))
    shift[0, 3] = 0.005
    assert grid == Grid((10, 12, 14), OBLIQUE + shift)
    assert grid != Grid((10, 12, 14), OBLIQUE + 4 * shift)
    assert grid != Grid((10, 12, 13), OBLIQUE)
    with pytest.raises(InputError, match="resample"):
        grid.require_same(Grid((10, 12, 13), OBLIQUE), "t2")


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_affine_that_maps_nothing_is_refused(affine):
    with pytest.raises(InputError):
        Grid((4, 4, 4), affine)


def test_array_of_another_shape_is_refused():
    with pytest.raises(InputError):
        Volume(np.zeros((3, 4, 5)), Grid((3, 4, 6), np.eye(4)))


def test_block_means_conserve_the_integral():
    data = np.random.default_rng(0).uniform(0, 1, (8, 9, 10)).astype(np.float32)
    assert block_mean(data, (2, 3, 5)).sum() * 30 == pytest.approx(data.sum(), rel=1e-5)


def test_coarse_anatomy_pads_what_does_not_divide():
    grid = Grid((5, 6, 7), np.eye(4))
    white = np.ones(grid.shape, np.float32)
    anatomy = Anatomy(white, 0 * white, 0 * white, white > 0, grid).coarsen((2, 2, 2))
    assert anatomy.grid.shape == (3, 3, 4)
    assert anatomy.white_matter.sum() * 8 == pytest.approx(white.sum())


def test_box_around_a_mask_grows_and_stays_on_the_grid():
    mask = np.zeros((10, 10, 10), bool)
    mask[2, 3, 4] = mask[5, 3, 8] = True
    box = bounding_box(mask)
    assert box == Box((2, 3, 4), (6, 4, 9))
    assert box.num_voxels == 4 * 1 * 5
    assert box.grown((3, 1, 2), (10, 10, 10)) == Box((0, 2, 2), (9, 5, 10))


def test_labels_mean_what_their_schema_says():
    data = np.array([[[0, 1, 2, 3, 4]]], np.uint8)
    grid = Grid(data.shape, np.eye(4))
    new = LabelMap(data, grid, SCHEMAS["brats-2024"])
    assert new.core.tolist() == [[[False, True, False, True, False]]]
    assert new.whole.tolist() == [[[False, True, True, True, False]]]
    assert new.cavity.tolist() == [[[False, False, False, False, True]]]
    swapped = LabelMap(data, grid, SCHEMAS["swapped"])
    assert swapped.enhancing.tolist() == [[[False, True, False, False, False]]]
    assert swapped.volumes()["necrosis"] == 1.0


def test_burden_is_an_integral_in_cubic_millimeters():
    grid = Grid((4, 4, 4), np.diag([2.0, 1.0, 1.0, 1.0]))
    density = Density(np.full(grid.shape, 0.25, np.float32), grid)
    assert density.burden() == pytest.approx(64 * 2 * 0.25)
    assert density.burden(np.arange(64).reshape(4, 4, 4) < 8) == pytest.approx(8 * 2 * 0.25)
    assert density.volume_above(0.2) == 128


def test_weighted_intervals_follow_the_weights():
    parameter = Parameter("x", "x", "1", POSITIVE, (1.0, 2.0), "test")
    samples = np.linspace(0, 1, 1001)[:, None] + 1
    weights = np.where(samples[:, 0] < 1.5, 0.0, 1.0)
    weights /= weights.sum()
    posterior = Posterior((parameter,), samples, weights, np.zeros(1001), np.array([1.75]))
    np.testing.assert_allclose(posterior.interval(0.5)[0], [1.625, 1.875], atol=2e-3)
    assert posterior.mean[0] == pytest.approx(1.75, abs=1e-3)
    assert posterior.standard_deviation[0] == pytest.approx(0.5 / np.sqrt(12), rel=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, np.nan, np.inf])
def test_values_outside_the_support_are_refused(value):
    with pytest.raises(InputError, match="typical values"):
        Parameter("share", "c", "1", UNIT_INTERVAL, (0.1, 0.9), "test").require(value)


def test_dice_by_hand():
    a, b = np.array([True, True, False, True]), np.array([True, True, True, False])
    assert dice(a, b) == pytest.approx(2 * 2 / 6)
    assert dice(a & ~a, b & ~b) == 1


def test_an_error_reads_as_advice():
    text = str(InputError("t1", expected="a brain", got="a knee", advice="scan the head"))
    assert text == "t1: expected a brain, got a knee; scan the head"
