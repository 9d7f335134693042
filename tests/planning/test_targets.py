import numpy as np
import pytest

from gliocast.core import Density, Grid, InputError, Plan
from gliocast.planning import (
    SampledDensity,
    caution,
    coverage_target,
    fixed_volume_target,
    isodensity_target,
    sample_coverage,
    smoothed_target,
    surface_area,
    target_shape,
)

GRID = Grid((60, 56, 50), np.diag([1.0, 1.0, 1.2, 1.0]))
COARSE = GRID.coarsen((2, 2, 2))
MIDDLE = (30.0, 28.0, 30.0)


def distance_to(center_mm, grid=GRID):
    points = grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm(points - np.asarray(center_mm), axis=-1)


RADIUS = distance_to(MIDDLE)
BRAIN = RADIUS < 24
GTV = RADIUS < 6


def tumor(center_mm=MIDDLE, radius_mm=10.0, grid=GRID, width_mm=1.5):
    data = 1 / (1 + np.exp((distance_to(center_mm, grid) - radius_mm) / width_mm))
    data[distance_to(MIDDLE, grid) >= 24] = 0
    return Density(data.astype(np.float32), grid)


@pytest.mark.parametrize("level", [0.02, 0.5, 0.9])
def test_isodensity_target_ends_where_the_density_falls_below_its_level(level):
    target = isodensity_target(tumor(), level, gtv=GTV, within=BRAIN)
    expected = 10 + 1.5 * np.log(1 / level - 1)  # where the logistic profile has that value
    assert target[(expected > RADIUS + 1e-3) & BRAIN].all()
    assert not target[(expected < RADIUS - 1e-3) & ~GTV].any()


def test_isodensity_target_holds_the_gtv_and_stays_within_its_region():
    half = BRAIN & (np.indices(GRID.shape)[0] > 30)
    target = isodensity_target(tumor((36.0, 28.0, 30.0), 4.0), 0.5, gtv=GTV, within=half)
    assert target[GTV].all()
    assert not target[~(half | GTV)].any()


def test_level_that_no_voxel_reaches_is_refused_and_the_highest_said():
    weak = Density(0.3 * tumor().data, GRID)
    with pytest.raises(InputError, match=r"up to 0\.3, got 0\.5; lower it"):
        isodensity_target(weak, 0.5, gtv=GTV, within=BRAIN)


@pytest.mark.parametrize("volume_ml", [2.0, 10.0, 30.0])
def test_fixed_volume_target_has_that_volume_and_the_densest_voxels(volume_ml):
    density = tumor((33.0, 27.0, 31.0))
    target = fixed_volume_target(density, volume_ml, gtv=GTV, within=BRAIN)
    assert abs(target.sum() * GRID.voxel_volume / 1000 - volume_ml) <= GRID.voxel_volume / 1000
    assert target[GTV].all()
    taken, left = target & ~GTV, BRAIN & ~target
    assert density.data[taken].min() >= density.data[left].max()


@pytest.mark.parametrize("volume_ml", [0.0, -3.0, np.nan, np.inf, 0.8, 500.0])
def test_volume_smaller_than_the_gtv_or_larger_than_the_brain_is_refused(volume_ml):
    with pytest.raises(InputError, match=r"the gross tumor volume, and .* ml, the brain"):
        fixed_volume_target(tumor(), volume_ml, gtv=GTV, within=BRAIN)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, np.nan])
def test_share_outside_of_0_to_1_is_refused(share):
    samples = SampledDensity.of([tumor()])
    with pytest.raises(InputError, match="isodensity level"):
        isodensity_target(tumor(), share, gtv=GTV, within=BRAIN)
    with pytest.raises(InputError, match=r"share to cover: expected a number in \(0, 1\)"):
        coverage_target(samples, share, 0.9, gtv=GTV, within=BRAIN, grid=GRID)
    with pytest.raises(InputError, match="probability to cover it"):
        coverage_target(samples, 0.9, share, gtv=GTV, within=BRAIN, grid=GRID)


def fewest_voxels(density, share):
    """How many of the densest voxels hold that share: the exact answer for one sample."""
    values = np.sort(density.data[BRAIN])[::-1].astype(float)
    return int(np.searchsorted(np.cumsum(values), share * density.data.sum(dtype=float))) + 1


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_coverage_of_a_sure_density_is_its_smallest_level_set(share):
    density = tumor((31.0, 28.0, 29.0))
    target = coverage_target(SampledDensity.of([density] * 3), share, 0.9, gtv=GTV & False, within=BRAIN, grid=GRID)
    # the last voxel may come or go with single precision
    assert abs(int(target.mask.sum()) - fewest_voxels(density, share)) <= 1
    assert np.allclose(target.covered, density.data[target.mask].sum(dtype=float) / density.data.sum(dtype=float))


