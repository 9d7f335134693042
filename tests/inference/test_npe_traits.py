"""What networks see of an image besides averages, and whether an observation looks like its posterior's simulations."""

import numpy as np
import pytest
import torch

from gliocast.core import REAL, Parameter, Posterior
from gliocast.inference import UniformPrior
from gliocast.inference.npe import NPEOptions, misfit_sentence, npe
from gliocast.inference.npe.misfit import Metric, misfit
from gliocast.inference.npe.rows import Rows
from gliocast.inference.npe.summary import narrow_basis, wide_basis
from gliocast.inference.npe.traits import Traits

SHAPE = (2, 30, 32, 34)
PLACES = np.indices(SHAPE[1:])


def ball(center=(14, 16, 17), radius=8.0):
    return (np.sum([(p - c) ** 2 for p, c in zip(PLACES, center, strict=True)], axis=0) < radius**2).astype(np.float32)


def scan(scale=0.8, noise=0.1, seed=0, **where):
    """An outline and an image of it with white noise."""
    outline = ball(**where)
    error = np.random.default_rng(seed).standard_normal(outline.shape)
    return np.stack([outline, scale * outline + noise * error]).astype(np.float32)


def traits_of(image):
    """By channel: noise, burden, center, log-variances; and the two means shared."""
    row = Traits(image.shape)(image)
    return row[:8], row[8:16], row[16:]


def test_the_noise_is_read_off_neighbors_whatever_lies_beneath():
    """The median difference of two normal numbers is 0.954 of their standard deviation; its error here, a percent."""
    for noise in (0.02, 0.2):
        assert np.exp(traits_of(scan(noise=noise))[1][0]) == pytest.approx(0.954 * noise, rel=0.03)


def test_an_outline_has_no_noise_whether_its_voxels_are_whole_or_shares():
    whole, shares = ball(), ball()
    shares[1:-1] = (shares[:-2] + shares[1:-1] + shares[2:]) / 3
    nothing = traits_of(scan(noise=0.0))[0][0]
    for outline in (whole, shares, np.zeros_like(whole)):
        assert traits_of(np.stack([outline, outline]))[0][0] == nothing


def test_burden_place_and_width_of_a_ball():
    image = scan(center=(10, 20, 17), radius=7.0)
    own, _, _ = traits_of(image)
    assert np.sinh(own[1]) == pytest.approx(image[0].sum(), rel=1e-4)
    extents = np.array(SHAPE[1:]) - 1
    np.testing.assert_allclose(own[2:5] * extents, [10, 20, 17] - extents / 2, atol=1e-3)
    # the variance of a ball along an axis is R^2 / 5; voxels make it a ball of about 7
    np.testing.assert_allclose(np.expm1(own[5:8]), 7**2 / 5, rtol=0.1)


def test_the_mean_of_an_image_inside_an_outline_is_a_trait():
    _, _, (image_in_outline, outline_in_image) = traits_of(scan(scale=0.7, noise=0.1))
    assert image_in_outline == pytest.approx(0.7, abs=0.01)
    assert 0 < outline_in_image < 1


def test_what_is_no_image_has_no_traits():
    assert Traits((7,)).count == 0
    assert len(Traits((7,))(np.ones(7))) == 0
    assert Rows((7,), Traits((7,)))(np.ones(7)).shape == (7,)


