import numpy as np
import pytest

from gliocast.cohort.follow_up import carried_back
from gliocast.core import Grid, dice

GRID = Grid((40, 44, 36), np.diag([-1.0, -1.0, 1.0, 1.0]))


def ball(center, radius):
    index = np.moveaxis(np.indices(GRID.shape), 0, -1)
    return np.linalg.norm(index - np.asarray(center), axis=-1) <= radius


def test_labels_follow_a_shift_of_the_tissue_against_the_axes_of_the_grid():
    """All tissue has moved by (3, -2, 1) mm to the right, to the back and up; the grid's first axes run to L and P."""
    later = np.broadcast_to(np.array([3.0, -2.0, 1.0])[:, None, None, None], (3, *GRID.shape))
    labels = np.where(ball((18, 22, 16), 5), 2, 0).astype(np.uint8)
    carried = carried_back(labels, GRID, later=later, earlier=np.zeros_like(later))
    np.testing.assert_array_equal(carried, np.where(ball((18 + 3, 22 - 2, 16 - 1), 5), 2, 0))


def test_what_moved_before_both_visits_stays():
    field = np.broadcast_to(np.array([3.0, -2.0, 1.0])[:, None, None, None], (3, *GRID.shape))
    labels = np.where(ball((18, 22, 16), 5), 3, 0).astype(np.uint8)
    np.testing.assert_array_equal(carried_back(labels, GRID, later=field, earlier=field), labels)


def test_tissue_pushed_away_from_a_point_comes_back_to_where_it_was():
    """u(x) = (1 - 1 / s) (x - c) around c, all tissue spread by s: a ball of radius s r comes from one of r."""
    center, spread = np.array([20.2, 21.1, 17.3]), 1.5
    index = np.moveaxis(np.indices(GRID.shape), 0, -1)
    outward = np.moveaxis((index - center) @ GRID.affine[:3, :3].T, -1, 0) * (1 - 1 / spread)
    labels = np.where(ball(center, 6.2 * spread), 1, 0).astype(np.uint8)
    carried = carried_back(labels, GRID, later=outward.astype(np.float32), earlier=np.zeros((3, *GRID.shape)))
    assert dice(carried == 1, ball(center, 6.2)) > 0.95  # nearest neighbors err by half a voxel at the surface
    assert np.count_nonzero(carried) == pytest.approx(np.count_nonzero(ball(center, 6.2)), rel=0.06)


def test_nothing_comes_from_nothing():
    nothing = np.zeros(GRID.shape, dtype=np.uint8)
    assert not carried_back(nothing, GRID, later=np.zeros((3, *GRID.shape)), earlier=np.zeros((3, *GRID.shape))).any()
