import numpy as np
import pytest

from gliocast.core import SCHEMAS, Density, Grid, InputError, LabelMap
from gliocast.observation import Misfit, OutlineLikelihood, misfit
from gliocast.observation.correlated import correlated_noise
from gliocast.observation.mri import (
    best_missed,
    distance_map,
    logits_of,
    outline_log_likelihood,
    visibility,
)

GRID = Grid((40, 40, 40), np.eye(4))
RADIUS = np.sqrt(sum((axis - 19.5) ** 2 for axis in np.indices(GRID.shape)))
DENSITY = (1 / (1 + np.exp((RADIUS - 10) / 2.0))).astype(np.float32)


def _labels(core, whole):
    return LabelMap((2 * whole - core).astype(np.uint8), GRID, SCHEMAS["brats-2021"])


def LOGIT(share):  # noqa: N802  # the symbol
    return np.log(share / (1 - share))


FRONT = Density(DENSITY, GRID)
LABELS = _labels(DENSITY > 0.65, DENSITY > 0.25)


def test_distance_is_exact_in_the_flank_of_a_front():
    distance = distance_map(logits_of(DENSITY), 0.0, GRID.spacing)
    flank = np.abs(RADIUS - 10) < 4
    np.testing.assert_allclose(distance[flank], 10 - RADIUS[flank], atol=0.15)


def test_likelihood_is_the_sum_that_the_docstring_states():
    labeled = (np.random.default_rng(0).uniform(0, 1, GRID.shape) < 0.4).astype(np.float32)
    level, f, width, prior, weight = -0.4, 0.05, 0.8, (2.0, 4.0), 0.01
    distance = distance_map(logits_of(DENSITY), level, GRID.spacing)
    v = 1 / (1 + np.exp(-np.clip(distance, -50, 50).astype(np.float64) / width))

    def log_density(m):
        p = f + (1 - f - m) * v
        terms = np.sum(labeled * np.log(p) + (1 - labeled) * np.log(1 - p) - np.log(1 - f))
        return weight * terms + (prior[0] - 1) * np.log(m) + (prior[1] - 1) * np.log(1 - m)

    expected = max(log_density(m) for m in np.linspace(0.01, 0.89, 881))
    ours = outline_log_likelihood(
        *visibility(logits_of(DENSITY), labeled, level, width, GRID.spacing), f, prior, weight
    )
    assert ours == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("missed", [0.05, 0.3, 0.6])
def test_the_miss_rate_of_an_outline_is_found(missed):
    holes = np.random.default_rng(1).uniform(0, 1, GRID.shape) < missed
    labeled = ((DENSITY > 0.25) & ~holes).astype(np.float32)
    visible, label, _ = visibility(logits_of(DENSITY), labeled, LOGIT(0.25), 0.1, GRID.spacing)
    assert best_missed(visible, label, 0.01, (1.01, 1.01), 1.0) == pytest.approx(missed, abs=0.03)


def test_empty_space_around_the_tumor_costs_nothing():
    values = np.array([0.65, 0.25])
    wide = Grid(tuple(n + 20 for n in GRID.shape), np.eye(4))
    padded = [np.pad(part, 10) for part in (DENSITY, LABELS.data)]
    far = OutlineLikelihood.from_labels(LabelMap(padded[1], wide, LABELS.schema))
    near = OutlineLikelihood.from_labels(LABELS)
    expected = near.log_likelihood(FRONT, values)
    assert far.log_likelihood(Density(padded[0], wide), values) == pytest.approx(expected, rel=1e-3)


def test_sharpness_of_the_outlines_does_not_inform_the_width_of_the_front():
    """Fronts of any width through the same two outlines explain them equally well, if thresholds may follow."""
    model = OutlineLikelihood.from_labels(LABELS)
    values = []
    for width in (1.0, 2.0, 4.0):
        front = Density((1 / (1 + np.exp((RADIUS - 10) / width))).astype(np.float32), GRID)
        cuts = [1 / (1 + np.exp((radius - 10) / width)) for radius in (10 - 2 * LOGIT(0.65), 10 - 2 * LOGIT(0.25))]
        values.append(model.log_likelihood(front, np.array(cuts)))
    assert np.ptp(values) < 0.02 * abs(values[1])


def test_likelihood_peaks_at_the_thresholds_that_drew_the_outlines():
    model = OutlineLikelihood.from_labels(LABELS)
    best = model.log_likelihood(FRONT, np.array([0.65, 0.25]))
    for core, whole in ((0.5, 0.25), (0.8, 0.25), (0.65, 0.15), (0.65, 0.4)):
        assert model.log_likelihood(FRONT, np.array([core, whole])) < best


def test_a_core_threshold_below_the_flair_threshold_is_impossible():
    model = OutlineLikelihood.from_labels(LABELS)
    assert model.log_likelihood(FRONT, np.array([0.2, 0.3])) == -np.inf


def test_a_tumor_without_core_has_one_threshold():
    model = OutlineLikelihood.from_labels(_labels(np.zeros(GRID.shape, bool), DENSITY > 0.25))
    assert [p.name for p in model.parameters] == ["flair_threshold"]
    assert np.isfinite(model.log_likelihood(FRONT, np.array([0.25])))


def test_no_tumor_is_bad_input():
    empty = np.zeros(GRID.shape, bool)
    with pytest.raises(InputError, match="segment it first"):
        OutlineLikelihood.from_labels(_labels(empty, empty))


def test_coarse_outlines_keep_their_volume():
    model = OutlineLikelihood.from_labels(LABELS, (2, 4, 3))
    fine = LABELS.whole.sum() * GRID.voxel_volume
    assert model.whole.sum() * model.grid.voxel_volume == pytest.approx(fine, rel=1e-5)


