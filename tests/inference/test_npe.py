import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from gliocast.core import REAL, ConvergenceError, InputError, Parameter, QualityError
from gliocast.inference import IndependentPrior, Mode, UniformPrior
from gliocast.inference.npe import NPEOptions, misfit_sentence, npe
from gliocast.inference.npe.blocks import MAX_NUMBERS, Blocks
from gliocast.inference.npe.chapter_6 import ChapterSix
from gliocast.inference.npe.conclusion import conclude
from gliocast.inference.npe.first import around
from gliocast.inference.npe.merging import merged
from gliocast.inference.npe.misfit import Metric
from gliocast.inference.npe.mixture import Mixture
from gliocast.inference.npe.network import Frame, Networks
from gliocast.inference.npe.npe_c import NPEC
from gliocast.inference.npe.rounds import Learned, draw
from gliocast.inference.npe.rows import Rows
from gliocast.inference.npe.training import Schedule, train
from gliocast.inference.prior import bend, straighten

QUICK = NPEOptions(num_rounds=3, num_simulations=150, num_networks=2, num_components=2, num_samples=4000)
SMALLEST = NPEOptions(num_rounds=2, num_simulations=40, num_networks=2, num_components=2, num_samples=50)
SMALLEST_6 = NPEOptions("chapter-6", num_rounds=2, num_simulations=40, num_networks=1, num_samples=50)

PARAMETERS = tuple(Parameter(f"offset_{n}", f"theta_{n}", "1", REAL, (-10.0, 10.0), "test") for n in range(3))
LOCATION, SCALE = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, 3.0])


class LinearGaussian:
    """x = G theta + noise, theta ~ N(location, scale^2): the posterior is Gaussian and known."""

    def __init__(self, noise=0.3, dim=3, num_numbers=6):
        generator = np.random.default_rng(11)
        self.parameters = PARAMETERS[:dim]
        self.prior = IndependentPrior(self.parameters, LOCATION[:dim], SCALE[:dim])
        self.noise, self.matrix = noise, generator.standard_normal((num_numbers, dim)) / SCALE[:dim]
        truth = self.prior.sample(1, generator)
        self.observed = self.simulate(truth, generator)[0]

    def log_prior(self, points):
        return self.prior.log_density(points)

    def log_likelihood(self, points):
        return -0.5 * np.sum(((self.observed - points @ self.matrix.T) / self.noise) ** 2, axis=1)

    def simulate(self, points, generator):
        means = points @ self.matrix.T
        return means + self.noise * generator.standard_normal(means.shape)

    def posterior(self):
        """Mean and covariance."""
        scale = self.prior.scale
        precision = np.diag(scale**-2) + self.matrix.T @ self.matrix / self.noise**2
        covariance = np.linalg.inv(precision)
        shift = self.prior.location / scale**2 + self.matrix.T @ self.observed / self.noise**2
        return covariance @ shift, covariance


class TwoModes(LinearGaussian):
    """x = |theta_0 - shift| + noise, theta_1 directly: two modes, whose weights are the prior's there."""

    shift = 0.6

    def __init__(self):
        self.parameters = PARAMETERS[:2]
        self.prior = IndependentPrior(self.parameters, np.zeros(2), np.ones(2))
        self.noise, self.observed = 0.1, np.array([1.0, 0.3])

    def simulate(self, points, generator):
        means = np.stack([np.abs(points[:, 0] - self.shift), points[:, 1]], axis=1)
        return means + self.noise * generator.standard_normal(means.shape)

    def share_right(self):
        """Posterior probability of theta_0 > shift, by quadrature."""
        axis = np.linspace(-6, 6, 200_001)
        logs = -0.5 * axis**2 - 0.5 * ((self.observed[0] - np.abs(axis - self.shift)) / self.noise) ** 2
        density = np.exp(logs - logs.max())
        return float(density[axis > self.shift].sum() / density.sum())


