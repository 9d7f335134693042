import numpy as np
import pytest

from gliocast.core import POSITIVE, REAL, UNIT_INTERVAL, ConvergenceError, InputError, Parameter
from gliocast.inference import (
    CMAOptions,
    GaussNewtonOptions,
    IndependentPrior,
    LaplaceOptions,
    UniformPrior,
    cma_search,
    find_mode,
    gauss_newton,
    laplace,
    linearize,
    log_posterior,
    straighten,
)
from gliocast.inference.gauss_newton import difference_directions

PARAMETERS = (
    Parameter("length", "l", "mm", POSITIVE, (1.0, 10.0), "test"),
    Parameter("shift", "x", "mm", REAL, (-5.0, 5.0), "test"),
    Parameter("share", "c", "1", UNIT_INTERVAL, (0.1, 0.9), "test"),
)
PRIOR = IndependentPrior.from_typical(PARAMETERS)
TRUTH = PRIOR.color(np.array([[0.6, -0.8, 0.5]]))[0]
START, SPREAD = PRIOR.color(np.zeros((1, 3)))[0], PRIOR.scale
MATRIX = np.random.default_rng(0).normal(size=(40, 3)) * [4.0, 4.0, 2.0]


class Waves:
    """Gaussian noise on predictions that bend with the whitened coordinates: phi = A w + 0.3 (A w)^2 / scale."""

    parameters, prior, bend = PARAMETERS, PRIOR, 0.02

    def __init__(self):
        self.evaluations = 0

    def predict(self, points):
        linear = self.prior.whiten(points) @ MATRIX.T
        return linear + self.bend * linear**2

    @property
    def observed(self):
        return self.predict(TRUTH[None])[0] + 0.5 * np.sin(np.arange(40.0))

    def log_prior(self, points):
        return self.prior.log_density(points)

    def log_likelihood(self, points):
        self.evaluations += len(points)
        return -0.5 * np.sum((self.observed - self.predict(points)) ** 2, axis=1)

    def features(self, points):
        self.evaluations += len(points)
        phi = self.predict(points)
        return phi, self.observed - phi


class Straight(Waves):
    """The same without bending: Gauss-Newton is exact after one step."""

    bend = 0.0


class Walled(Waves):
    """The same where nothing can be evaluated beyond a wall next to the truth."""

    wall = 0.55

    def log_likelihood(self, points):
        return np.where(self.prior.whiten(points)[:, 0] > self.wall, -np.inf, super().log_likelihood(points))

    def features(self, points):
        phi, z = super().features(points)
        outside = self.prior.whiten(points)[:, 0] > self.wall
        phi[outside] = z[outside] = np.nan
        return phi, z


class Restless(Waves):
    """A target whose residuals point away from its peak, so that no step helps until the iterations run out."""

    def __init__(self):
        super().__init__()
        self.height = 0.0

    def log_likelihood(self, points):
        self.height += 1.0
        return np.full(len(points), self.height)


def exact_mode(prior_precision=1.0):
    precision = MATRIX.T @ MATRIX + prior_precision * np.eye(3)
    residuals = Straight().observed
    return np.linalg.solve(precision, MATRIX.T @ residuals), np.linalg.inv(precision)


def test_mode_and_covariance_of_a_linear_gaussian_target_are_exact():
    mode = gauss_newton(Straight(), start=START)
    expected, covariance = exact_mode()
    np.testing.assert_allclose(PRIOR.whiten(mode.point[None])[0], expected, atol=1e-4)
    np.testing.assert_allclose(mode.covariance, covariance * np.outer(SPREAD, SPREAD), rtol=1e-4)
    assert mode.method == "gauss-newton"
    assert mode.log_posterior == pytest.approx(log_posterior(Straight(), mode.point[None])[0])


@pytest.mark.parametrize("differences", ["central", "forward"])
def test_mode_is_that_of_cma_es_at_a_tenth_of_its_evaluations(differences):
    robust = cma_search(Waves(), start=START, spread=SPREAD, generator=np.random.default_rng(0))
    target = Waves()
    quick = gauss_newton(
        target,
        start=START,
        spread=SPREAD,
        generator=np.random.default_rng(0),
        options=GaussNewtonOptions(differences=differences),
    )
    assert quick.log_posterior > robust.log_posterior - 0.02  # both stop at gains of 0.01 nat
    assert quick.num_evaluations == target.evaluations
    assert quick.num_evaluations < robust.num_evaluations / 5


