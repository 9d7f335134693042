"""Modes and weights of outline problems on a ball of white matter, small enough for tests."""

import numpy as np
import pytest
import torch

from gliocast.core import InputError, dice
from gliocast.growth import FisherKolmogorov, Simulator
from gliocast.growth.adjoint import grow
from gliocast.inference import GaussNewtonOptions, IndependentPrior, cma_search, gauss_newton, linearize
from gliocast.observation import LabelErrors, OutlineLikelihood, draw_outlines
from gliocast.problem import Problem, TemperingOptions, displaced, outline_problem, temper
from gliocast.problem.residuals import weighed

SPACING = 3.0
TRUTH = np.array([4.5, 3.0, 37.0, 34.0, 36.0, 0.65, 0.25])


@pytest.fixture(scope="module")
def brain(ball):
    """A ball of white matter with a gray rim and a fluid-filled hole, on 3 mm voxels."""
    return ball((24, 24, 24), SPACING, white=22, gray=34, hole=np.s_[8:10, 5:8, 9:14])


@pytest.fixture(scope="module")
def density(brain):
    return Simulator()((TRUTH[0] ** 2, TRUTH[1] ** 2, *TRUTH[2:5]), brain, days=[1.0])[0]


@pytest.fixture(scope="module")
def exact(density, segmentation):
    return segmentation(density.data > TRUTH[5], density.data > TRUTH[6], density.grid)


def tempered(labels, brain, **options):
    problem, guess = outline_problem(labels, brain, **options)
    return temper(problem, start=guess.point, spread=guess.spread, generator=np.random.default_rng(0))


@pytest.fixture(scope="module")
def sharp(exact, brain):
    return tempered(exact, brain)


@pytest.mark.slow
def test_gauss_newton_finds_what_cma_es_finds_at_a_fraction_of_the_solves(exact, brain):
    problem, guess = outline_problem(exact, brain)
    arguments = {"start": guess.point, "spread": guess.spread}
    robust = cma_search(problem, generator=np.random.default_rng(0), **arguments)
    quick = gauss_newton(problem, generator=np.random.default_rng(0), **arguments)
    assert quick.log_posterior > robust.log_posterior - 0.1
    assert quick.num_evaluations < robust.num_evaluations / 4


def test_score_is_the_gradient_of_the_log_likelihood(exact, brain):
    problem, _ = outline_problem(exact, brain)
    point = TRUTH * [1.05, 0.98, 1, 1, 1, 1, 1] + [0, 0, 0.5, 0, 0.5, 0, 0]
    local = linearize(problem, point, 0.01 * np.eye(7))
    here = problem.prior.whiten(point[None])
    after, before = (problem.log_likelihood(problem.prior.color(here + side * np.eye(7))) for side in (0.01, -0.01))
    slopes = (after - before) / 0.02
    np.testing.assert_allclose(local.score, slopes, atol=0.02 * np.abs(slopes).max())  # third derivatives over the step


@pytest.mark.slow
def test_sensitivities_of_the_density_are_those_of_the_adjoint(brain):
    """Differences of the compiled solver against gradients through the tensor solver, for one functional."""
    simulator = Simulator(FisherKolmogorov(), accuracy=2e-2)
    values = np.array([TRUTH[0] ** 2, TRUTH[1] ** 2, *TRUTH[2:5]])
    weight = np.random.default_rng(0).uniform(0, 1, brain.grid.shape)
    variables = torch.tensor(values, requires_grad=True)
    (grow(simulator, variables, brain, days=[1.0])[0] * torch.as_tensor(weight)).sum().backward()
    step = 1e-3 * np.array([values[0], values[1], 10.0, 10.0, 10.0])
    for k in range(5):
        ends = [simulator(values + side * step[k] * np.eye(5)[k], brain, days=[1.0])[0].data for side in (1, -1)]
        slope = float(np.sum(weight * (ends[0].astype(float) - ends[1]))) / (2 * step[k])
        # the adjoint holds time steps fixed that follow the parameters here; single precision of the differences
        assert float(variables.grad[k]) == pytest.approx(slope, rel=0.03, abs=0.02)


def test_points_that_share_a_density_share_a_solve(exact, brain):
    class Counting:
        def __init__(self, forward):
            self.forward, self.parameters, self.solves = forward, forward.parameters, 0

        def __call__(self, values, anatomy, *, days):
            self.solves += 1
            return self.forward(values, anatomy, days=days)

    problem, _ = outline_problem(exact, brain)
    forward = Counting(problem.forward)
    counted = Problem(forward, problem.anatomy, problem.observation, problem.prior, num_threads=1)
    points = np.repeat(TRUTH[None], 6, axis=0)
    points[1:3, 5] += [0.02, 0.05]
    points[3, 6] += 0.05
    points[[2, 4], 0] += 0.1
    np.testing.assert_array_equal(counted.log_likelihood(points), [*problem.log_likelihood(points)])
    assert forward.solves == 2
    singly = [counted.features(point[None])[0][0] for point in points]
    np.testing.assert_array_equal(counted.features(points)[0], singly)