def test_rows_end_in_traits_of_which_the_narrow_basis_makes_unit_numbers_and_drops_the_constant_ones():
    """What would be an outline's noise is the same in all simulations, and may be another in an observed outline."""
    reduce = Rows(SHAPE, Traits(SHAPE))
    generator = np.random.default_rng(0)
    images = [
        scan(*generator.uniform((0.5, 0.05), (1, 0.2)), seed=n, radius=generator.uniform(5, 9)) for n in range(40)
    ]
    rows = torch.from_numpy(np.stack([reduce(image) for image in images]))
    wide = wide_basis(rows, reduce.num_traits)
    coordinates = wide(rows)
    torch.testing.assert_close(coordinates[:, -reduce.num_traits :], rows[:, -reduce.num_traits :])
    narrow = narrow_basis(coordinates, reduce.num_traits)
    summaries = narrow(coordinates)
    np.testing.assert_allclose(summaries.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(summaries.std(0), 1, rtol=0.02)
    odd = rows[:1].clone()
    odd[:, -reduce.num_traits] += 5.0
    torch.testing.assert_close(narrow(wide(odd)), summaries[:1])


class Noisy:
    """A ball of unknown uptake and noise, somewhere, read in blocks."""

    parameters = tuple(Parameter(f"level_{n}", f"l_{n}", "1", REAL, (0.0, 1.0), "test") for n in range(2))

    def __init__(self):
        self.prior = UniformPrior.over(self.parameters, {"level_0": (0.5, 1.0), "level_1": (0.02, 0.4)})
        self.parameters = self.prior.parameters
        self.observed = self.simulate(np.array([[0.8, 0.1]]), np.random.default_rng(5))[0]

    def log_prior(self, points):
        return self.prior.log_density(points)

    def simulate(self, points, generator):
        seeds = generator.integers(2**31, size=len(points))
        centers = generator.uniform([12, 14, 15], [16, 18, 19], (len(points), 3))
        drawn = zip(points, seeds, centers, strict=True)
        return np.stack([scan(*point, seed=seed, center=center) for point, seed, center in drawn])


@pytest.fixture(scope="module")
def noisy():
    options = NPEOptions(num_rounds=2, num_simulations=80, num_networks=2, num_components=2, num_replicates=100)
    return Noisy(), options


def test_noise_that_blocks_average_away_is_inferred(noisy):
    target, options = noisy
    posterior = npe(target, generator=np.random.default_rng(0), options=options)
    # the prior is 0.38 wide; 160 simulations tell the noise to a few percent, blocks alone to a third
    assert posterior.mean[1] == pytest.approx(0.1, abs=0.01)
    assert posterior.standard_deviation[1] < 0.01
    assert posterior.mean[0] == pytest.approx(0.8, abs=0.03)
    assert misfit_sentence(posterior) is None


def test_an_observation_that_no_parameters_make_is_found_far_from_its_posterior(noisy):
    """Image and outline lie at different places: either could be, both together not."""
    _, options = noisy
    strange = Noisy()
    strange.observed = np.stack([scan(center=(13, 15, 16))[0], scan(center=(15, 17, 18))[1]])
    posterior = npe(strange, generator=np.random.default_rng(0), options=options)
    assert posterior.diagnostics["misfit_percentile"] == 100
    assert posterior.diagnostics["misfit_distance"] > 2
    assert "distrust" in misfit_sentence(posterior)


def test_percentiles_of_what_was_drawn_like_the_replicates_are_uniform():
    generator = np.random.default_rng(0)
    mixing = generator.standard_normal((12, 30)).astype(np.float32)
    draw = lambda num: generator.standard_normal((num, 12)).astype(np.float32) @ mixing  # noqa: E731
    metric, replicates = Metric.of_round(draw(400), 0), draw(200)
    own = 100 * np.mean(metric(replicates) < metric(draw(300))[:, None], axis=1)
    # standard errors of a uniform quantile from 300, and of 200 replicates, make 4 together
    np.testing.assert_allclose(np.quantile(own, [0.25, 0.5, 0.75]), [25, 50, 75], atol=12)
    row = draw(1)[0]
    assert misfit(metric, row, replicates)["misfit_percentile"] == 100 * np.mean(metric(replicates) < metric(row[None]))
    assert misfit(metric, 5 * draw(1)[0], replicates)["misfit_percentile"] > 99


def test_a_posterior_without_a_misfit_has_nothing_said_about_it():
    nothing = np.zeros((2, 1))
    parameters = (Parameter("level", "l", "1", REAL, (0.0, 1.0), "test"),)
    assert misfit_sentence(Posterior(parameters, nothing, np.full(2, 0.5), np.zeros(2), np.zeros(1))) is None
