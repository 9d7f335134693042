import numpy as np
import pytest

from gliocast.core import POSITIVE, REAL, UNIT_INTERVAL, ConvergenceError, InputError, Parameter
from gliocast.inference import CMAOptions, IndependentPrior, LaplaceOptions, cma_search, laplace
from gliocast.inference.prior import bend, straighten

PARAMETERS = (
    Parameter("length", "l", "mm", POSITIVE, (1.0, 10.0), "test"),
    Parameter("shift", "x", "mm", REAL, (-5.0, 5.0), "test"),
    Parameter("share", "c", "1", UNIT_INTERVAL, (0.1, 0.9), "test"),
)
MEAN = np.array([0.7, -1.0, 0.4])
COVARIANCE = np.array([[0.04, 0.05, 0.0], [0.05, 0.25, -0.02], [0.0, -0.02, 0.01]])


class GaussianTarget:
    """Gaussian on the straightened axes: its Laplace approximation is exact."""

    parameters = PARAMETERS

    def log_prior(self, points):
        return np.zeros(len(points))

    def log_likelihood(self, points):
        offset = straighten(PARAMETERS, points) - MEAN
        return -0.5 * np.einsum("ni,ij,nj->n", offset, np.linalg.inv(COVARIANCE), offset)

    def simulate(self, points, generator):
        return points


class RoughTarget(GaussianTarget):
    """The same with small steps, as a discretized model leaves them."""

    def log_likelihood(self, points):
        return np.round(super().log_likelihood(points) * 20) / 20


START, SPREAD = bend(PARAMETERS, np.zeros((1, 3)))[0], np.ones(3)


@pytest.mark.parametrize(("target", "tolerance"), [(GaussianTarget(), 0.12), (RoughTarget(), 0.3)])
def test_laplace_recovers_a_gaussian_posterior(target, tolerance):
    posterior = laplace(
        target,
        start=START,
        spread=SPREAD,
        generator=np.random.default_rng(0),
        options=LaplaceOptions(num_samples=20_000),
    )
    coordinates = straighten(PARAMETERS, posterior.samples)
    np.testing.assert_allclose(straighten(PARAMETERS, posterior.mode[None])[0], MEAN, atol=tolerance / 2)
    scale = np.sqrt(np.diag(COVARIANCE))
    np.testing.assert_allclose(
        np.cov(coordinates.T) / np.outer(scale, scale), COVARIANCE / np.outer(scale, scale), atol=tolerance
    )
    assert posterior.weights.sum() == pytest.approx(1)
    low, high = posterior.interval()[0]
    assert low == pytest.approx(np.exp(0.7 - 1.96 * 0.2), rel=tolerance / 2)
    assert high == pytest.approx(np.exp(0.7 + 1.96 * 0.2), rel=tolerance / 2)


def test_same_generator_same_posterior():
    runs = [laplace(GaussianTarget(), start=START, spread=SPREAD, generator=np.random.default_rng(5)) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].samples, runs[1].samples)


def test_search_that_may_not_go_on_says_so():
    options = CMAOptions(max_generations=5)
    with pytest.raises(ConvergenceError, match="convergence within 5 generations"):
        cma_search(GaussianTarget(), start=START, spread=SPREAD, generator=np.random.default_rng(0), options=options)


def test_posterior_that_vanishes_everywhere_is_bad_input():
    class Nowhere(GaussianTarget):
        def log_likelihood(self, points):
            return np.full(len(points), -np.inf)

    with pytest.raises(InputError, match="near the tumor"):
        cma_search(Nowhere(), start=START, spread=SPREAD, generator=np.random.default_rng(0))


def test_search_survives_regions_without_likelihood():
    class Walled(GaussianTarget):
        def log_likelihood(self, points):
            return np.where(points[:, 1] > 0.5, -np.inf, super().log_likelihood(points))

    mode = cma_search(Walled(), start=START, spread=SPREAD, generator=np.random.default_rng(0))
    assert mode.log_posterior > -0.5


def test_prior_from_typical_ranges_holds_95_percent_of_its_samples_there():
    prior = IndependentPrior.from_typical(PARAMETERS)
    samples = prior.sample(20_000, np.random.default_rng(0))
    for column, parameter in enumerate(PARAMETERS):
        low, high = parameter.typical
        assert np.mean((samples[:, column] > low) & (samples[:, column] < high)) == pytest.approx(0.95, abs=0.01)


def test_prior_density_integrates_to_one_on_the_straightened_axis():
    prior = IndependentPrior.from_typical(PARAMETERS[:1])
    axis = np.linspace(-15, 15, 4001)
    density = np.exp(prior.log_density(bend(PARAMETERS[:1], axis[:, None])))
    assert np.trapezoid(density, axis) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_bending_undoes_straightening(parameter):
    values = np.array([0.05, 0.3, 0.9])
    np.testing.assert_allclose(parameter.support.bend(parameter.support.straighten(values)), values)


def test_a_narrow_ridge_is_measured_along_its_whole_length():
    """Correlation 0.9999: conditional widths are a seventieth of the marginal ones."""

    class Ridge(GaussianTarget):
        covariance = np.array([[0.04, 0.1 * 0.9999, 0.0], [0.1 * 0.9999, 0.25, 0.0], [0.0, 0.0, 0.01]])

        def log_likelihood(self, points):
            offset = straighten(PARAMETERS, points) - MEAN
            return -0.5 * np.einsum("ni,ij,nj->n", offset, np.linalg.inv(self.covariance), offset)

    posterior = laplace(Ridge(), start=START, spread=SPREAD, generator=np.random.default_rng(2))
    spread = straighten(PARAMETERS, posterior.samples).std(axis=0)
    np.testing.assert_allclose(spread, np.sqrt(np.diag(Ridge.covariance)), rtol=0.1)


def test_a_flat_direction_is_told():
    class Flat(GaussianTarget):
        def log_likelihood(self, points):
            offset = straighten(PARAMETERS, points)[:, [0, 2]] - MEAN[[0, 2]]
            return -0.5 * np.sum((offset / 0.1) ** 2, axis=1)

    def flat_directions(target):
        posterior = laplace(target, start=START, spread=SPREAD, generator=np.random.default_rng(0))
        return posterior.diagnostics["flat_directions"]

    assert flat_directions(Flat()) == 1
    assert flat_directions(GaussianTarget()) == 0
