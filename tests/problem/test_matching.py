"""Least displacements lead to the tumor that made the outlines. Synthetic."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, ConvergenceError, Grid, InputError, LabelMap
from gliocast.growth import Simulator, SingleScan
from gliocast.inference import bend, straighten
from gliocast.problem import Belief, MatchOptions, match, outline_problem

SIDE, SPACING = 44, 2.0
TRUTH = np.array([6.0, 3.0, 44.0, 42.0, 46.0, 0.6, 0.2])
DEVIATIONS = np.array([0.2, 0.2, 2.0, 2.0, 2.0, 0.3, 0.3])


@pytest.fixture(scope="module")
def anatomy():
    """White matter with slabs of gray matter, without any symmetry."""
    grid = Grid((SIDE,) * 3, np.diag([SPACING, SPACING, SPACING, 1.0]))
    gray = np.zeros(grid.shape, np.float32)
    gray[:, 26:30] = 1.0
    gray[12:16, :20, 10:] = 1.0
    return Anatomy(1 - gray, gray, np.zeros_like(gray), np.ones(grid.shape, bool), grid)


@pytest.fixture(scope="module")
def density(anatomy):
    return SingleScan(Simulator(backend="numba-single", accuracy=2e-2))(TRUTH[:5], anatomy, days=[1.0])[0].data


def problem_of(core, whole, anatomy):
    labels = LabelMap(np.select([core, whole], [1, 2]).astype(np.uint8), anatomy.grid, SCHEMAS["brats-2021"])
    return outline_problem(labels, anatomy)[0]


@pytest.fixture(scope="module")
def problem(anatomy, density):
    return problem_of(density > TRUTH[5], density > TRUTH[6], anatomy)


@pytest.fixture(scope="module")
def before(problem):
    """A belief that is off by a deviation or so in every coordinate."""
    off = np.array([0.8, -1.0, 1.2, 0.7, -0.9, 0.8, -0.6]) * DEVIATIONS
    return Belief(straighten(problem.parameters, TRUTH[None])[0] + off, np.diag(DEVIATIONS**2))


@pytest.fixture(scope="module")
def found(problem, before):
    return match(problem, before)


def test_exact_outlines_lead_to_the_truth(problem, before, found):
    truth = straighten(problem.parameters, TRUTH[None])[0]
    left = np.abs(found.belief.mean - truth) / DEVIATIONS
    assert left[:2].max() < 0.7  # of what was believed before, when it was about one; a ridge with the thresholds
    assert left[2:5].max() < 0.1
    assert found.displacement < 0.42  # of half a voxel, robustly, it is 0.37
    assert found.num_solves < MatchOptions().max_solves + 7


def test_growth_and_seed_are_within_what_is_stated(problem, found):
    """Thresholds run along a ridge with the growth number, farther than is stated."""
    samples = found.posterior("match", generator=np.random.default_rng(0), num_samples=500)
    low, high = samples.interval(0.99).T
    assert ((low < TRUTH) & (high > TRUTH))[:5].all()
    assert samples.diagnostics["evaluations"] == found.num_solves


def test_the_same_twice_and_with_any_number_of_threads(problem, before, found):
    again = match(problem, before)
    assert np.array_equal(again.belief.mean, found.belief.mean)


def test_a_second_focus_moves_little(anatomy, density, before, found):
    """A ball of label apart from the tumor is no reason to grow the tumor to it; thresholds are known less well."""
    radii = np.linalg.norm(np.moveaxis(np.indices(anatomy.grid.shape), 0, -1) - np.array([34, 8, 34]), axis=-1)
    focus = radii < 4
    assert not (density > TRUTH[6])[focus].any()
    other = match(problem_of(density > TRUTH[5], (density > TRUTH[6]) | focus, anatomy), before)
    moved = np.abs(other.belief.mean - found.belief.mean) / DEVIATIONS
    assert moved[:2].max() < 0.7
    assert moved[2:5].max() < 0.1


def test_outlines_without_a_border_in_tissue_are_refused(anatomy, density, before):
    fluid = Anatomy(
        np.where(density > TRUTH[6], anatomy.white_matter, 0),
        np.where(density > TRUTH[6], anatomy.gray_matter, 0),
        np.where(density > TRUTH[6], 0, 1).astype(np.float32),
        anatomy.brain,
        anatomy.grid,
    )
    whole = density > TRUTH[6]
    problem = problem_of(whole, whole, fluid)
    with pytest.raises(InputError, match="border inside tissue"):
        match(problem, before)


def test_a_belief_outside_of_the_brain_is_an_error_that_says_so(problem, before):
    away = before.mean.copy()
    away[2:5] = -500.0
    with pytest.raises(ConvergenceError, match="where it is believed to be"):
        match(problem, Belief(away, before.covariance))


def test_a_belief_is_that_of_a_posterior(problem, found):
    posterior = found.posterior("match", generator=np.random.default_rng(1), num_samples=4000)
    again = Belief.of(posterior)
    assert np.allclose(bend(problem.parameters, again.mean[None])[0], posterior.mode)
    assert np.allclose(np.diag(again.covariance) / np.diag(found.belief.covariance), 1, atol=0.1)


@pytest.mark.parametrize("wrong", [{"max_solves": 0}, {"stride": 0.0}, {"tolerance": -1.0}])
def test_senseless_options_are_refused(wrong):
    with pytest.raises(InputError, match="match"):
        MatchOptions(**wrong)