def some_mixture(num_components=3, dim=2, seed=0, batch=()):
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch, num_components)
    normal = lambda *sizes: torch.randn(*shape, *sizes, generator=generator, dtype=torch.float64)  # noqa: E731
    factors = normal(dim, dim)
    precisions = torch.eye(dim, dtype=torch.float64) + factors @ factors.mT
    return Mixture(torch.log_softmax(normal(), -1), normal(dim), precisions)


def learned(mixture):
    metric, reduce = Metric.of_round(np.random.default_rng(0).random((9, 4)).astype(np.float32), 0), Rows((4,), None)
    return Learned(mixture, {"simulations": np.ones(1), "observation_distance": np.ones(1)}, metric, reduce)


def plane(half_width=9.0, step=0.02):
    axis = torch.arange(-half_width, half_width, step, dtype=torch.float64)
    return torch.cartesian_prod(axis, axis), step**2


# ---------------------------------------------------------------- mixtures


def test_the_overlap_of_two_mixtures_over_the_prior_is_its_integral():
    mixture, proposal = some_mixture(seed=1), some_mixture(4, seed=2)
    points, area = plane()
    logs = mixture.log_density(points) + proposal.log_density(points) - Mixture.prior(2).log_density(points)
    assert mixture.log_overlap(proposal).exp().item() == pytest.approx(logs.exp().sum().item() * area, rel=1e-6)


def test_the_overlap_with_the_prior_is_one():
    assert some_mixture(5, dim=7).log_overlap(Mixture.prior(7)).item() == pytest.approx(0, abs=1e-12)


def test_the_gradient_of_the_overlap_agrees_with_finite_differences():
    proposal, mixture = some_mixture(2, seed=3), some_mixture(2, seed=4)

    def overlap(weights, means, factors):
        precisions = torch.eye(2, dtype=torch.float64) + factors @ factors.mT
        return Mixture(torch.log_softmax(weights, -1), means, precisions).log_overlap(proposal)

    inputs = (mixture.log_weights, mixture.means, torch.linalg.cholesky(mixture.precisions))
    assert torch.autograd.gradcheck(overlap, [part.clone().requires_grad_() for part in inputs])


def test_samples_of_a_mixture_have_its_moments():
    mixture = some_mixture(3, seed=5)
    points, area = plane()
    density = mixture.log_density(points).exp() * area
    samples = mixture.sample(40_000, np.random.default_rng(0))
    mean = density @ points
    covariance = (density[:, None] * (points - mean)).T @ (points - mean)
    # standard errors are half a percent of standard deviations of about one
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.04)


def test_merging_keeps_the_mean_and_no_component_is_wider_than_the_prior():
    many = some_mixture(12, dim=3, seed=6)
    few = merged(many, 3)
    assert few.means.shape == (3, 3)
    np.testing.assert_allclose(few.log_weights.exp() @ few.means, many.log_weights.exp() @ many.means, atol=1e-12)
    assert torch.linalg.eigvalsh(few.precisions).min() > 1 - 1e-9


def test_merging_keeps_modes_apart():
    means = torch.tensor([[-2.0, 0], [2.0, 0], [-2.01, 0], [2.01, 0]], dtype=torch.float64)
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    few = merged(Mixture(weights.log(), means, 100 * torch.eye(2, dtype=torch.float64).expand(4, 2, 2)), 2)
    left, right = sorted(zip(few.means[:, 0].tolist(), few.log_weights.exp().tolist(), strict=True))
    assert left == pytest.approx((-2.0075, 0.4))
    assert right == pytest.approx((2 + 0.01 * 2 / 3, 0.6))


# ---------------------------------------------------------------- posteriors


