import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, Density, Grid, InputError, LabelMap
from gliocast.planning import compare_plans, coverage_curve, covered_fraction, make_plan

GRID = Grid((60, 60, 60), np.diag([1.0, 1.0, 1.0, 1.0]))


def radius_from(index):
    return np.linalg.norm(np.moveaxis(np.indices(GRID.shape), 0, -1) - np.asarray(index), axis=-1)


def make_case(density_center=(30, 30, 30)):
    core, whole, brain = radius_from((30, 30, 30)) < 6, radius_from((30, 30, 30)) < 10, radius_from((30,) * 3) < 28
    labels = LabelMap((2 * whole + 2 * core).astype(np.uint8), GRID, SCHEMAS["brats-2021"])
    zero = np.zeros(GRID.shape, dtype=np.float32)
    anatomy = Anatomy(brain.astype(np.float32), zero, zero, brain, GRID)
    density = Density((np.exp(-radius_from(density_center) / 5) * brain).astype(np.float32), GRID, day=1.0)
    return labels, anatomy, density


def test_covered_fraction_of_an_exponential_profile_matches_the_integral():
    _, _, density = make_case()
    # integral of exp(-r / a) r^2 from 0 to R, a = 5 mm; brain ends at 28 mm
    integral = lambda end: 2 - np.exp(-end) * (end**2 + 2 * end + 2)  # noqa: E731
    ball = radius_from((30, 30, 30)) < 15
    assert covered_fraction(density, ball) == pytest.approx(integral(3.0) / integral(28 / 5), abs=0.01)


def test_parts_cover_the_whole():
    _, _, density = make_case((25, 31, 36))
    mask = np.random.default_rng(0).random(GRID.shape) < 0.3
    assert covered_fraction(density, mask) + covered_fraction(density, ~mask) == pytest.approx(1.0, abs=1e-12)


def test_covered_fraction_of_no_tumor_is_refused():
    empty = Density(np.zeros(GRID.shape, dtype=np.float32), GRID, day=1.0)
    with pytest.raises(InputError, match="tumor somewhere"):
        covered_fraction(empty, np.ones(GRID.shape, dtype=bool))


def test_coverage_curves_rise_and_the_level_sets_bound_the_margins():
    labels, anatomy, density = make_case((26, 33, 30))
    curve = coverage_curve(density, labels, anatomy, widest_margin_mm=20.0, num_points=21)
    assert (np.diff(curve.volume_ml) >= 0).all()
    assert (np.diff(curve.covered_by_margin) >= 0).all()
    assert (np.diff(curve.covered_by_density) >= 0).all()
    assert (np.diff(curve.level) <= 0).all()
    assert (curve.covered_by_density >= curve.covered_by_margin - 1e-12).all()
    assert curve.volume_ml[0] == pytest.approx(labels.core.sum() / 1000)


def test_curves_coincide_for_a_tumor_that_grew_alike_in_all_directions():
    labels, anatomy, density = make_case()
    curve = coverage_curve(density, labels, anatomy, widest_margin_mm=15.0, num_points=16)
    # the two differ by how a voxelized ball's distance map rounds: under a voxel at 15 mm
    assert np.abs(curve.covered_by_density - curve.covered_by_margin).max() < 0.01


def test_curve_passes_through_the_plan():
    labels, anatomy, density = make_case((26, 33, 30))
    plan = make_plan(labels, anatomy, density, margin_mm=8.0)
    comparison = compare_plans(plan, density, labels)
    curve = coverage_curve(density, labels, anatomy, widest_margin_mm=16.0, num_points=17)
    assert curve.volume_ml[8] == pytest.approx(comparison.standard_ml)
    assert curve.covered_by_margin[8] == pytest.approx(comparison.covered_by_standard, rel=1e-9)
    assert curve.covered_by_density[8] == pytest.approx(comparison.covered_by_model, rel=1e-9)
    needed_by_margin, needed_by_density = curve.volume_to_cover(comparison.covered_by_standard)
    assert needed_by_margin == pytest.approx(comparison.standard_ml, rel=1e-3)
    assert needed_by_density <= needed_by_margin


def test_comparison_splits_the_burden_at_the_visible_outline():
    labels, anatomy, density = make_case((26, 33, 30))
    comparison = compare_plans(make_plan(labels, anatomy, density, margin_mm=8.0), density, labels)
    visible = covered_fraction(density, labels.whole)
    assert comparison.burden_beyond_ml == pytest.approx((1 - visible) * comparison.burden_ml)
    assert comparison.covered_by_model >= comparison.covered_by_standard
    assert 0 < comparison.beyond_standard_ml < comparison.burden_beyond_ml
    assert comparison.standard_ml == comparison.model_ml
    assert comparison.gtv_in_model == 1.0