def test_coverage_on_a_coarse_grid_agrees_with_the_fine_one():
    center = (31.0, 29.0, 28.0)
    fine = coverage_target(SampledDensity.of([tumor(center)]), 0.9, 0.5, gtv=GTV, within=BRAIN, grid=GRID)
    coarse_samples = SampledDensity.of([tumor(center, grid=COARSE)])
    coarse = coverage_target(coarse_samples, 0.9, 0.5, gtv=GTV, within=BRAIN, grid=GRID)
    # one shell of 2 mm voxels against one of 1 mm, half of a voxel each way
    assert coarse.mask.sum() == pytest.approx(fine.mask.sum(), rel=0.03)
    assert 2 * (coarse.mask & fine.mask).sum() / (coarse.mask.sum() + fine.mask.sum()) > 0.97


@pytest.fixture(scope="module")
def uncertain():
    """Tumors of different size and place, on the coarse grid; a few of them far off."""
    generator = np.random.default_rng(0)
    sizes, places = generator.uniform(6, 12, 40), generator.normal(MIDDLE, 2.0, (40, 3))
    places[:3] += (9.0, 0.0, 0.0)
    return SampledDensity.of([tumor(place, size, COARSE) for place, size in zip(places, sizes, strict=True)])


@pytest.mark.parametrize("probability", [0.5, 0.8, 0.95])
def test_share_is_covered_with_the_probability_asked_for(uncertain, probability):
    target = coverage_target(uncertain, 0.9, probability, gtv=GTV, within=BRAIN, grid=GRID)
    assert target.probability(0.9) >= probability
    assert target.mask[GTV].all()
    assert not target.mask[~BRAIN].any()
    # by the samples themselves, block by block
    assert np.allclose(sample_coverage(uncertain, target.mask, GRID), target.covered)
    share = target.mask.reshape(30, 2, 28, 2, 25, 2).mean(axis=(1, 3, 5))[uncertain.occupied]
    assert np.allclose(uncertain.values @ share / uncertain.values.sum(axis=1), target.covered, atol=1e-5)


def test_more_certainty_takes_more_volume_and_never_more_than_the_mean_density_needs(uncertain):
    targets = {p: coverage_target(uncertain, 0.9, p, gtv=GTV, within=BRAIN, grid=GRID) for p in (0.5, 0.8, 0.95)}
    volumes = [int(target.mask.sum()) for target in targets.values()]
    assert volumes == sorted(volumes)
    mean = (uncertain.values / uncertain.totals[:, None]).mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    covered = np.cumsum(uncertain.values[:, order], axis=1) / uncertain.totals[:, None]
    for probability, target in targets.items():
        enough = (covered >= 0.9).mean(axis=0) >= probability
        needed = (int(np.argmax(enough)) + 1) * 8
        assert target.mask.sum() <= 1.02 * needed  # the finer grid's steps
    # where few are far off, those that are given up cost nothing
    assert volumes[1] < 0.9 * volumes[2]


def test_region_that_holds_too_little_is_refused_and_the_most_said(uncertain):
    half = BRAIN & (np.indices(GRID.shape)[0] < 30)
    with pytest.raises(InputError, match=r"share to cover: expected at most 0\.\d+"):
        coverage_target(uncertain, 0.95, 0.9, gtv=GTV, within=half, grid=GRID)


def test_samples_of_another_place_are_refused(uncertain):
    affine = COARSE.affine.copy()
    affine[0, 3] += 500
    elsewhere = SampledDensity(uncertain.values, uncertain.occupied, Grid(COARSE.shape, affine))
    with pytest.raises(InputError, match="overlaps"):
        coverage_target(elsewhere, 0.9, 0.9, gtv=GTV, within=BRAIN, grid=GRID)


def test_samples_that_are_none_are_refused():
    empty = Density(np.zeros(COARSE.shape, np.float32), COARSE)
    broken = Density(np.full(COARSE.shape, np.nan, np.float32), COARSE)
    with pytest.raises(InputError, match="none"):
        SampledDensity.of([])
    with pytest.raises(InputError, match="some of them empty"):
        SampledDensity.of([tumor(grid=COARSE), empty])
    with pytest.raises(InputError, match="finite"):
        SampledDensity.of([broken])
    with pytest.raises(InputError, match="grid of its companions"):
        SampledDensity.of([tumor(grid=COARSE), tumor()])


