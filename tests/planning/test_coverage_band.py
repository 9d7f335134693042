import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, Density, Grid, InputError, LabelMap, block_mean
from gliocast.planning import burden_spread, coverage_band, coverage_curve, make_plan
from gliocast.planning.coverage_band import BAND

FACTOR = 2


@pytest.fixture(scope="module")
def tumor():
    """A ball of tumor in a ball of white matter at 2 mm: labels, anatomy, and densities of several widths."""
    grid = Grid((40, 40, 40), np.diag([2.0, 2.0, 2.0, 1.0]))
    points = grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1))
    radius = np.linalg.norm(points - 39, axis=-1)
    brain = radius < 36
    tissue = brain.astype(np.float32)
    anatomy = Anatomy(tissue, 0 * tissue, 0 * tissue, brain, grid)
    labels = LabelMap(np.where(radius < 10, 4, 0).astype(np.uint8), grid, SCHEMAS["brats-2021"])

    def density(width):
        return Density((brain / (1 + np.exp((radius - 10) / width))).astype(np.float32), grid)

    return labels, anatomy, density


def coarse(density):
    factors = (FACTOR,) * 3
    return Density(block_mean(density.data, factors), density.grid.coarsen(factors))


def band_of(tumor, widths, *, delivered=3.0, onto=lambda density: density):
    labels, anatomy, density = tumor
    curve = coverage_curve(density(delivered), labels, anatomy, widest_margin_mm=20.0, num_points=9)
    samples = [onto(density(width)) for width in widths]
    return curve, coverage_band(curve, samples, density=density(delivered), labels=labels, anatomy=anatomy)


def test_band_of_the_delivered_density_is_the_curve(tumor):
    curve, band = band_of(tumor, [3.0])
    assert band.num_samples == 1
    for ends, share in ((band.by_margin, curve.covered_by_margin), (band.by_density, curve.covered_by_density)):
        np.testing.assert_allclose(ends, np.stack([share, share]), atol=1e-5)


def test_wider_tumors_are_covered_less_and_the_ends_are_quantiles(tumor):
    widths = np.linspace(2, 5, 21)
    _, band = band_of(tumor, widths)
    each = np.array([band_of(tumor, [width])[1].by_margin[0] for width in widths])
    assert np.all(np.diff(each, axis=0) < 0)
    np.testing.assert_allclose(band.by_margin, np.quantile(each, BAND, axis=0), atol=1e-6)
    assert np.all((band.by_density >= 0) & (band.by_density <= 1 + 1e-9))
    assert np.all(np.diff(band.by_density, axis=1) >= 0)


def test_samples_of_a_coarser_grid_give_nearly_the_same(tumor):
    """A coarse voxel's mean stands for eight: at the tumor's edge, 3 mm wide, that moves a few percent of the cells."""
    fine, rough = (band_of(tumor, [2.5, 3.5], onto=onto)[1] for onto in (lambda density: density, coarse))
    np.testing.assert_allclose(rough.by_margin, fine.by_margin, atol=0.03)
    # all of the tumor lies in the widest plan: what a coarse voxel holds beyond tissue isn't counted as missed
    assert rough.by_margin[0, -1] == pytest.approx(fine.by_margin[0, -1], abs=0.003)


def test_a_sample_without_tumor_is_refused(tumor):
    labels, anatomy, density = tumor
    curve = coverage_curve(density(3.0), labels, anatomy)
    empty = Density(np.zeros(labels.grid.shape, dtype=np.float32), labels.grid)
    for samples in ([], [density(3.0), empty]):
        with pytest.raises(InputError, match="coverage band"):
            coverage_band(curve, samples, density=density(3.0), labels=labels, anatomy=anatomy)


def test_shares_of_the_burden_spread_as_the_samples_do(tumor):
    labels, anatomy, density = tumor
    plan = make_plan(labels, anatomy, density(3.0), margin_mm=8.0)
    samples = [density(width) for width in np.linspace(2, 5, 21)]
    found = burden_spread(samples, plan, labels, anatomy)
    for part, mask in (("standard", plan["ctv_standard"]), ("model", plan["ctv_model"])):
        shares = [sample.data[mask].sum() / sample.data.sum() for sample in samples]
        spread = getattr(found, part)
        assert spread.mean == pytest.approx(np.mean(shares), abs=1e-5)
        assert (spread.lower, spread.upper) == pytest.approx(tuple(np.quantile(shares, BAND)), abs=1e-5)
    beyond = [1 - sample.data[labels.whole].sum() / sample.data.sum() for sample in samples]
    assert found.beyond.mean == pytest.approx(np.mean(beyond), abs=1e-5)


def test_shares_of_samples_on_coarser_voxels_are_nearly_the_same(tumor):
    labels, anatomy, density = tumor
    plan = make_plan(labels, anatomy, density(3.0), margin_mm=8.0)
    fine, rough = (
        burden_spread([onto(density(width)) for width in (2.5, 3.5)], plan, labels, anatomy)
        for onto in (lambda each: each, coarse)
    )
    assert rough.standard.mean == pytest.approx(fine.standard.mean, abs=0.03)


def test_spread_without_tumor_is_refused(tumor):
    labels, anatomy, density = tumor
    plan = make_plan(labels, anatomy, density(3.0))
    empty = Density(np.zeros(labels.grid.shape, dtype=np.float32), labels.grid)
    for samples in ([], [density(3.0), empty]):
        with pytest.raises(InputError, match="coverage band"):
            burden_spread(samples, plan, labels, anatomy)
