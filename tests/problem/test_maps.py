"""Maps of the density under the posterior, against closed forms."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from gliocast.core import (
    REAL,
    Anatomy,
    Density,
    Grid,
    InputError,
    OutsideTissueError,
    Parameter,
    Posterior,
    QualityError,
)
from gliocast.inference import IndependentPrior
from gliocast.problem import Problem, grow_samples, predictive_maps

HEIGHT = Parameter("height", "h", "1", REAL, (0.0, 1.0), "test")
COARSE = Grid((6, 5, 4), np.diag([2.0, 2.0, 2.0, 1.0]))
NUM_SAMPLES = 40


@dataclass(frozen=True)
class Ramp:
    """A density that rises along x, times one number; none grows from a negative one."""

    parameters: tuple = (HEIGHT,)

    def __call__(self, values, anatomy, *, days):
        if values[0] < 0:
            raise OutsideTissueError("seed", expected="a positive number", got="a negative one", advice="none")
        x = anatomy.grid.world_from_voxel(np.moveaxis(np.indices(anatomy.grid.shape), 0, -1))[..., 0]
        return [Density((values[0] * x / 10).astype(np.float32), anatomy.grid)]


class Nothing:
    """Sees nothing."""

    parameters = ()


def white(grid):
    ones = np.ones(grid.shape, dtype=np.float32)
    return Anatomy(ones, 0 * ones, 0 * ones, ones > 0, grid)


def make_problem():
    return Problem(Ramp(), white(COARSE), Nothing(), IndependentPrior.from_typical((HEIGHT,)), num_threads=2)


def posterior_of(values):
    values = np.asarray(values, dtype=float)
    weights = np.full(len(values), 1 / len(values))
    return Posterior((HEIGHT,), values[:, None], weights, np.zeros(len(values)), values[:1])


def test_mean_deviation_and_exceedance_of_a_density_that_scales_with_one_number():
    heights = (np.arange(NUM_SAMPLES) + 0.5) / NUM_SAMPLES
    grown = grow_samples(make_problem(), posterior_of(heights), num_samples=NUM_SAMPLES)
    maps = predictive_maps(grown, white(COARSE), thresholds=(0.2, 0.6))
    ramp = np.arange(6)[:, None, None] * np.ones(COARSE.shape) * 0.2
    np.testing.assert_allclose(maps.mean, ramp * 0.5, rtol=1e-5)
    np.testing.assert_allclose(maps.standard_deviation, ramp * heights.std(), rtol=1e-5)
    for threshold, share in maps.exceedance.items():
        expected = (heights[:, None] * np.arange(6) * 0.2 > threshold).mean(axis=0)
        # a sample may lie within rounding of the threshold
        np.testing.assert_allclose(share[:, 0, 0], expected, atol=1.01 / NUM_SAMPLES)


def test_maps_of_a_finer_grid_are_interpolated_linearly_and_vanish_outside_of_tissue():
    fine = Grid((11, 9, 7), np.eye(4))
    anatomy = white(fine)
    anatomy.white_matter[5:7] = 0
    maps = predictive_maps(grow_samples(make_problem(), posterior_of([0.5]), num_samples=1), anatomy)
    expected = 0.05 * np.arange(11.0)
    expected[5:7] = 0
    np.testing.assert_allclose(maps.mean[:, 4, 3], expected, atol=1e-6)
    assert not maps.standard_deviation.any()


def test_samples_that_cannot_grow_are_left_out_until_they_are_most():
    few, most = [0.5] * 30 + [-1.0] * 10, [0.5] * 10 + [-1.0] * 30
    grown = grow_samples(make_problem(), posterior_of(few), num_samples=NUM_SAMPLES)
    assert len(grown.points) == len(grown.densities) == 30
    maps = predictive_maps(grown, white(COARSE))
    np.testing.assert_allclose(maps.mean[5], 0.5, rtol=1e-5)
    with pytest.raises(QualityError, match="30 of 40"):
        grow_samples(make_problem(), posterior_of(most), num_samples=NUM_SAMPLES)


def test_the_density_at_the_mode_takes_its_deviation_from_maps_that_are_there():
    problem, posterior = make_problem(), posterior_of([0.4, 0.6])
    maps = predictive_maps(grow_samples(problem, posterior, num_samples=2), white(COARSE))
    with_maps, without = (
        problem.predict(posterior, white(COARSE), **given) for given in ({"maps": maps}, {"num_samples": 2})
    )
    np.testing.assert_array_equal(with_maps.standard_deviation, without.standard_deviation)
    np.testing.assert_array_equal(with_maps.data, without.data)


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_senseless_thresholds_are_refused(threshold):
    grown = grow_samples(make_problem(), posterior_of([0.5]), num_samples=1)
    with pytest.raises(InputError, match="thresholds"):
        predictive_maps(grown, white(COARSE), thresholds=(threshold,))


def test_no_samples_and_a_posterior_of_another_problem_are_refused():
    posterior = posterior_of([0.5])
    with pytest.raises(InputError, match="at least one"):
        grow_samples(make_problem(), posterior, num_samples=0)
    other = replace(posterior, parameters=(replace(HEIGHT, name="depth"),))
    with pytest.raises(InputError, match="the one of this problem"):
        grow_samples(make_problem(), other)