def test_npe_c_finds_a_gaussian_posterior():
    """Bounds are three times the standard deviation of results over seeds."""
    target = LinearGaussian()
    posterior = npe(target, generator=np.random.default_rng(0), options=QUICK)
    mean, covariance = target.posterior()
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((posterior.mean - mean) / scale, 0, atol=0.45)
    np.testing.assert_allclose((posterior.mode - mean) / scale, 0, atol=0.45)
    np.testing.assert_allclose(posterior.standard_deviation / scale, 1.1, atol=0.3)
    assert 0.3 < posterior.diagnostics["observation_distance"] < 3
    assert posterior.diagnostics["simulations"] == 450 + QUICK.num_replicates
    assert misfit_sentence(posterior) is None
    assert posterior.stages["validation_loss"].shape == (3,)


def test_log_densities_are_of_the_straightened_coordinates_and_the_mode_is_their_highest():
    """Under a uniform prior the three coordinates differ by Jacobians; here du/ds is taken by differences."""
    target = LinearGaussian()
    target.prior = UniformPrior.over(PARAMETERS[:1], {"offset_0": (2.0, 5.0)})
    target.parameters = target.prior.parameters
    mixture = some_mixture(3, dim=1, seed=7)
    posterior = conclude(target, learned(mixture), NPEOptions(num_samples=500), np.random.default_rng(0))

    def log_density(straight):
        whitened = target.prior.whiten(bend(target.parameters, straight))
        return mixture.log_density(torch.from_numpy(whitened)).numpy()

    def jacobian(straight, step=1e-5):
        ends = [target.prior.whiten(bend(target.parameters, straight + sign * step)) for sign in (1, -1)]
        return (ends[0] - ends[1])[:, 0] / (2 * step)

    straight = straighten(target.parameters, posterior.samples)
    true = log_density(straight) + np.log(jacobian(straight))
    np.testing.assert_allclose(posterior.log_densities - posterior.log_densities[0], true - true[0], atol=1e-4)
    axis = np.linspace(-8, 8, 20_001)[:, None]
    highest = axis[np.argmax(log_density(axis) + np.log(jacobian(axis)))]
    # the best of 500 samples, or a peak of the whitened density: a twentieth of its width away at most
    assert straighten(target.parameters, posterior.mode[None])[0] == pytest.approx(highest, abs=0.05)


def test_the_mode_is_the_peak_of_the_mixture():
    target = LinearGaussian()
    mixture = some_mixture(4, dim=3, seed=8)
    posterior = conclude(target, learned(mixture), NPEOptions(num_samples=500), np.random.default_rng(0))
    best = torch.from_numpy(target.prior.whiten(posterior.mode[None]))
    around = best + 0.01 * torch.from_numpy(np.concatenate([np.eye(3), -np.eye(3)]))
    assert (mixture.log_density(around) < mixture.log_density(best)).all()
    many = torch.from_numpy(mixture.sample(20_000, np.random.default_rng(1)))
    assert mixture.log_density(best) > mixture.log_density(many).max()


def mode_of(target):
    """Of a linear Gaussian target, as Gauss-Newton would find it."""
    mean, covariance = target.posterior()
    return Mode(mean, 0.0, covariance, 0, "gauss-newton")


def test_beginning_around_a_mode_finds_the_same_posterior_in_fewer_rounds():
    target = LinearGaussian()
    options = dataclasses.replace(QUICK, num_rounds=2)
    posterior = npe(target, generator=np.random.default_rng(0), options=options, start=mode_of(target))
    mean, covariance = target.posterior()
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((posterior.mean - mean) / scale, 0, atol=0.45)
    np.testing.assert_allclose(posterior.standard_deviation / scale, 1.1, atol=0.3)


