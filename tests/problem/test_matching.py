"""Least displacements lead to the tumor that made the outlines. Synthetic."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, ConvergenceError, Density, Grid, InputError, LabelMap, Posterior, dice
from gliocast.growth import Simulator, SingleScan
from gliocast.inference import bend, straighten
from gliocast.observation import LabelErrors, draw_outlines
from gliocast.problem import MatchOptions, Problem, match, outline_problem

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


def answer_at(problem, point, num_samples=400):
    """A normal answer around a point in natural units."""
    noise = np.random.default_rng(0).standard_normal((num_samples, len(point)))
    mode = straighten(problem.parameters, point[None])
    samples = bend(problem.parameters, mode + noise * DEVIATIONS)
    return Posterior(
        problem.parameters, samples, np.full(num_samples, 1 / num_samples), -0.5 * (noise**2).sum(axis=1), point
    )


def coordinates(posterior):
    """Of the mode, in deviations of the answer from the truth."""
    points = np.stack([posterior.mode, TRUTH])
    mode, truth = straighten(posterior.parameters, points)
    return (mode - truth) / DEVIATIONS


@pytest.fixture(scope="module")
def answer(problem):
    """One that is off by a deviation or so in every coordinate."""
    off = np.array([0.8, -1.0, 1.2, 0.7, -0.9, 0.8, -0.6]) * DEVIATIONS
    return answer_at(problem, bend(problem.parameters, straighten(problem.parameters, TRUTH[None]) + off)[0])


@pytest.fixture(scope="module")
def found(problem, answer):
    return match(problem, answer)


def test_exact_outlines_lead_to_the_tumor_that_shows_them(density, anatomy, found):
    """All but along a ridge: thresholds and growth number together change little of what is seen."""
    left = np.abs(coordinates(found))
    assert left[:2].max() < 0.7
    assert left[2:5].max() < 0.1
    grown = SingleScan(Simulator(backend="numba-single", accuracy=2e-2))(found.mode[:5], anatomy, days=[1.0])[0].data
    for ours, theirs in zip(found.mode[5:], TRUTH[5:], strict=True):
        assert dice(grown > ours, density > theirs) > 0.97
    assert found.diagnostics["displacement_voxels"] < 0.42  # of half a voxel, robustly, it is 0.37
    assert found.diagnostics["evaluations"] < MatchOptions().max_solves + 7


def test_the_answer_moves_and_gets_no_surer(answer, found):
    before, after = (straighten(part.parameters, part.samples) for part in (answer, found))
    way = straighten(answer.parameters, np.stack([found.mode, answer.mode]))
    np.testing.assert_allclose(after - way[0], before - way[1], atol=1e-9)
    assert "drawn to the outlines" in found.method


def test_where_outlines_err_the_answer_moves_less(anatomy, density, answer, found):
    """Errors of 0.6 voxels leave the answer, which is off by a deviation or so, about where it is."""
    volume = Density(density, anatomy.grid)
    errors = LabelErrors(displacement_mm=1.2, correlation_mm=6.0)
    outlines = draw_outlines(volume, TRUTH[5], TRUTH[6], errors, np.random.default_rng(0))
    other = match(problem_of(*outlines, anatomy), answer)
    ways = [np.linalg.norm(coordinates(part) - coordinates(answer)) for part in (other, found)]
    assert 0.02 < ways[0] < 0.6 * ways[1]
    assert other.diagnostics["displacement_voxels"] > 0.45


def test_the_same_with_one_thread(problem, answer, found):
    alone = Problem(problem.forward, problem.anatomy, problem.observation, problem.prior, num_threads=1)
    assert np.array_equal(match(alone, answer).mode, found.mode)


def test_a_second_focus_moves_little(anatomy, density, answer, found):
    """A ball of label apart from the tumor is no reason to grow the tumor to it; thresholds are known less well."""
    radii = np.linalg.norm(np.moveaxis(np.indices(anatomy.grid.shape), 0, -1) - np.array([34, 8, 34]), axis=-1)
    focus = radii < 4
    assert not (density > TRUTH[6])[focus].any()
    other = match(problem_of(density > TRUTH[5], (density > TRUTH[6]) | focus, anatomy), answer)
    moved = np.abs(coordinates(other) - coordinates(found))
    assert moved[:2].max() < 0.7
    assert moved[2:5].max() < 0.1


def test_outlines_without_a_border_in_tissue_are_refused(anatomy, density, answer):
    whole = density > TRUTH[6]
    tissue = (np.where(whole, part, 0) for part in (anatomy.white_matter, anatomy.gray_matter))
    island = Anatomy(*tissue, np.where(whole, 0, 1).astype(np.float32), anatomy.brain, anatomy.grid)
    with pytest.raises(InputError, match="border inside tissue"):
        match(problem_of(whole, whole, island), answer)


def test_an_answer_outside_of_the_brain_is_an_error_that_says_so(problem):
    away = TRUTH.copy()
    away[2:5] = -500.0
    with pytest.raises(ConvergenceError, match="growth at the answer"):
        match(problem, answer_at(problem, away))


def test_too_few_samples_for_a_covariance_are_refused(problem):
    with pytest.raises(InputError, match="samples or more"):
        match(problem, answer_at(problem, TRUTH, num_samples=20))


@pytest.mark.parametrize("wrong", [{"max_solves": 0}, {"stride": 0.0}, {"tolerance": -1.0}])
def test_senseless_options_are_refused(wrong):
    with pytest.raises(InputError, match="match"):
        MatchOptions(**wrong)