def test_sampled_outlines_scatter_around_the_true_ones_and_repeat_with_their_generator():
    model = OutlineLikelihood.from_labels(LABELS)
    values = np.array([0.65, 0.25])
    draws = [model.sample(FRONT, values, np.random.default_rng(seed)) for seed in range(12)]
    volumes = np.array([[outline.sum() for outline in draw] for draw in draws])
    truth = np.array([(DENSITY > 0.65).sum(), (DENSITY > 0.25).sum()])
    np.testing.assert_allclose(volumes.mean(axis=0), truth, rtol=0.1)
    assert (volumes.std(axis=0) > 0).all()
    assert all((core <= whole).all() for core, whole in draws)
    np.testing.assert_array_equal(draws[3], model.sample(FRONT, values, np.random.default_rng(3)))


def test_sampled_errors_are_correlated_over_the_stated_length():
    field = correlated_noise(Grid((64, 64, 64), np.eye(4)), 6.0, np.random.default_rng(0))

    def correlation(lag: int) -> float:
        return float(np.mean(field * np.roll(field, lag, axis=0)))

    # A field smoothed by a Gaussian of width s is correlated by exp(-d^2 / 4 s^2), here s = 3 mm.
    assert correlation(3) == pytest.approx(np.exp(-0.25), abs=0.1)
    assert correlation(6) == pytest.approx(np.exp(-1.0), abs=0.1)
    assert abs(correlation(18)) < 0.15


@pytest.mark.parametrize("tempering", ["stated", "independent"])
def test_features_give_the_score_of_the_likelihood(tempering):
    """d log L = sum z d phi along both thresholds, miss rate and its prior included."""
    holes = np.random.default_rng(1).uniform(0, 1, GRID.shape) < 0.1
    model = OutlineLikelihood.from_labels(_labels((DENSITY > 0.7) & ~holes, DENSITY > 0.2), tempering=tempering)
    values, step = np.array([0.65, 0.25]), 1e-4
    _, z = model.features(FRONT, values)
    for offset in step * np.eye(2):
        slope = (model.log_likelihood(FRONT, values + offset) - model.log_likelihood(FRONT, values - offset)) / 2
        rise = (model.features(FRONT, values + offset)[0] - model.features(FRONT, values - offset)[0]) / 2
        # m is found to 1e-5 and features are single precision: a relative 1e-3 over such a step
        assert float(z.astype(float) @ rise) == pytest.approx(slope, rel=5e-3)


def test_features_have_one_length_for_all_densities():
    model = OutlineLikelihood.from_labels(LABELS)
    values = np.array([0.65, 0.25])
    lengths = {model.features(Density(shape, GRID), values)[0].shape for shape in (DENSITY, 0 * DENSITY, DENSITY**3)}
    assert len(lengths) == 1


def test_independent_voxels_count_once_and_stated_ones_what_is_stated():
    whole = LABELS.whole.sum()
    independent, stated = (OutlineLikelihood.from_labels(LABELS, tempering=way) for way in ("independent", "stated"))
    assert independent.voxel_weights == {"core": 1.0, "whole": 1.0}
    radius = (3 * whole / (4 * np.pi)) ** (1 / 3)
    assert stated.voxel_weights["whole"] * whole == pytest.approx(40 * np.sqrt(radius / 15))
    assert not independent.weighs_by_residuals
    assert OutlineLikelihood.from_labels(LABELS).weighs_by_residuals


def test_another_way_to_weigh_voxels_is_refused():
    with pytest.raises(InputError, match="residuals or stated or independent"):
        OutlineLikelihood.from_labels(LABELS, tempering="guessed")


def test_the_width_of_an_outline_is_found():
    """Outlines displaced voxel by voxel by a logistic error of known width."""
    distance = distance_map(logits_of(DENSITY), LOGIT(0.25), GRID.spacing)
    noise = np.random.default_rng(0).logistic(0, 0.7, GRID.shape)
    near = np.where(np.abs(distance) < 4, noise, 0)  # elsewhere the plateau and the empty space have no distance
    model = OutlineLikelihood.from_labels(_labels(DENSITY > 0.65, distance + near > 0))
    widths = model.sharpened(FRONT, np.array([0.65, 0.25])).step_widths
    assert widths["whole"] == pytest.approx(0.7, rel=0.2)
    assert widths["core"] < 0.2  # drawn without errors


def test_misfit_counts_the_focus_that_one_seed_cannot_reach():
    whole = DENSITY > 0.25
    whole[2:8, 2:8, 2:8] = True
    left = misfit(_labels(DENSITY > 0.65, whole), DENSITY, 0.65, 0.25)
    assert left.num_foci == 2
    assert left.unexplained_foci == 1
    assert left.unexplained_foci_ml == pytest.approx(0.216)
    assert left.missed_ml == pytest.approx(0.216)
    assert left.extra_ml == 0
    assert left.core_dice == 1
    assert left.farthest_mm > 10
    assert left.sentences()[1] == (
        "The segmentation has 2 separate parts; 1 of them (0.2 ml) is out of reach of growth from one focus."
    )


@pytest.mark.parametrize(
    ("num_foci", "dark", "said"),
    [
        (1, 1, "has one part; it (0.4 ml) is out of reach"),
        (3, 1, "has 3 separate parts; 1 of them (0.4 ml) is out of reach"),
        (3, 2, "has 3 separate parts; 2 of them (0.8 ml) are out of reach"),
    ],
)
def test_misfit_counts_parts_in_words(num_foci, dark, said):
    left = Misfit(0.9, 0.9, 1.0, 1.0, 2.0, num_foci, dark, 0.4 * dark)
    assert said in left.sentences()[1]
