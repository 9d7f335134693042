import numpy as np
import pytest

from gliocast.anatomy import Correspondence
from gliocast.core import Grid, InputError, dice

#: Atlas = TURN @ patient + SHIFT: a turn by a tenth of a radian, ten percent larger.
TURN = 1.1 * np.array([[np.cos(0.1), -np.sin(0.1), 0], [np.sin(0.1), np.cos(0.1), 0], [0, 0, 1]])
SHIFT = np.array([4.0, -6.0, 3.0])


def grid_of(shape, spacing, corner):
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = corner
    return Grid(shape, affine)


PATIENT = grid_of((64, 60, 56), 1.0, (-32, -30, -28))
ATLAS = grid_of((30, 30, 30), 3.0, (-45, -50, -45))


@pytest.fixture(scope="module")
def correspondence():
    coarse = PATIENT.coarsen((4, 4, 4))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in coarse.shape), indexing="ij"), axis=-1)
    return Correspondence(
        np.moveaxis(coarse.world_from_voxel(index) @ TURN.T + SHIFT, -1, 0).astype(np.float32), coarse
    )


def ball(grid, center, radius):
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    return np.linalg.norm(grid.world_from_voxel(index) - center, axis=-1) < radius


def test_points_go_to_the_atlas_and_back(correspondence):
    points = np.random.default_rng(0).uniform(-20, 20, (20, 3))
    there = correspondence.in_atlas(points)
    np.testing.assert_allclose(there, points @ TURN.T + SHIFT, atol=1e-3)
    for point, placed in zip(points, there, strict=True):
        np.testing.assert_allclose(correspondence.in_patient(placed), point, atol=1e-2)


def test_a_ball_in_the_patient_is_the_larger_ball_in_the_atlas(correspondence):
    center = np.array([3.0, 2.0, -4.0])
    share = correspondence.carried_to_atlas(ball(PATIENT, center, 14.0), PATIENT, ATLAS)
    expected = ball(ATLAS, TURN @ center + SHIFT, 1.1 * 14.0)
    assert dice(share > 0.5, expected) > 0.97
    volume = float(share.sum()) * ATLAS.voxel_volume
    assert volume == pytest.approx(1.1**3 * 4 / 3 * np.pi * 14.0**3, rel=0.02)


def test_a_field_of_the_atlas_is_read_where_the_patient_corresponds(correspondence):
    index = np.stack(np.meshgrid(*(np.arange(n) for n in ATLAS.shape), indexing="ij"), axis=-1)
    height = ATLAS.world_from_voxel(index)[..., 1]  # linear, so interpolation is exact
    carried = correspondence.carried_to_patient(height, ATLAS, PATIENT)
    inner = (slice(20, 40),) * 3
    index = np.stack(np.meshgrid(*(np.arange(n) for n in PATIENT.shape), indexing="ij"), axis=-1)
    expected = (PATIENT.world_from_voxel(index) @ TURN.T + SHIFT)[..., 1]
    np.testing.assert_allclose(carried[inner], expected[inner], atol=1e-2)


def test_a_point_that_no_voxel_of_the_patient_corresponds_to_is_refused(correspondence):
    with pytest.raises(InputError, match="inside of the patient"):
        correspondence.in_patient(np.array([500.0, 0.0, 0.0]))