def test_smoothing_keeps_the_number_of_voxels_and_the_gtv_and_makes_the_surface_smoother():
    generator = np.random.default_rng(1)
    rough = BRAIN & (RADIUS + generator.normal(0, 2.0, GRID.shape) < 14)
    target = rough | GTV
    smooth = smoothed_target(target, 2.0, gtv=GTV, within=BRAIN, grid=GRID)
    before, after = target_shape(target, GRID), target_shape(smooth, GRID)
    assert smooth.sum() == target.sum()
    assert smooth[GTV].all()
    assert not smooth[~BRAIN].any()
    assert after.roughness < 1.1 < 1.5 < before.roughness
    assert after.num_components == 1 < before.num_components


def test_smoothing_does_not_add_what_of_the_gtv_was_left_out():
    target = (RADIUS < 10) & (np.indices(GRID.shape)[0] > 25)
    smooth = smoothed_target(target, 1.0, gtv=GTV, within=BRAIN, grid=GRID)
    assert smooth[GTV & target].all()
    assert smooth.sum() == target.sum()


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, 11.0])
def test_senseless_smoothing_is_refused(width):
    with pytest.raises(InputError, match="smoothing"):
        smoothed_target(GTV, width, gtv=GTV, within=BRAIN, grid=GRID)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 2.5)])
def test_surface_of_a_ball_is_four_pi_r_squared(spacing):
    shape = tuple(round(60 / h) for h in spacing)
    points = np.moveaxis(np.indices(shape), 0, -1) * spacing
    ball = np.linalg.norm(points - 29.6, axis=-1) < 20
    # directions between neighbors are 13; they see a ball's surface to a percent
    assert surface_area(ball, spacing) == pytest.approx(4 * np.pi * 20**2, rel=0.02)


def test_shape_counts_parts_and_two_balls_are_rougher_than_one_by_the_cube_root_of_two():
    two = (distance_to((18, 28, 30)) < 9) | (distance_to((42, 28, 30)) < 9)
    shape = target_shape(two, GRID)
    assert shape.num_components == 2
    assert shape.largest_share == pytest.approx(0.5, abs=0.01)
    assert shape.roughness == pytest.approx(2 ** (1 / 3), rel=0.03)
    assert shape.volume_ml == pytest.approx(two.sum() * GRID.voxel_volume / 1000)


def make_plan_of(standard, model):
    return Plan({"gtv": GTV, "ctv_standard": standard, "ctv_model": model}, GRID, 15.0)


def test_smaller_model_target_is_never_without_its_warning():
    (sentence,) = caution(make_plan_of(RADIUS < 16, RADIUS < 15))
    assert "SMALLER THAN THE GUIDELINE'S" in sentence
    one_voxel_less = (RADIUS < 16).copy()
    one_voxel_less[np.unravel_index(np.argmax(np.where(RADIUS < 16, RADIUS, 0)), GRID.shape)] = False
    assert caution(make_plan_of(RADIUS < 16, one_voxel_less)) != ()


def test_target_of_equal_or_larger_volume_needs_no_warning():
    assert caution(make_plan_of(RADIUS < 15, RADIUS < 15)) == ()
    assert caution(make_plan_of(RADIUS < 15, RADIUS < 16)) == ()


def test_target_that_omits_gtv_is_named():
    (sentence,) = caution(make_plan_of(RADIUS < 15, (RADIUS < 20) & (RADIUS > 3)))
    assert "leaves out" in sentence


@pytest.mark.parametrize(("side", "said"), [(0.2, "less than 0.01 ml"), (2.0, "less than 0.01 ml"), (2.2, "0.01 ml")])
def test_however_little_gtv_is_left_out_no_zero_is_said(side, said):
    grid = Grid((9, 9, 9), np.diag([side, side, side, 1.0]))
    standard = np.ones(grid.shape, dtype=bool)
    model, gtv = standard.copy(), np.zeros(grid.shape, dtype=bool)
    gtv[3:6, 3:6, 3:6] = True
    model[4, 4, 4] = False
    *_, sentence = caution(Plan({"gtv": gtv, "ctv_standard": standard, "ctv_model": model}, grid, 15.0))
    assert f"leaves out {said} of the gross tumor volume" in sentence
