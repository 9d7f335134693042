"""What is drawn of posterior and prior, by the artists in the figure."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import lognorm, norm

from gliocast.core import POSITIVE, REAL, Parameter
from gliocast.inference import IndependentPrior, UniformPrior
from gliocast.report.corner import corner
from gliocast.report.marginals import compare_marginals
from gliocast.report.posterior import method_table, open_questions, stage_table
from gliocast.report.priors import PriorMarginal, contour_levels, levels_of
from gliocast.report.tables import parameter_table

LENGTH = Parameter("length", "l", "mm", POSITIVE, (1.0, 10.0), "test")
PLACE = Parameter("place", "x", "mm", REAL, (-2.0, 6.0), "test")


@pytest.fixture
def log_normal():
    return IndependentPrior.from_typical((LENGTH, PLACE))


def test_prior_of_one_parameter_is_the_density_in_its_own_unit(log_normal):
    """Log-normal and normal with 95 % in the typical range; the derivative is a difference, good to a step squared."""
    z95 = norm.ppf(0.975)
    values = np.linspace(0.5, 12, 400)
    deviation = np.log(10) / 2 / z95
    expected = lognorm.pdf(values, deviation, scale=np.sqrt(10))
    np.testing.assert_allclose(PriorMarginal(log_normal, 0).density(values)[1:-1], expected[1:-1], rtol=2e-3)
    places = np.linspace(-5, 9, 400)
    expected = norm.pdf(places, 2, 4 / z95)
    np.testing.assert_allclose(PriorMarginal(log_normal, 1).density(places), expected, rtol=2e-3)


def test_uniform_prior_is_flat_inside_and_nothing_outside():
    prior = UniformPrior.over((LENGTH,), {"length": (2.0, 4.0)})
    density = PriorMarginal(prior, 0).density(np.linspace(1.0, 5.0, 401))
    # the ends are left out: their normal scores are infinite
    np.testing.assert_allclose(density[105:296], 0.5, rtol=2e-2)
    assert not density[:100].any()
    assert not density[301:].any()


def test_contours_of_a_normal_prior_hold_their_share(log_normal):
    """Two normal parameters: P(density > level) = 1 - level / peak."""
    prior = IndependentPrior.from_typical((PLACE, replace(PLACE, name="other")))
    one, other = PriorMarginal(prior, 0), PriorMarginal(prior, 1)
    peak = one.reach()[1].max() * other.reach()[1].max()
    for share, level in zip((0.5, 0.95), contour_levels(one, other, (0.5, 0.95)), strict=True):
        assert level / peak == pytest.approx(1 - share, abs=5e-3)


def test_levels_of_a_histogram_hold_their_share():
    mass = np.array([[0.5, 0.3], [0.15, 0.05]])
    assert levels_of(mass, mass, (0.4, 0.7, 0.99)) == [0.5, 0.3, 0.05]


def test_corner_has_a_panel_for_every_pair_and_shows_prior_and_truth(case, make_content, prior, truth):
    posterior = make_content(case).posterior
    num = len(posterior.parameters)
    plain = corner(posterior)
    assert len(plain.axes) == num * (num + 1) // 2
    for axes in plain.axes:
        assert len(axes.collections) + len(axes.patches) >= 1
    full = corner(posterior, prior=prior, truth=truth)
    shown = [text.get_text() for text in full.legends[0].get_texts()]
    assert "truth" in shown
    assert any(text.startswith("prior") for text in shown)
    # the truth of the seed lies far off the posterior, and is inside of its panels all the same
    low, high = full.axes[-2].get_xlim()
    seed = next(axes for axes in full.axes if axes.get_xlabel().startswith("x$"))
    low, high = seed.get_xlim()
    assert low < truth["seed_x"] < high


def test_corner_draws_posteriors_that_are_a_point_or_full_of_weightless_samples(case, make_content, prior):
    posterior = make_content(case).posterior
    point = replace(posterior, samples=np.repeat(posterior.mode[None], len(posterior.samples), axis=0))
    weights = np.zeros(len(posterior.samples))
    weights[:2] = 0.5
    for odd in (point, replace(posterior, weights=weights)):
        corner(odd, prior=prior).canvas.draw()


def test_marginals_of_every_method_have_unit_area(case, make_content, prior, truth):
    posterior = make_content(case).posterior
    figure = compare_marginals({"one": posterior, "two": posterior}, prior=prior, truth=truth)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two", "prior", "truth"]
    line = figure.axes[0].lines[0]
    # 0.4 % of the samples and what the kernel smears out lie beyond the panel
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1, abs=0.02)


def test_what_the_scan_leaves_open_is_told_where_the_prior_is_known(case, make_content, prior):
    base = make_content(case).posterior
    samples = base.samples.copy()
    samples[:, 1] = prior.sample(len(samples), np.random.default_rng(5))[:, 1]
    (sentence,) = open_questions(make_content(case, posterior=replace(base, samples=samples), prior=prior))
    assert sentence.startswith("hardly informed by this scan: √(ρ T)")
    assert open_questions(make_content(case, prior=prior)) == []
    assert open_questions(make_content(case)) is None


def test_evidence_and_samples_are_told_where_they_are_known(case, make_content):
    base = make_content(case).posterior
    known = replace(base, log_evidence=-123.45, diagnostics={"evaluations": 40960.0, "other": 1.0}, method="a method")
    rows = dict(method_table(make_content(case, posterior=known)))
    assert rows == {
        "method": "a method",
        "posterior samples": "400",
        "effective sample size": "400",
        "log-evidence [nat]": "−123.5",
        "evaluations of the likelihood": "40960",
    }
    assert "log-evidence [nat]" not in dict(method_table(make_content(case)))


def test_width_against_the_prior_is_in_the_table(case, make_content, prior):
    posterior = make_content(case).posterior
    samples = prior.sample(20000, np.random.default_rng(0))
    drawn = replace(posterior, samples=samples, weights=np.full(20000, 1 / 20000), log_densities=np.zeros(20000))
    # 20,000 samples know a standard deviation to 0.5 %
    ratios = [
        float(row.ratio.removesuffix(" %")) for row in parameter_table(make_content(case, posterior=drawn, prior=prior))
    ]
    np.testing.assert_allclose(ratios, 100, atol=2)
    assert all(row.ratio is None for row in parameter_table(make_content(case)))


def test_a_long_run_shows_its_first_and_last_stages(case, make_content):
    posterior = replace(make_content(case).posterior, stages={"exponent": np.arange(60.0)})
    headings, rows = stage_table(posterior)
    assert headings == ["stage", "exponent"]
    assert (rows[0][0], rows[-1][0], len(rows)) == ("1", "60", 25)
    assert stage_table(make_content(case).posterior) == ([], [])
