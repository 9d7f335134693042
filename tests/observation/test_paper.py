"""The observation models of the paper: double logistic outlines, PET, and both together."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gliocast.core import Density, Grid, InputError, Volume
from gliocast.observation import (
    DoubleLogisticOutline,
    JointObservation,
    OutlineLikelihood,
    PETLikelihood,
    core_outline,
    correlated_noise,
    correlation_from_fwhm,
    independent_share,
    log_visibility,
    normalize_uptake,
    whole_outline,
)
from gliocast.observation.double_logistic import LEAST_PROBABILITY
from gliocast.observation.mri import WHOLE_THRESHOLD

GRID = Grid((20, 22, 24), np.diag([2.0, 2.0, 2.0, 1.0]))
RADIUS = 2 * np.sqrt(sum((axis - (n - 1) / 2) ** 2 for axis, n in zip(np.indices(GRID.shape), GRID.shape, strict=True)))
FRONT = Density((1 / (1 + np.exp((RADIUS - 10) / 2.0))).astype(np.float32), GRID)
BRAIN = RADIUS < 19
OUTLINE, UPTAKE = np.array([0.25, 0.07]), np.array([0.8, 0.1])


def equation_6(u, c, sigma):
    return 0.5 + 0.5 * np.sign(u - c) * (1 - np.exp(-((u - c) ** 2) / sigma**2))


def outline(**options):
    labeled = np.random.default_rng(0).uniform(0, 1, GRID.shape) < equation_6(FRONT.data, *OUTLINE)
    return replace(whole_outline(labeled, GRID, BRAIN), **{"tempering": "independent"} | options)


def pet(**options):
    image = UPTAKE[0] * FRONT.data + UPTAKE[1] * np.random.default_rng(1).standard_normal(GRID.shape)
    return replace(PETLikelihood(image, GRID, BRAIN), **{"tempering": "independent"} | options)


def test_log_visibility_is_the_logarithm_of_equation_6():
    u = np.linspace(0, 1, 201)
    seen, unseen = log_visibility(u, 0.4, 0.2)
    np.testing.assert_allclose(np.exp(seen), equation_6(u, 0.4, 0.2), rtol=1e-12)
    np.testing.assert_allclose(np.exp(seen) + np.exp(unseen), 1, rtol=1e-12)


def test_log_visibility_is_exact_where_the_probability_underflows():
    seen, unseen = log_visibility(np.array([0.0, 1.0]), 0.6, 0.005)
    assert seen[0] == pytest.approx(-(120.0**2) - np.log(2), rel=1e-12)
    assert unseen[1] == pytest.approx(-(80.0**2) - np.log(2), rel=1e-12)
    assert log_visibility(np.array([0.0]), 0.6, 0.005, 1e-6)[0] == pytest.approx(np.log(1e-6))


def test_outline_likelihood_is_the_product_of_equation_5():
    model = outline(least_probability=0.0)
    alpha = equation_6(FRONT.data.astype(float), *OUTLINE)[BRAIN]
    labels = model.labeled[BRAIN]
    expected = np.sum(np.log(np.where(labels, alpha, 1 - alpha)))
    assert model.log_likelihood(FRONT, OUTLINE) == pytest.approx(expected, rel=1e-6)


def test_voxels_without_cells_are_one_term():
    """The shortcut for empty voxels is the sum over them."""
    empty = Density(np.where(RADIUS < 12, FRONT.data, 0), GRID)
    model = outline(least_probability=0.0)
    alpha = equation_6(empty.data.astype(float), 0.05, 0.08)[BRAIN]
    expected = np.sum(np.log(np.where(model.labeled[BRAIN], alpha, 1 - alpha)))
    assert model.log_likelihood(empty, np.array([0.05, 0.08])) == pytest.approx(expected, rel=1e-6)


def test_a_label_that_no_parameter_explains_costs_no_more_than_stated():
    labeled = np.zeros(GRID.shape)
    labeled[10, 11, 12] = 1
    stray = labeled.copy()
    stray[4, 11, 12] = 1
    nothing = Density(np.zeros(GRID.shape, np.float32), GRID)
    values = np.array([0.6, 0.05])
    losses = [
        np.diff([model.log_likelihood(nothing, values) for model in pair])[0]
        for pair in [
            [outline(labeled=part, least_probability=least) for part in (labeled, stray)]
            for least in (LEAST_PROBABILITY, 0.0)
        ]
    ]
    assert losses[0] == pytest.approx(np.log(1e-6), rel=1e-5)
    assert losses[1] == pytest.approx(-144 - np.log(2), rel=1e-5)


def test_pet_likelihood_is_the_product_of_equation_7():
    expected = stats.norm.logpdf(pet().uptake[BRAIN], UPTAKE[0] * FRONT.data[BRAIN], UPTAKE[1]).sum()
    assert pet().log_likelihood(FRONT, UPTAKE) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("model", "values"), [(outline(weight=0.3), OUTLINE), (pet(weight=0.3), UPTAKE)])
def test_features_give_the_score(model, values):
    """sum z dphi is the derivative of the log-likelihood, by central differences of both, at a point off the mode."""
    values = values * np.array([1.2, 0.9])
    _, residuals = model.features(FRONT, values)
    for column in range(2):
        step = 1e-5 * np.eye(2)[column]
        ahead, behind = (model.features(FRONT, values + sign * step)[0] for sign in (1, -1))
        score = residuals @ (ahead - behind) / 2e-5
        ends = [model.log_likelihood(FRONT, values + sign * step) for sign in (1, -1)]
        assert score == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


@pytest.mark.parametrize(("kind", "values"), [(outline, OUTLINE), (pet, UPTAKE)])
def test_features_give_the_fisher_information(kind, values):
    """dphi^T dphi is the variance of the score over observations, here of independent voxels."""
    model = kind(correlation_mm=0.0)
    generator, scores, information = np.random.default_rng(2), [], []
    for _ in range(400):
        seen = model.sample(FRONT, values, generator)
        drawn = replace(model, labeled=seen.astype(float)) if kind is outline else replace(model, uptake=seen)
        _, residuals = drawn.features(FRONT, values)
        steps = 1e-4 * values * np.eye(2)
        slopes = np.stack(
            [(drawn.features(FRONT, values + s)[0] - drawn.features(FRONT, values - s)[0]) for s in steps]
        )
        slopes /= 2 * steps.diagonal()[:, None]
        scores.append(slopes @ residuals)
        information.append(slopes @ slopes.T)
    scale = np.sqrt(np.diag(np.mean(information, axis=0)))
    # the standard error of a variance over 400 draws is 7 %
    np.testing.assert_allclose(
        np.cov(np.transpose(scores)) / np.outer(scale, scale),
        np.mean(information, axis=0) / np.outer(scale, scale),
        atol=0.25,
    )


def test_single_voxels_of_a_correlated_outline_follow_equation_6():
    model, generator = outline(), np.random.default_rng(3)
    draws = np.mean([model.sample(FRONT, OUTLINE, generator) for _ in range(400)], axis=0)
    alpha = equation_6(FRONT.data, *OUTLINE)
    shell = BRAIN & (alpha > 0.05) & (alpha < 0.95)
    assert shell.sum() > 300
    # 400 draws leave 0.025 at most; four of them, for hundreds of voxels are looked at
    np.testing.assert_allclose(draws[shell], alpha[shell], atol=0.1)
    assert abs(np.mean(draws[shell] - alpha[shell])) < 0.01
    assert not draws[~BRAIN].any()


@pytest.mark.parametrize("length", [0.0, 4.0, 8.0])
def test_noise_has_unit_variance_and_the_stated_correlation(length):
    generator = np.random.default_rng(4)
    fields = np.stack([correlated_noise(GRID, length, generator) for _ in range(40)])
    assert np.mean(fields**2) == pytest.approx(1, abs=0.05)
    lag = np.mean(fields * np.roll(fields, 2, axis=1))
    assert lag == pytest.approx(np.exp(-((4 / length) ** 2)) if length else 0, abs=0.05)


def test_noise_behind_a_point_spread_has_the_correlation_of_its_width():
    width = 5.0 / (2 * np.sqrt(2 * np.log(2)))  # standard deviation of a Gaussian whose half maximum is 5 mm wide
    assert correlation_from_fwhm(5.0) == pytest.approx(2 * width)


def test_independent_voxels_all_count_and_a_common_error_counts_once():
    sensitivity = np.zeros(GRID.shape)
    sensitivity[8:12, 8:12, 8:12] = 1.0
    assert independent_share(sensitivity, GRID, 0.0) == 1
    assert independent_share(sensitivity, GRID, 1e3) == pytest.approx(1 / 64, rel=0.01)


def test_tempering_makes_the_curvature_what_the_scatter_of_estimates_is():
    """Estimates of b from correlated noise scatter by what the tempered likelihood says, not by the naive one."""
    model, generator = pet(correlation_mm=6.0), np.random.default_rng(5)
    u = np.where(BRAIN, FRONT.data, 0).astype(float)
    estimates = [np.sum(u * model.sample(FRONT, UPTAKE, generator)) / np.sum(u**2) for _ in range(300)]  # least squares
    naive = UPTAKE[1] / np.sqrt(np.sum(u**2))
    share = independent_share(u, GRID, 6.0)
    assert np.std(estimates) > 3 * naive
    assert np.std(estimates) == pytest.approx(naive / np.sqrt(share), rel=0.15)  # 300 estimates leave 4 %


def test_scans_that_share_a_parameter_ask_for_it_once():
    core = core_outline(outline().labeled & (FRONT.data > 0.5), GRID, BRAIN)
    joint = JointObservation((core, outline(), pet()))
    names = [parameter.name for parameter in joint.parameters]
    assert names == ["t1c_threshold", "visibility_width", "flair_threshold", "pet_uptake", "pet_noise"]
    values = np.array([0.7, 0.07, 0.25, *UPTAKE])
    parts = [np.array([0.7, 0.07]), OUTLINE, UPTAKE]
    alone = [scan.log_likelihood(FRONT, own) for scan, own in zip(joint.scans, parts, strict=True)]
    assert joint.log_likelihood(FRONT, values) == pytest.approx(sum(alone), rel=1e-12)
    assert joint.observed.shape == joint.sample(FRONT, values, np.random.default_rng(0)).shape == (3, *GRID.shape)
    stabilized, residuals = joint.features(FRONT, values)
    assert stabilized.shape == residuals.shape == (3 * BRAIN.sum() + 1,)
    assert joint.num_features == len(residuals)


def test_weights_temper_each_scan():
    values = np.array([*OUTLINE, *UPTAKE])
    parts = [scan.log_likelihood(FRONT, own) for scan, own in ((outline(), OUTLINE), (pet(), UPTAKE))]
    joint = JointObservation((outline(weight=0.5), pet(weight=0.1)))
    assert joint.voxel_weights == {"flair": 0.5, "pet": 0.1}
    assert joint.log_likelihood(FRONT, values) == pytest.approx(0.5 * parts[0] + 0.1 * parts[1])


def test_a_scan_is_weighed_together_with_others_as_it_is_alone():
    """Features are taken apart where they were put together, and each is freed of the weight that it had."""
    house = OutlineLikelihood(outline().labeled * 0, outline().labeled * 1.0, GRID)
    scans = [house, outline(tempering="residuals"), outline(weight=0.2), pet(tempering="residuals", weight=0.3)]
    joint = JointObservation(tuple(scans))
    assert joint.weighs_by_residuals
    generator = np.random.default_rng(0)
    jacobian, residuals = generator.normal(size=(3, joint.num_features)), generator.normal(size=joint.num_features)
    covariance = 1e-3 * np.eye(3)
    together, effective = joint.tempered(jacobian, residuals, covariance)
    first, alone, worths = 0, [], []
    for scan in scans:
        part = slice(first, first + scan.num_features)
        assert len(scan.features(FRONT, np.full(len(scan.parameters), 0.3))[0]) == scan.num_features
        first = part.stop
        if scan.weighs_by_residuals:
            scan, worth = scan.tempered(jacobian[:, part], residuals[part], covariance)
            worths.append(worth)
        alone.append(scan.voxel_weights)
    assert [scan.voxel_weights for scan in together.scans] == alone
    assert together.scans[2] is scans[2]
    assert effective == pytest.approx(sum(worths))


def test_residuals_tell_the_weight_that_a_correct_correlation_length_tells():
    """Of noise that no fit has touched, for the uptake b: tr(M H) / tr(M J) is `independent_share` in one dimension."""
    u = np.where(BRAIN, FRONT.data, 0).astype(float)
    counted = {1.0: [], 0.3: []}
    for seed in range(8):
        image = pet(correlation_mm=4.0).sample(FRONT, UPTAKE, np.random.default_rng(seed))
        for weight, found in counted.items():
            scan = pet(uptake=image, tempering="residuals", weight=weight)
            jacobian = np.sqrt(weight) * np.append(u[BRAIN], 0)[None] / UPTAKE[1]
            # a covariance so small that the fit can't have absorbed anything
            tempered, worth = scan.tempered(jacobian, scan.features(FRONT, UPTAKE)[1], np.full((1, 1), 1e-12))
            assert worth < tempered.voxel_weight * BRAIN.sum()
            found.append(tempered.voxel_weight)
    np.testing.assert_allclose(counted[0.3], counted[1.0], rtol=1e-6)
    # some forty patches of 4 mm lie in the tumor: one weight scatters by a quarter, the mean of eight by a tenth
    assert np.mean(counted[1.0]) == pytest.approx(independent_share(u, GRID, 4.0), rel=0.2)


def test_a_stated_weight_is_not_weighed_and_one_that_is_unknown_follows_the_correlation_length():
    for kind in (outline, pet):
        assert kind().voxel_weight == 1
        near, far = (kind(tempering="stated", correlation_mm=length).voxel_weight for length in (2.0, 6.0))
        assert 1 > near > far > 0
        assert kind(tempering="residuals", correlation_mm=6.0).voxel_weight == far
        for scan in (kind(), kind(tempering="stated")):
            assert not scan.weighs_by_residuals
            with pytest.raises(InputError, match="keep the weights"):
                scan.tempered(np.zeros((1, scan.num_features)), np.zeros(scan.num_features), np.eye(1))
    assert not JointObservation((outline(), pet())).weighs_by_residuals


def test_house_and_paper_outlines_can_be_read_with_pet():
    joint = JointObservation((OutlineLikelihood(outline().labeled * 0, outline().labeled * 1.0, GRID), pet()))
    assert joint.observed.shape == (3, *GRID.shape)
    assert np.isfinite(joint.log_likelihood(FRONT, np.array([0.25, *UPTAKE])))


def test_uptake_is_normalized_between_healthy_brain_and_the_brightest_tumor():
    raw = Volume(7.0 + 3 * FRONT.data + 0.01 * np.random.default_rng(0).standard_normal(GRID.shape), GRID)
    seen = normalize_uptake(raw, BRAIN)
    assert np.median(seen.data[BRAIN]) == pytest.approx(0, abs=1e-6)
    assert np.percentile(seen.data[BRAIN], 99.9) == pytest.approx(1, abs=1e-6)
    assert not seen.data[~BRAIN].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: outline(weight=0.0), "weight in"),
        (lambda: outline(correlation_mm=-1.0), "correlation length"),
        (lambda: outline(least_probability=0.7), "least probability"),
        (lambda: outline(labeled=np.zeros(GRID.shape)), "some in the brain"),
        (lambda: outline(labeled=np.full(GRID.shape, np.nan)), "shares in"),
        (lambda: pet(uptake=np.full(GRID.shape, 40.0)), "normalize_uptake"),
        (lambda: pet(uptake=np.full(GRID.shape, np.nan)), "normalize_uptake"),
        (lambda: pet(brain=np.zeros(GRID.shape, bool)), "no brain"),
        (lambda: normalize_uptake(Volume(np.ones(GRID.shape), GRID), BRAIN), "differs from place to place"),
        (lambda: JointObservation(()), "at least one"),
        (lambda: outline(tempering="sharp"), "residuals or stated or independent"),
        (lambda: independent_share(np.zeros(GRID.shape), GRID, 1.0), "depend on something"),
        (lambda: DoubleLogisticOutline(np.ones((2, 2, 2)), GRID, WHOLE_THRESHOLD, BRAIN), "array of shape"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
