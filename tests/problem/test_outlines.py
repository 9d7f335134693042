from dataclasses import replace

import numpy as np
import pytest

from gliocast.core import Anatomy, Grid, InputError, LabelMap
from gliocast.growth import FisherKolmogorov, Simulator, SingleScan
from gliocast.inference import laplace, straighten
from gliocast.problem import Problem, outline_problem, temper

SPACING = 2.0
TRUTH = np.array([5.0, 3.0, 41.0, 38.0, 39.0, 0.65, 0.25])


@pytest.fixture(scope="module")
def brain(ball):
    """A ball of white matter with a gray rim and a fluid-filled hole, on 2 mm voxels."""
    return ball((42, 40, 40), SPACING, white=30, gray=38, hole=np.s_[15:19, 10:16, 16:24])


@pytest.fixture(scope="module")
def labels(brain, segmentation):
    density = Simulator()((TRUTH[0] ** 2, TRUTH[1] ** 2, *TRUTH[2:5]), brain, days=[1.0])[0].data
    return segmentation(density > TRUTH[5], density > TRUTH[6], brain.grid)


@pytest.fixture(scope="module")
def posed(labels, brain):
    return outline_problem(labels, brain)


@pytest.fixture(scope="module")
def problem(posed):
    return posed[0]


def test_moments_of_the_segmentation_start_near_the_truth(posed):
    start, spread = posed[1].point, posed[1].spread
    assert np.linalg.norm(start[2:5] - TRUTH[2:5]) < 4
    assert 0.4 < start[0] / TRUTH[0] < 2.5
    assert 0.4 < start[1] / TRUTH[1] < 2.5
    assert (spread > 0).all()


def test_result_does_not_depend_on_the_number_of_threads(labels, brain):
    points = np.repeat(TRUTH[None], 4, axis=0) * np.array([[1.0], [1.02], [0.98], [1.05]])
    problem, _ = outline_problem(labels, brain)
    parts = (problem.forward, problem.anatomy, problem.observation, problem.prior)
    alone, together = (Problem(*parts, num_threads=n).log_likelihood(points) for n in (1, 3))
    np.testing.assert_array_equal(alone, together)


def test_likelihood_is_best_at_the_truth_and_minus_infinity_outside_tissue(problem):
    points = np.repeat(TRUTH[None], 4, axis=0)
    points[1, 0] *= 1.3
    points[2, 2] += 5
    points[3, 2:5] = 0.0
    values = problem.log_likelihood(points)
    assert values[0] > values[1]
    assert values[0] > values[2]
    assert values[3] == -np.inf


def test_fit_recovers_a_tumor_that_it_could_have_made(posed, brain):
    problem, guess = posed
    posterior = laplace(problem, start=guess.point, spread=guess.spread, generator=np.random.default_rng(0))
    assert np.linalg.norm(posterior.mode[2:5] - TRUTH[2:5]) < 1.0
    low, high = posterior.interval().T
    assert (low[:2] < TRUTH[:2]).all()
    assert (high[:2] > TRUTH[:2]).all()
    density = problem.predict(posterior, brain, num_samples=16)
    true = Simulator()((TRUTH[0] ** 2, TRUTH[1] ** 2, *TRUTH[2:5]), brain, days=[1.0])[0].data
    for level in (0.01, 0.1, 0.8):
        a, b = density.data > level, true > level
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.9
    assert density.standard_deviation is not None
    assert (density.standard_deviation >= 0).all()
    assert not density.standard_deviation[brain.csf > 0.5].any()


def test_simulated_observations_have_the_shape_of_outlines(problem, brain):
    outlines = problem.simulate(TRUTH[None], np.random.default_rng(0))
    assert outlines.shape == (1, 2, *brain.grid.shape)
    assert outlines[0, 1].sum() > outlines[0, 0].sum() > 0


def test_a_density_for_another_grid_is_solved_there(brain):
    fine = Anatomy(
        *(
            np.repeat(np.repeat(np.repeat(part, 2, 0), 2, 1), 2, 2)
            for part in (brain.white_matter, brain.gray_matter, brain.csf, brain.brain)
        ),
        Grid(
            tuple(2 * n for n in brain.grid.shape),
            np.array([[1, 0, 0, -0.5], [0, 1, 0, -0.5], [0, 0, 1, -0.5], [0, 0, 0, 1]]),
        ),
    )
    forward = SingleScan(Simulator())
    coarse, dense = (forward(TRUTH[:5], anatomy)[0] for anatomy in (brain, fine))
    assert dense.burden() == pytest.approx(coarse.burden(), rel=0.05)


def test_segmentation_of_another_grid_is_refused(labels, brain):
    shifted = Grid(brain.grid.shape, brain.grid.affine + np.array([[0, 0, 0, 5.0], *[[0.0] * 4] * 3]))
    with pytest.raises(InputError):
        outline_problem(LabelMap(labels.data, shifted, labels.schema), brain)


@pytest.mark.slow
def test_a_stand_in_is_exact_where_it_was_corrected_and_leads_to_the_mode_of_what_it_stands_for(labels, brain):
    """The expensive growth is that in tissue with another ratio of diffusivities, so it can be searched itself."""
    problem, guess = outline_problem(labels, brain)
    other = replace(problem.forward.forward, model=FisherKolmogorov(diffusivity_ratio=2.0))
    parts = (problem.anatomy, problem.observation, problem.prior)
    helped = Problem(problem.forward, *parts, cheaper=SingleScan(other))
    stand_in = helped.standing_in([(TRUTH, helped.grow(TRUTH[None])[0])])
    exact, own = (each.grow(TRUTH[None])[0].data for each in (helped, stand_in))
    both = (own > 1e-4) & (exact > 1e-4)
    np.testing.assert_allclose(own[both], exact[both], atol=2e-5)
    spread = 0.2 * guess.spread
    found, direct = (
        temper(each, start=TRUTH * 1.05, spread=spread, generator=np.random.default_rng(0))
        for each in (helped, problem)
    )
    apart = np.abs(np.subtract(*(straighten(problem.parameters, each.mode.point[None])[0] for each in (found, direct))))
    assert apart[2:5].max() < 0.1  # seeds began two millimeters away
    assert apart[[0, 1]].max() < 0.06
    assert apart[5:].max() < 0.3  # logits of thresholds, whose posterior deviations are 0.23
    assert found.diagnostics["expensive_solves"] <= 19
