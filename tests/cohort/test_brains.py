"""Brains that differ from each other: without folds, whole, and the same again from the same seed."""

import numpy as np
import pytest

from gliocast.cohort import brains
from gliocast.cohort.brains import BRAIN_GRID, BRATS_GRID, BrainVariation, random_brain


@pytest.fixture(scope="module")
def brain():
    return random_brain(np.random.default_rng(3))


def test_tissue_fills_the_brain_and_nothing_else(brain):
    total = brain.white_matter + brain.gray_matter + brain.csf
    np.testing.assert_allclose(total[brain.brain], 1, atol=1e-5)
    assert not total[~brain.brain].any()
    assert brain.grid is BRAIN_GRID
    assert 1.1e6 < brain.brain.sum() < 2.4e6  # intracranial volumes of people, in mm^3


def test_a_brain_is_its_seed_alone_and_others_are_others(brain):
    again = random_brain(np.random.default_rng(3))
    np.testing.assert_array_equal(again.white_matter, brain.white_matter)
    other = random_brain(np.random.default_rng(4))
    overlap = 2 * (other.brain & brain.brain).sum() / (other.brain.sum() + brain.brain.sum())
    assert 0.8 < overlap < 0.98


@pytest.mark.parametrize("seed", range(5))
def test_deformations_have_no_folds(seed):
    """The determinant of the Jacobian of x + u(x) is positive everywhere."""
    generator = np.random.default_rng(seed)
    displaced = brains._exponential(brains._velocity(BrainVariation(), generator))
    jacobian = np.stack([np.stack(np.gradient(part, brains._COARSE_MM)) for part in displaced])
    jacobian += np.eye(3).reshape(3, 3, 1, 1, 1)
    determinant = np.linalg.det(jacobian.transpose(2, 3, 4, 0, 1))
    assert determinant.min() > 0
    assert np.abs(displaced).max() > 2  # and yet they are deformations


def test_a_flow_that_grows_the_ventricles_makes_more_fluid():
    volumes = []
    for way in (-1.0, 4.0):
        variation = BrainVariation(0, 0, 0, 45, 0, 14, ventricles_mm=(way, way))
        brain = random_brain(np.random.default_rng(0), variation)
        middle = tuple(slice(n // 3, -(n // 3)) for n in brain.grid.shape)
        volumes.append(brain.csf[middle].sum())
    assert volumes[1] > 1.2 * volumes[0]


def test_the_grid_of_brains_lies_in_that_of_brats():
    corner = BRATS_GRID.voxel_from_world(BRAIN_GRID.world_from_voxel(np.zeros(3)))
    np.testing.assert_allclose(corner, [207, 223, 0])
