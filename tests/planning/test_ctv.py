import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, Density, Grid, InputError, LabelMap
from gliocast.planning import isovolumetric_ctv, make_plan

GRID = Grid((40, 36, 30), np.diag([1.0, 1.2, 1.5, 1.0]))
EVERYWHERE = np.ones(GRID.shape, dtype=bool)


def radius_from(index):
    offset = (np.moveaxis(np.indices(GRID.shape), 0, -1) - np.asarray(index)) * GRID.spacing
    return np.linalg.norm(offset, axis=-1)


def make_density(data):
    return Density(np.asarray(data, dtype=np.float32), GRID, day=1.0)


def first_voxels(count):
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[np.unravel_index(np.arange(count), GRID.shape)] = True
    return mask


@pytest.mark.parametrize("count", [1, 777, 20_000, 40 * 36 * 30])
def test_volume_equals_the_reference_to_the_voxel(count):
    density = make_density(np.random.default_rng(1).random(GRID.shape))
    chosen = isovolumetric_ctv(density, reference=first_voxels(count), within=EVERYWHERE)
    assert chosen.sum() == count


def test_no_voxel_left_out_is_denser_than_one_taken():
    density = make_density(np.random.default_rng(2).random(GRID.shape))
    within = radius_from((20, 18, 15)) < 14
    chosen = isovolumetric_ctv(density, reference=first_voxels(3_000), within=within)
    assert not chosen[~within].any()
    assert density.data[chosen].min() > density.data[within & ~chosen].max()


def test_zero_density_is_filled_up_by_distance_to_the_tumor():
    radius = radius_from((20, 18, 15))
    density = make_density(np.where(radius < 5, 1 - radius / 10, 0))
    count = int((radius < 11).sum())
    chosen = isovolumetric_ctv(density, reference=first_voxels(count), within=EVERYWHERE)
    assert chosen.sum() == count
    assert chosen[radius < 5].all()
    # distance to a voxelized ball differs from distance to its center by less than a voxel's diagonal
    assert radius[chosen].max() - radius[~chosen].min() < 2.2


def test_uniform_density_returns_the_reference():
    reference = radius_from((12, 20, 14)) < 7
    chosen = isovolumetric_ctv(make_density(np.full(GRID.shape, 0.5)), reference=reference, within=EVERYWHERE)
    assert np.array_equal(chosen, reference)


def test_ties_are_broken_the_same_way_for_every_memory_layout():
    density = make_density(np.round(np.random.default_rng(3).random(GRID.shape), 1))
    reference = first_voxels(5_001)
    chosen = isovolumetric_ctv(density, reference=reference, within=EVERYWHERE)
    fortran = Density(np.asfortranarray(density.data), GRID, day=1.0)
    again = isovolumetric_ctv(fortran, reference=np.asfortranarray(reference), within=np.asfortranarray(EVERYWHERE))
    assert chosen.sum() == 5_001
    assert np.array_equal(chosen, again)


def test_reference_larger_than_the_brain_is_refused():
    density = make_density(np.zeros(GRID.shape))
    with pytest.raises(InputError, match="voxels"):
        isovolumetric_ctv(density, reference=EVERYWHERE, within=first_voxels(10))


def test_density_that_is_not_finite_is_refused():
    density = make_density(np.full(GRID.shape, np.nan))
    with pytest.raises(InputError, match="finite"):
        isovolumetric_ctv(density, reference=first_voxels(10), within=EVERYWHERE)


def test_plan_holds_two_targets_of_one_volume():
    core, whole = radius_from((16, 18, 15)) < 4, radius_from((18, 18, 15)) < 8
    labels = LabelMap((2 * whole + 2 * core).astype(np.uint8), GRID, SCHEMAS["brats-2021"])
    brain = radius_from((20, 18, 15)) < 18
    zero = np.zeros(GRID.shape, dtype=np.float32)
    anatomy = Anatomy(brain.astype(np.float32), zero, zero, brain, GRID)
    density = make_density(np.exp(-radius_from((18, 18, 15)) / 4) * brain)
    plan = make_plan(labels, anatomy, density, margin_mm=8.0)
    assert plan["ctv_model"].sum() == plan["ctv_standard"].sum()
    assert plan["ctv_standard"][plan["gtv"]].all()
    assert np.array_equal(plan["gtv"], core)
    assert not plan["ctv_model"][~brain].any()
    assert plan.margin_mm == 8.0