def test_features_where_growth_cannot_begin_are_nan(exact, brain):
    problem, _ = outline_problem(exact, brain)
    points = np.stack([TRUTH, TRUTH])
    points[1, 2:5] = 0.0
    phi, z = problem.features(points)
    assert np.isfinite(phi[0]).all()
    assert np.isnan(phi[1]).all()
    assert np.isnan(z[1]).all()


def test_exact_outlines_count_nearly_fully_and_give_the_density_back(sharp, density):
    weights = [sharp.diagnostics[f"tempering_{name}"] for name in ("core", "whole")]
    assert min(weights) > 0.5
    assert max(sharp.problem.observation.step_widths.values()) < 0.3
    fitted = sharp.problem.forward(sharp.mode.point[:5], sharp.problem.anatomy, days=[1.0])[0].data
    for level, least in ((0.01, 0.97), (0.1, 0.97), (0.8, 0.9)):
        assert dice(fitted > level, density.data > level) > least


def test_exact_outlines_are_not_held_back_by_a_prior_that_expects_other_thresholds(density, brain, segmentation):
    """Thresholds outside of what is typical; were residuals of the prior's pull weighed, it would keep the fit."""
    core, whole = 0.86, 0.06
    done = tempered(segmentation(density.data > core, density.data > whole, density.grid), brain)
    fitted = done.problem.forward(done.mode.point[:5], done.problem.anatomy, days=[1.0])[0].data
    for level, least in ((0.01, 0.95), (0.1, 0.95), (0.8, 0.88)):
        assert dice(fitted > level, density.data > level) > least


def test_outlines_with_a_raters_errors_count_less(sharp, density, brain, segmentation):
    errors = LabelErrors(displacement_mm=1.2, correlation_mm=6.0)
    core, whole = draw_outlines(density, TRUTH[5], TRUTH[6], errors, np.random.default_rng(0))
    rough = tempered(segmentation(core, whole, density.grid), brain)
    for name in ("core", "whole"):
        assert rough.diagnostics[f"tempering_{name}"] < 0.5 * sharp.diagnostics[f"tempering_{name}"]
    assert rough.mode.covariance.trace() > sharp.mode.covariance.trace()


def test_simulations_err_as_far_as_what_was_observed_does_and_its_likelihood_stays(sharp, density, brain, segmentation):
    errors = LabelErrors(displacement_mm=3.0, correlation_mm=10.0)
    core, whole = draw_outlines(density, TRUTH[5], TRUTH[6], errors, np.random.default_rng(0))
    rough = tempered(segmentation(core, whole, density.grid), brain)
    found = [displaced(done.problem, done.mode) for done in (sharp, rough)]
    for name in ("core", "whole"):
        exact, drawn = (problem.observation.displacements[name][0] for problem in found)
        # shares of 3 mm voxels are whole ones here, which err by a quarter of a voxel; the fit absorbs some of 3 mm
        assert exact < 1.2
        assert drawn > 1.5 * exact
    points = rough.mode.point[None]
    assert found[1].log_likelihood(points) == rough.problem.log_likelihood(points)
    drawn = [problem.simulate(np.repeat(points, 6, axis=0), np.random.default_rng(0)) for problem in found]
    scatter = [outlines[:, 1].astype(float).std(axis=0).sum() for outlines in drawn]
    assert scatter[1] > 1.5 * scatter[0]


def test_stated_and_independent_weights_are_left_alone(exact, brain):
    for way in ("stated", "independent"):
        done = tempered(exact, brain, tempering=way)
        assert done.diagnostics == {}
        assert done.problem.observation.weights is None


def test_weighing_by_residuals_what_has_no_such_weights_is_refused(exact, brain, sharp):
    class Mute:
        parameters = OutlineLikelihood.from_labels(exact).parameters
        observed = np.zeros((2, 1, 1, 1))

        def log_likelihood(self, density, values):
            return 0.0

        def sample(self, density, values, generator):
            return self.observed

    problem, _ = outline_problem(exact, brain)
    mute = Problem(problem.forward, problem.anatomy, Mute(), problem.prior)
    assert not mute.linearizable
    with pytest.raises(InputError, match="state its weights"):
        weighed(mute, sharp.mode)
    with pytest.raises(InputError, match="state its weights and errors"):
        displaced(mute, sharp.mode)
    with pytest.raises(InputError, match="search by CMA-ES"):
        mute.features(TRUTH[None])


def test_parameters_have_the_support_that_the_prior_leaves_them(exact, brain):
    problem, _ = outline_problem(exact, brain)
    assert isinstance(problem.prior, IndependentPrior)
    assert problem.parameters == problem.prior.parameters


def test_same_generator_same_weights(exact, brain, sharp):
    again = tempered(exact, brain)
    assert again.diagnostics == sharp.diagnostics
    np.testing.assert_array_equal(again.mode.point, sharp.mode.point)


@pytest.mark.parametrize("options", [{"max_rounds": 0}, {"tolerance": 0.0}])
def test_senseless_options_are_refused(options):
    with pytest.raises(InputError):
        TemperingOptions(**options, search=GaussNewtonOptions())