def test_a_first_proposal_is_broader_than_the_mode_and_no_wider_than_the_prior():
    target = LinearGaussian()
    mode = mode_of(target)
    proposal = around(target, mode)
    covariances = torch.linalg.inv(proposal.precisions).numpy()
    np.testing.assert_allclose(covariances[0], np.eye(3), atol=1e-12)
    scale = target.prior.scale
    broad = np.linalg.eigvalsh(covariances[1] - mode.covariance / np.outer(scale, scale))
    assert (broad > 0).all()
    assert np.linalg.eigvalsh(covariances[1]).max() < 1 + 1e-9
    wide = around(target, dataclasses.replace(mode, covariance=100 * np.diag(scale**2)))
    np.testing.assert_allclose(torch.linalg.inv(wide.precisions)[1].numpy(), np.eye(3), atol=1e-9)


@pytest.mark.slow
def test_chapter_6_finds_a_gaussian_posterior_roughly():
    """A hundred epochs on 250 samples fit their noise too: widths are known to a factor of two, and that is all."""
    target = LinearGaussian(noise=1.5)
    options = dataclasses.replace(NPEOptions.chapter_6(), num_rounds=2)
    posterior = npe(target, generator=np.random.default_rng(0), options=options)
    mean, covariance = target.posterior()
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((posterior.mean - mean) / scale, 0, atol=1.25)
    assert (np.abs(np.log(posterior.standard_deviation / scale)) < np.log(2)).all()
    effective = posterior.stages["effective_sample_size"]
    assert effective[0] == pytest.approx(250)
    assert (effective[1:] < 250).all()


@pytest.mark.slow
def test_npe_c_finds_both_modes_with_their_weights():
    """Each mode is 0.1 wide; 750 simulations tell its place to twice that, and its weight to a tenth or so."""
    target = TwoModes()
    posterior = npe(target, generator=np.random.default_rng(0), options=NPEOptions(num_rounds=3, num_simulations=250))
    right = posterior.samples[:, 0] > target.shift
    assert right.mean() == pytest.approx(target.share_right(), abs=0.15)
    for side, center in ((right, 1.6), (~right, -0.4)):
        assert np.median(posterior.samples[side, 0]) == pytest.approx(center, abs=0.2)
        assert np.median(posterior.samples[side, 1]) == pytest.approx(0.3, abs=0.1)


@pytest.mark.slow
def test_what_is_learned_does_not_drift_with_the_proposal():
    """All samples come from a proposal narrower than the posterior and one width off its center.

    Uncorrected, means would be off by 0.6 widths, and widths be 0.6 of what they are. Bounds are twice the scatter over
    seeds: undoing a proposal amplifies what a network errs by.
    """
    target = LinearGaussian(noise=1.5)
    generator = np.random.default_rng(0)
    mean, covariance = target.posterior()
    posterior = target.prior.whiten(mean[None])[0]
    deviations = np.sqrt(np.diag(covariance)) / target.prior.scale
    precision = np.diag((1 / (0.8 * deviations)) ** 2)
    proposal = Mixture(*(torch.from_numpy(a) for a in (np.zeros(1), (posterior + deviations)[None], precision[None])))
    points = draw(target, proposal, 2000, generator)[0]
    rows = target.simulate(target.prior.color(points), generator).astype(np.float32)
    learner = NPEC(target.observed.astype(np.float32), 3, NPEOptions(num_components=1))
    found, _ = learner.learn(points, rows, proposal, torch.Generator().manual_seed(0))
    samples = found.sample(4000, generator)
    np.testing.assert_allclose((samples.mean(axis=0) - posterior) / deviations, 0, atol=0.3)
    np.testing.assert_allclose(samples.std(axis=0) / deviations, 1, atol=0.25)


# ---------------------------------------------------------------- the same again


@pytest.mark.parametrize("options", [SMALLEST, pytest.param(SMALLEST_6, marks=pytest.mark.slow)])
def test_same_generator_same_posterior_whatever_the_number_of_threads(options):
    before, runs = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            runs.append(npe(LinearGaussian(), generator=np.random.default_rng(3), options=options))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(runs[0].samples, runs[1].samples)
    np.testing.assert_array_equal(runs[0].log_densities, runs[1].log_densities)


