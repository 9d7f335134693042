"""What was observed among what the fitted model draws."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, Grid, LabelMap
from gliocast.growth import Simulator
from gliocast.inference import laplace_around
from gliocast.observation import LabelErrors, draw_outlines
from gliocast.problem import (
    PredictiveCheck,
    PredictiveStatistic,
    grow_samples,
    outline_problem,
    predictive_check,
    temper,
)

SPACING = 3.0
#: D_w T, rho T, seed [mm], c_T1c, c_FLAIR.
TRUTH = np.array([16.0, 9.0, 30.0, 34.0, 36.0, 0.65, 0.25])


@pytest.fixture(scope="module")
def brain():
    """A box of white matter on 3 mm voxels."""
    shape = (30, 22, 22)
    white = np.zeros(shape, np.float32)
    white[2:-2, 2:-2, 2:-2] = 1
    return Anatomy(white, 0 * white, 0 * white, white > 0, Grid(shape, np.diag([SPACING, SPACING, SPACING, 1.0])))


@pytest.fixture(scope="module")
def segmented(brain):
    """Core and whole tumor of one focus, as a rater draws them."""
    density = Simulator()(TRUTH[:5], brain, days=[1.0])[0]
    return draw_outlines(density, *TRUTH[5:], LabelErrors(), np.random.default_rng(0))


def check(outlines, anatomy):
    """The check of a fit to outlines, (2, x, y, z)."""
    core, whole = outlines
    labels = LabelMap((2 * whole - core.astype(int)).astype(np.uint8), anatomy.grid, SCHEMAS["brats-2021"])
    problem, guess = outline_problem(labels, anatomy)
    generator = np.random.default_rng(0)
    found = temper(problem, start=guess.point, spread=guess.spread, generator=generator)
    posterior = laplace_around(found.problem, found.mode, generator=generator)
    return predictive_check(problem, grow_samples(problem, posterior), generator=generator)


def test_a_tumor_that_the_model_grew_is_no_surprise(segmented, brain):
    result = check(segmented, brain)
    assert len(result.statistics) == 4
    assert not any(statistic.surprising for statistic in result.statistics)
    assert min(statistic.p_value for statistic in result.statistics) > 0.05
    assert result.sentences() == ()
    for name, seen in zip(("core", "whole"), segmented, strict=True):
        # what nearly all replicates draw is tumor, and what nearly none do isn't
        assert seen[result.shares[name] > 0.95].mean() > 0.95
        assert seen[result.shares[name] < 0.05].mean() < 0.01


@pytest.mark.slow
def test_two_foci_are_nothing_that_growth_from_one_draws(segmented, brain):
    place = SPACING * np.indices(brain.grid.shape)
    away = np.linalg.norm(place - np.array([72.0, 34, 36]).reshape(3, 1, 1, 1), axis=0)
    result = check(segmented | np.stack([away < 6, away < 10]), brain)
    surprising = {statistic.name for statistic in result.statistics if statistic.surprising}
    assert "whole Dice with the typical outline" in surprising
    (sentence,) = result.sentences()
    assert all(name in sentence for name in surprising)


def test_p_values_count_the_observed_one_in():
    ranks = np.arange(1.0, 41)
    middle, low, high = (PredictiveStatistic("s", "1", x, ranks, two_sided=True) for x in (20.5, 0.0, 99.0))
    assert middle.p_value == 1
    assert low.p_value == high.p_value == pytest.approx(2 / 41)
    assert (middle.surprising, low.surprising, high.surprising) == (False, True, True)
    likeness = [PredictiveStatistic("s", "1", x, ranks, two_sided=False) for x in (0.0, 1.5, 99.0)]
    np.testing.assert_allclose([s.p_value for s in likeness], [1 / 41, 2 / 41, 1])
    assert [s.surprising for s in likeness] == [True, False, False]
    assert middle.median == 20.5
    np.testing.assert_allclose(middle.interval, (0.025 * 41, 0.975 * 41))  # k-th of n: share k / (n + 1)


def test_shares_are_carried_to_a_finer_grid_where_they_lie():
    coarse, fine = (Grid((n, n, n), np.diag([h, h, h, 1.0])) for n, h in ((5, 2.0), (9, 1.0)))
    ramp = np.broadcast_to(0.25 * np.arange(5)[:, None, None], coarse.shape)
    carried = PredictiveCheck((), {"core": ramp}, coarse).shares_on(fine)["core"]
    np.testing.assert_allclose(carried[:, 4, 4], np.arange(9) / 8, atol=1e-6)
