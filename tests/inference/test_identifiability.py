import numpy as np
import pytest

from gliocast.core import POSITIVE, REAL, UNIT_INTERVAL, Parameter, Posterior, Support
from gliocast.inference import IndependentPrior, UniformPrior, bend
from gliocast.inference.identifiability import (
    BOUND_SHARE,
    parameters_at_bound,
    prior_ratios,
    uninformed_directions,
)

LENGTH = Parameter("length", "sqrt(D_w T)", "mm", POSITIVE, (1.0, 10.0), "test")
NUMBER = Parameter("number", "sqrt(rho T)", "1", POSITIVE, (1.5, 5.0), "test")
PLACE = Parameter("place", "x_x", "mm", REAL, (-50.0, 50.0), "test")
THRESHOLD = Parameter("threshold", "c_T1c", "1", UNIT_INTERVAL, (0.5, 0.85), "test")
PARAMETERS = (LENGTH, NUMBER, PLACE, THRESHOLD)
PRIOR = IndependentPrior.from_typical(PARAMETERS)
NUM_SAMPLES = 4000


def posterior_of(factor, *, parameters=PARAMETERS, prior=PRIOR, seed=0):
    """Samples whose whitened coordinates have exactly the covariance factor @ factor.T."""
    noise = np.random.default_rng(seed).normal(size=(NUM_SAMPLES, len(factor)))
    noise = noise - noise.mean(axis=0)
    exact = noise @ np.linalg.inv(np.linalg.cholesky(noise.T @ noise / NUM_SAMPLES)).T
    samples = prior.color(exact @ np.asarray(factor).T)
    weights = np.full(NUM_SAMPLES, 1 / NUM_SAMPLES)
    mode = prior.color(np.zeros((1, len(factor))))[0]
    return Posterior(parameters, samples, weights, np.zeros(NUM_SAMPLES), mode)


def rotated(angle, *, wide, narrow):
    """Covariance factor that is wide along the sum (45 degrees) or difference (-45) of the first two, narrow else."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    factor = narrow * np.eye(4)
    factor[:2, :2] = turn @ np.diag([wide, narrow])
    return factor


def test_ratio_of_standard_deviations_is_that_of_the_whitened_coordinates():
    ratios = [0.1, 0.5, 0.9, 1.0]
    np.testing.assert_allclose(prior_ratios(posterior_of(np.diag(ratios)), PRIOR), ratios, rtol=1e-6)


def test_ratio_of_a_posterior_that_is_the_prior_is_one_for_uniform_priors_too():
    parameters = (LENGTH, THRESHOLD)
    prior = UniformPrior.over(parameters, {"length": (1.0, 10.0), "threshold": (0.4, 0.9)})
    posterior = posterior_of(np.eye(2), parameters=prior.parameters, prior=prior)
    np.testing.assert_allclose(prior_ratios(posterior, prior), 1, rtol=1e-6)


def test_ratio_counts_weights():
    """Half of the samples carry all the weight; the other half lies far off."""
    near, far = posterior_of(0.2 * np.eye(4)), posterior_of(5 * np.eye(4))
    samples = np.concatenate([near.samples, far.samples])
    weights = np.repeat([1 / NUM_SAMPLES, 0], NUM_SAMPLES)
    posterior = Posterior(PARAMETERS, samples, weights, np.zeros(len(weights)), near.mode)
    np.testing.assert_allclose(prior_ratios(posterior, PRIOR), 0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("angle", "name"), [(-np.pi / 4, "sqrt(D_w T) / sqrt(rho T)"), (np.pi / 4, "sqrt(D_w T) * sqrt(rho T)")]
)
def test_a_ratio_or_product_that_the_scan_leaves_open_is_named(angle, name):
    (direction,) = uninformed_directions(posterior_of(rotated(angle, wide=0.95, narrow=0.1)), PRIOR)
    assert set(direction.name.replace("*", "/").split(" / ")) == {"sqrt(D_w T)", "sqrt(rho T)"}
    assert ("/" in direction.name) is ("/" in name)
    assert direction.ratio == pytest.approx(0.95, rel=1e-6)
    assert "95 %" in direction.sentence


def test_a_posterior_half_as_wide_as_the_prior_leaves_nothing_open():
    assert uninformed_directions(posterior_of(0.5 * np.eye(4)), PRIOR) == ()


def test_parameters_that_are_open_one_by_one_are_named_one_by_one():
    """Equal eigenvalues have no eigenvectors of their own; only a rotation to the simplest ones can name them."""
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    factor = np.diag([0.1, 0.9, 0.9, 0.9])
    factor[1:, 1:] = 0.9 * turn
    directions = uninformed_directions(posterior_of(factor), PRIOR)
    assert {direction.name for direction in directions} == {"sqrt(rho T)", "x_x", "c_T1c"}
    assert all(direction.ratio == pytest.approx(0.9, rel=1e-6) for direction in directions)


def test_parameters_of_different_kinds_stand_against_each_other():
    factor = 0.1 * np.eye(4)
    factor[2:, 2:] = np.array([[1, 1], [-1, 1]]) / np.sqrt(2) @ np.diag([1.0, 0.1])
    (direction,) = uninformed_directions(posterior_of(factor), PRIOR)
    assert direction.name in ("x_x against c_T1c", "c_T1c against x_x")


def test_what_lies_at_a_bound_is_flagged_and_nothing_else():
    parameters = (Parameter("a", "a", "mm", Support(2.0, 4.0), (2.0, 4.0), "test"), LENGTH, PLACE)
    inside = np.array([[3.0, 4.0, 0.0]])
    spread = np.random.default_rng(0).normal(size=(1000, 3)) * [0.5, 0.1, 1.0]
    samples = bend(parameters, [0.0, np.log(4.0), 0.0] + spread)
    weights, zeros = np.full(1000, 1e-3), np.zeros(1000)
    assert parameters_at_bound(Posterior(parameters, samples, weights, zeros, inside[0])) == ()
    # a mode at the bound alone is enough
    (found,) = parameters_at_bound(Posterior(parameters, samples, weights, zeros, np.array([3.97, 4.0, 0.0])))
    assert (found.parameter.name, found.bound, found.share) == ("a", 4.0, 0.0)
    assert "4 mm" in found.sentence
    # so is a share of the posterior: 1.04 times the limit, then 0.96 times
    for count, flagged in ((int(1040 * BOUND_SHARE), True), (int(960 * BOUND_SHARE), False)):
        piled = samples.copy()
        piled[:count, 0] = 2.03
        assert bool(parameters_at_bound(Posterior(parameters, piled, weights, zeros, inside[0]))) is flagged


def test_a_positive_parameter_that_vanishes_is_at_its_bound():
    """Zero to within 2 % of the upper end of the typical range, 10 mm."""
    weights, zeros = np.full(50, 1 / 50), np.zeros(50)
    for value, flagged in ((0.15, True), (0.25, False)):
        samples = np.full((50, 1), value)
        found = parameters_at_bound(Posterior((LENGTH,), samples, weights, zeros, samples[0]))
        assert [entry.bound for entry in found] == ([0.0] if flagged else [])