@pytest.mark.parametrize("options", [SMALLEST, pytest.param(SMALLEST_6, marks=pytest.mark.slow)])
def test_an_interrupted_run_goes_on_to_the_same_result(options, tmp_path):
    options = dataclasses.replace(options, num_rounds=3)

    class Interrupted(LinearGaussian):
        calls = 0

        def simulate(self, points, generator):
            Interrupted.calls += 1
            if Interrupted.calls == 6:  # the observation, two calls for each of two rounds, and one in the third
                raise KeyboardInterrupt
            return super().simulate(points, generator)

    whole = npe(LinearGaussian(), generator=np.random.default_rng(4), options=options)
    file = tmp_path / "rounds.npz"
    with pytest.raises(KeyboardInterrupt):
        npe(Interrupted(), generator=np.random.default_rng(4), options=options, checkpoint=file)
    assert Interrupted.calls == 6
    for _ in range(2):  # the second time all rounds are there
        resumed = npe(LinearGaussian(), generator=np.random.default_rng(4), options=options, checkpoint=file)
        np.testing.assert_array_equal(resumed.samples, whole.samples)
        np.testing.assert_array_equal(resumed.mode, whole.mode)
        for name, values in whole.stages.items():
            np.testing.assert_array_equal(resumed.stages[name], values)


def test_a_checkpoint_of_another_seed_is_refused(tmp_path):
    file = tmp_path / "rounds.npz"
    npe(LinearGaussian(), generator=np.random.default_rng(4), options=SMALLEST, checkpoint=file)
    with pytest.raises(InputError, match="differs in seed"):
        npe(LinearGaussian(), generator=np.random.default_rng(5), options=SMALLEST, checkpoint=file)
    start = mode_of(LinearGaussian())
    with pytest.raises(InputError, match="differs in first proposal"):
        npe(LinearGaussian(), generator=np.random.default_rng(4), options=SMALLEST, checkpoint=file, start=start)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    file = tmp_path / "rounds.npz"
    file.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match="damaged file"):
        npe(LinearGaussian(), generator=np.random.default_rng(4), options=SMALLEST, checkpoint=file)


