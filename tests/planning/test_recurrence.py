import numpy as np
import pytest

from gliocast.core import SCHEMAS, Grid, InputError, LabelMap, Plan
from gliocast.planning.recurrence import MEASURES, Recurrence, recurrence_coverage

GRID = Grid((10, 6, 4), np.diag([2.0, 1.0, 1.0, 1.0]))


def slab(*ends):
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[slice(*ends)] = True
    return mask


def plan():
    return Plan({"gtv": slab(0, 2), "near": slab(0, 4), "far": slab(0, 8)}, GRID, 15.0)


def recurrence(enhancing):
    """Tumor in slabs 1 to 5, of which some enhance, and a cavity beyond."""
    data = np.zeros(GRID.shape, dtype=np.uint8)
    data[1:6], data[2:6, :2], data[9] = 2, 1, 4
    data[enhancing] = 3
    return Recurrence.of(LabelMap(data, GRID, SCHEMAS["brats-2024"]))


def test_coverage_is_the_share_of_the_recurrence_inside_the_plan():
    found = recurrence_coverage(recurrence(slab(4, 6)), plan())
    assert tuple(found) == MEASURES
    assert found["any"].covered == {"near": 3 / 5, "far": 1.0}
    assert found["enhancing"].covered == {"near": 0.0, "far": 1.0}
    assert found["any"].recurrence_ml == pytest.approx(5 * 24 * 2 / 1000)  # 24 voxels of 2 mm^3 to a slab


def test_inside_and_outside_of_the_gtv_add_up():
    found = recurrence_coverage(recurrence(slab(1, 3)), plan())
    inside, outside = found["any inside GTV"], found["any outside GTV"]
    assert inside.covered == {"near": 1.0, "far": 1.0}
    assert outside.covered == {"near": 2 / 4, "far": 1.0}
    assert inside.recurrence_ml + outside.recurrence_ml == pytest.approx(found["any"].recurrence_ml)


def test_no_recurrence_has_no_coverage():
    found = recurrence_coverage(recurrence(slab(4, 6)), plan())
    assert found["enhancing inside GTV"].recurrence_ml == 0
    assert found["enhancing inside GTV"].covered == {"near": None, "far": None}


def test_a_mask_says_nothing_of_enhancing_tumor():
    found = recurrence_coverage(Recurrence(slab(0, 1), None, GRID), plan())
    assert found["any"].covered == {"near": 1.0, "far": 1.0}
    assert found["enhancing"].recurrence_ml is None
    assert found["enhancing"].covered == {"near": None, "far": None}


def test_a_recurrence_on_another_grid_is_refused():
    other = Grid(GRID.shape, np.eye(4))
    with pytest.raises(InputError, match="recurrence: expected the grid of its companions"):
        recurrence_coverage(Recurrence(slab(0, 1), None, other), plan())