def test_a_uniform_prior_leads_to_the_same_mode_as_cma_es():
    class Boxed(Waves):
        prior = UniformPrior.over(PARAMETERS, {"shift": (-6.0, 6.0)})
        parameters = prior.parameters

    start, spread = Boxed.prior.color(np.zeros((1, 3)))[0], np.ones(3)
    robust = cma_search(Boxed(), start=start, spread=spread, generator=np.random.default_rng(0))
    quick = gauss_newton(Boxed(), start=start)
    assert quick.log_posterior > robust.log_posterior - 0.02


def test_score_and_information_are_those_of_the_target():
    target, point = Waves(), PRIOR.color(np.array([[0.3, -0.4, 0.2]]))[0]
    local = linearize(target, point, 1e-4 * np.eye(3))
    step = 1e-4
    for k in range(3):
        sides = PRIOR.color(PRIOR.whiten(point[None]) + step * np.outer([1, -1], np.eye(3)[k]))
        after, before = target.log_likelihood(sides)
        assert local.score[k] == pytest.approx((after - before) / (2 * step), rel=1e-5)
    slopes = MATRIX * (1 + 2 * Waves.bend * MATRIX @ PRIOR.whiten(point[None])[0])[:, None]
    np.testing.assert_allclose(local.information, slopes.T @ slopes, rtol=1e-6)