def test_progress_ends_at_one_and_never_falls():
    fractions = []
    npe(LinearGaussian(), generator=np.random.default_rng(0), options=SMALLEST, progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


# ---------------------------------------------------------------- what can go wrong


class Failing(LinearGaussian):
    """Half of the simulations are not a number."""

    share = 0.5

    def simulate(self, points, generator):
        values = super().simulate(points, generator)
        if len(points) > 1:
            values[generator.random(len(points)) < self.share] = np.nan
        return values


def test_simulations_that_fail_are_left_out_and_counted():
    posterior = npe(Failing(), generator=np.random.default_rng(0), options=SMALLEST)
    assert 5 < posterior.stages["failed_simulations"][0] < 35
    assert np.isfinite(posterior.samples).all()


def test_simulations_that_all_fail_are_said():
    class Broken(Failing):
        share = 1.0

    with pytest.raises(ConvergenceError, match="40 of 40 that are not a number"):
        npe(Broken(), generator=np.random.default_rng(0), options=SMALLEST)


@pytest.mark.parametrize("options", [SMALLEST, SMALLEST_6])
def test_simulations_that_are_all_equal_are_said(options):
    class Empty(LinearGaussian):
        def simulate(self, points, generator):
            return np.zeros((len(points), 6))

    with pytest.raises(ConvergenceError, match="differ from one another"):
        npe(Empty(), generator=np.random.default_rng(0), options=options)


def test_a_prior_that_allows_nothing_is_said():
    class Nowhere(LinearGaussian):
        def log_prior(self, points):
            return np.full(len(points), -np.inf)

    with pytest.raises(ConvergenceError, match="prior allows"):
        npe(Nowhere(), generator=np.random.default_rng(0), options=SMALLEST)


def test_no_point_is_simulated_or_drawn_where_the_prior_vanishes():
    class Half(LinearGaussian):
        def log_prior(self, points):
            return np.where(points[:, 0] > 1, super().log_prior(points), -np.inf)

        def simulate(self, points, generator):
            assert len(points) == 1 or (points[:, 0] > 1).all()
            return super().simulate(points, generator)

    posterior = npe(Half(), generator=np.random.default_rng(0), options=SMALLEST)
    assert (posterior.samples[:, 0] > 1).all()
    assert posterior.mode[0] > 1


@pytest.mark.parametrize("options", [pytest.param(SMALLEST, marks=pytest.mark.slow), SMALLEST_6])
def test_an_observation_unlike_all_simulations_is_refused(options):
    target = LinearGaussian()
    target.observed = target.observed + 100 * np.array([1.0, -1, 1, -1, 1, -1])
    with pytest.raises(QualityError, match="like the simulated ones"):
        npe(target, generator=np.random.default_rng(0), options=options)


def test_an_observation_that_is_not_finite_is_refused():
    target = LinearGaussian()
    target.observed = target.observed * np.nan
    with pytest.raises(InputError, match="observation"):
        npe(target, generator=np.random.default_rng(0), options=SMALLEST)


@pytest.mark.parametrize(
    "wrong",
    [{"num_rounds": 0}, {"num_simulations": 5}, {"variant": "npe-b"}, {"variant": "chapter-6", "num_networks": 2}],
)
def test_senseless_options_are_refused(wrong):
    with pytest.raises(InputError):
        NPEOptions(**wrong)


def test_training_that_diverges_is_said():
    generator = torch.Generator().manual_seed(0)
    networks = Networks((2, 4), 1, 1, Frame.of_prior(1), 1, generator)

    def loss(indices):
        return networks.weights[0].sum() * torch.full(indices.shape, torch.nan)

    with pytest.raises(ConvergenceError, match="finite loss"):
        train(networks, loss, 30, Schedule(epochs=2, batch=10), generator)


def test_importance_weights_that_collapse_leave_the_network_as_it_was(monkeypatch):
    """A proposal a tenth as wide as the prior in each of seven directions, with one sample in its far tail."""
    monkeypatch.setattr("gliocast.inference.npe.chapter_6._SCHEDULE", Schedule(epochs=2, batch=25))
    generator = np.random.default_rng(0)
    narrow = Mixture.prior(7)
    narrow = Mixture(narrow.log_weights, narrow.means, 100 * narrow.precisions)
    points = narrow.sample(100, generator)
    points[0] = 0.5
    rows = generator.standard_normal((100, 4)).astype(np.float32)
    learner = ChapterSix(rows[0], 7, NPEOptions.chapter_6())
    _, before = learner.learn(points[1:], rows[1:], Mixture.prior(7), torch.Generator().manual_seed(0))
    assert before["epochs"] == 2
    weights = learner.arrays()["weight_0"].copy()
    _, figures = learner.learn(points, rows, narrow, torch.Generator().manual_seed(0))
    assert before["effective_sample_size"] == pytest.approx(99)
    assert figures["effective_sample_size"] < 2
    assert figures["epochs"] == 0
    np.testing.assert_array_equal(learner.arrays()["weight_0"], weights)


# ---------------------------------------------------------------- summaries and imports


def test_blocks_conserve_the_sum_of_an_image_and_bound_its_size():
    image = np.random.default_rng(0).random((2, 41, 50, 40))
    blocks = Blocks(image.shape)
    row = blocks(image)
    assert blocks.factor == 2
    assert len(row) == 2 * 21 * 25 * 20 < MAX_NUMBERS
    assert row.sum() * blocks.factor**3 == pytest.approx(image.sum(), rel=1e-5)


def test_choosing_npe_does_not_import_torch():
    code = "import sys, gliocast.inference, gliocast.inference.npe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
