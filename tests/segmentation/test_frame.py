"""The frame against arrays turned by hand, against nibabel, and through voxels of other sizes."""

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gliocast.core import Grid
from gliocast.segmentation.frame import Frame

from .phantom import FRAME_AFFINE, ORIENTATIONS, turned

FIELD = np.random.default_rng(0).standard_normal((5, 6, 7)).astype(np.float32)
STRAIGHT, OBLIQUE = np.zeros(3), np.deg2rad(10) * np.array([0.6, -0.64, 0.48])


@pytest.mark.parametrize("rotation", [STRAIGHT, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_whatever_the_orientation_the_frame_shows_the_same_and_leads_back(axes, flips, rotation):
    data, affine = turned(FIELD, FRAME_AFFINE, axes, flips)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_rotvec(rotation).as_matrix()
    grid = Grid(data.shape, turn @ affine)
    frame = Frame.of(grid)
    assert frame.shape == FIELD.shape
    there = frame.enter(torch.from_numpy(data)[None])
    np.testing.assert_array_equal(there[0], FIELD)
    np.testing.assert_array_equal(frame.leave(there, grid)[0], data)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(data, grid.affine)).get_fdata()  # right, front and up
    np.testing.assert_array_equal(there[0], canonical[::-1, ::-1])


@pytest.mark.parametrize("seed", range(12))
def test_however_oblique_every_axis_is_taken_once(seed):
    """Two array axes may be nearest to one axis of the world."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    grid, field = Grid(FIELD.shape, affine), torch.from_numpy(FIELD)[None]
    frame = Frame.of(grid)
    assert sorted(frame.axes) == [0, 1, 2]
    assert torch.equal(frame.leave(frame.enter(field), grid), field)


def test_fields_are_turned_each_for_itself():
    grid = Grid((5, 6, 7), np.eye(4))
    fields = torch.from_numpy(np.stack([FIELD, 2 * FIELD]))
    there = Frame.of(grid).enter(fields)
    np.testing.assert_array_equal(there, fields.flip((1, 2)))


@pytest.fixture
def thick():
    """A grid of slices of 3 mm that runs to the front, up and to the left."""
    return Grid((22, 8, 20), np.array([[0, 0, -1.0, 5], [1.0, 0, 0, 6], [0, 3.0, 0, 7], [0, 0, 0, 1]]))


def positions(grid):
    return grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1))


def test_thick_slices_become_voxels_of_one_millimeter(thick):
    """A field that is linear in the world is so in the frame, with the slope of millimeters, away from the ends."""
    frame = Frame.of(thick)
    assert frame.shape == (20, 22, 24)
    world = np.moveaxis(positions(thick), -1, 0).astype(np.float32)
    x, y, z = frame.enter(torch.from_numpy(world)).numpy()[:, :, :, 1:-1]
    for field, axis, slope in ((x, 0, -1.0), (y, 1, -1.0), (z, 2, 1.0)):
        np.testing.assert_allclose(np.diff(field, axis=axis), slope, atol=1e-4)
    assert z[0, 0, 11 - 1] + z[0, 0, 12 - 1] == pytest.approx(2 * (7 + 3 * 3.5), abs=1e-3)  # the middle stays


def test_smooth_field_survives_the_way_there_and_back(thick):
    """Of wavelength 2 pi 10 mm: linear interpolation over 3 mm errs by 3^2 / 8 / 10^2 = 1 % at most, each way."""
    field = np.cos(positions(thick) / 10).sum(axis=-1).astype(np.float32)
    frame = Frame.of(thick)
    back = frame.leave(frame.enter(torch.from_numpy(field)[None]), thick)[0].numpy()
    assert back.shape == field.shape
    np.testing.assert_allclose(back[:, 1:-1], field[:, 1:-1], atol=0.025)  # at the ends there is nothing beyond


def test_masks_keep_their_numbers_and_their_volume(thick):
    mask = np.zeros(thick.shape, np.float32)
    mask[4:9, 2:5, 3:11] = 3
    found = Frame.of(thick).enter(torch.from_numpy(mask)[None], "nearest")[0].numpy()
    expected = np.repeat(mask, 3, axis=1).transpose(2, 0, 1)[:, ::-1]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("spacing", "size"), [(1.05, 30), (0.95, 30), (1.2, 36), (0.5, 15)])
def test_voxels_of_about_a_millimeter_are_taken_as_they_are(spacing, size):
    assert Frame.of(Grid((30,) * 3, np.diag([-spacing, -spacing, spacing, 1]))).shape == (size,) * 3