def test_differences_are_orthogonal_in_the_posteriors_metric_and_the_first_moves_the_last_parameter_alone():
    information = MATRIX.T @ MATRIX
    directions = difference_directions(information, step=0.5, max_step=10.0)
    np.testing.assert_allclose(directions @ information @ directions.T, 0.25 * np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(directions[2, :2], 0)


def test_no_information_appears_along_a_ridge():
    """Two parameters act through their sum, steeply and with a bend; the prior alone decides their difference."""

    class Ridge(Waves):
        def predict(self, points):
            w = self.prior.whiten(points)
            total = 60 * np.sin(w[:, 0] + w[:, 1])
            return np.stack([total, 5 * w[:, 2]], axis=1)

        observed = np.array([20.0, 1.0])

    mode = gauss_newton(Ridge(), start=START)
    covariance = mode.covariance / np.outer(SPREAD, SPREAD)
    along = np.array([1, -1, 0]) / np.sqrt(2)
    assert along @ covariance @ along == pytest.approx(1, rel=0.01)


def test_where_a_difference_leaves_the_region_of_growth_the_other_side_is_taken():
    target, point = Walled(), PRIOR.color(np.array([[0.549999, 0.0, 0.0]]))[0]
    for differences in ("central", "forward"):
        local = linearize(target, point, 1e-3 * np.eye(3), differences=differences)
        whole = linearize(Waves(), point, 1e-3 * np.eye(3))
        np.testing.assert_allclose(local.jacobian, whole.jacobian, atol=0.01)  # one-sided: bend * slope^2 * step


def test_a_mode_at_the_wall_of_the_region_is_found_by_one_search_or_the_other():
    arguments = {"start": START, "spread": SPREAD, "generator": np.random.default_rng(0)}
    mode = find_mode(Walled(), **arguments)
    robust = cma_search(Walled(), **arguments)
    assert mode.log_posterior > robust.log_posterior - 0.02
    assert PRIOR.whiten(mode.point[None])[0, 0] <= Walled.wall


def test_scattered_starts_come_from_the_generator():
    runs = [gauss_newton(Waves(), start=START, spread=SPREAD, generator=np.random.default_rng(seed)) for seed in (3, 3)]
    np.testing.assert_array_equal(runs[0].point, runs[1].point)


def test_a_posterior_that_vanishes_everywhere_is_bad_input():
    class Nowhere(Waves):
        def log_likelihood(self, points):
            return np.full(len(points), -np.inf)

    with pytest.raises(InputError, match="near the tumor"):
        gauss_newton(Nowhere(), start=START, spread=SPREAD, generator=np.random.default_rng(0))


def test_nan_of_a_target_is_told_with_its_point():
    class Broken(Waves):
        def log_likelihood(self, points):
            return np.full(len(points), np.nan)

    with pytest.raises(ConvergenceError, match="nan at"):
        gauss_newton(Broken(), start=START)


def test_a_search_that_may_not_go_on_says_so():
    with pytest.raises(ConvergenceError, match="within 3 Gauss-Newton steps"):
        gauss_newton(Restless(), start=START, options=GaussNewtonOptions(max_iterations=3))


def test_where_steps_lead_nowhere_cma_es_takes_over_and_the_posterior_says_so():
    class Misled(Waves):
        """Linearizes to nothing at all."""

        def features(self, points):
            raise ConvergenceError("fit", expected="features", got="none", advice="search by CMA-ES")

    arguments = {"start": START, "spread": SPREAD, "generator": np.random.default_rng(0)}
    assert find_mode(Misled(), **arguments).method == "cma-es"
    assert laplace(Misled(), **arguments).diagnostics["fell_back"] == 1
    assert laplace(Waves(), **arguments).diagnostics["fell_back"] == 0


def test_gauss_newton_asked_of_a_target_without_features_is_refused():
    class Opaque(Waves):
        features = None

    with pytest.raises(InputError, match="features"):
        laplace(
            Opaque(),
            start=START,
            spread=SPREAD,
            generator=np.random.default_rng(0),
            options=LaplaceOptions(search=GaussNewtonOptions()),
        )


@pytest.mark.parametrize("options", [LaplaceOptions(num_samples=20_000), LaplaceOptions(20_000, num_rounds=0)])
def test_laplace_of_a_linear_gaussian_target_is_exact_evidence_included(options):
    posterior = laplace(Straight(), start=START, spread=SPREAD, generator=np.random.default_rng(0), options=options)
    expected, covariance = exact_mode()
    samples = PRIOR.whiten(posterior.samples)
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(samples.mean(axis=0), expected, atol=0.05 * scale.max())  # 20,000 samples: 0.7 %
    np.testing.assert_allclose(
        np.cov(samples.T) / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=0.05
    )
    # y ~ N(0, I + A A^T) up to the constant that the log-likelihood leaves out
    observed, marginal = Straight().observed, np.eye(40) + MATRIX @ MATRIX.T
    evidence = -0.5 * observed @ np.linalg.solve(marginal, observed) - 0.5 * np.linalg.slogdet(marginal)[1]
    assert posterior.log_evidence == pytest.approx(evidence, abs=0.05)  # the Hessian's differences: 1 %
    assert posterior.method == "Laplace approximation, mode by gauss-newton"


def test_rounds_of_differences_see_the_bend_that_the_information_leaves_out():
    """The Hessian of a bent target, minus the mode's residuals times its second derivatives."""

    class Bent(Waves):
        bend = 0.05

    posterior = laplace(
        Bent(), start=START, spread=SPREAD, generator=np.random.default_rng(0), options=LaplaceOptions(20_000)
    )
    w = PRIOR.whiten(posterior.mode[None])[0]
    linear = MATRIX @ w
    slopes = MATRIX * (1 + 2 * Bent.bend * linear)[:, None]
    residuals = Bent().observed - linear - Bent.bend * linear**2
    hessian = slopes.T @ slopes + np.eye(3) - 2 * Bent.bend * (MATRIX.T * residuals) @ MATRIX
    np.testing.assert_allclose(
        np.cov(straighten(PARAMETERS, posterior.samples).T / SPREAD[:, None]) @ hessian, np.eye(3), atol=0.1
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussNewtonOptions(tolerance=0.0),
        lambda: GaussNewtonOptions(differences="sideways"),
        lambda: GaussNewtonOptions(max_iterations=0),
        lambda: LaplaceOptions(num_rounds=-1),
        lambda: LaplaceOptions(search=CMAOptions(), num_rounds=0),
    ],
)
def test_senseless_options_are_refused(make):
    with pytest.raises(InputError):
        make()
