"""What is said beside a plan before anybody uses it; `caution` itself is tested beside the targets."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, Density, Grid, LabelMap, Plan
from gliocast.planning import (
    EORTC,
    ESTRO_EANO,
    RTOG,
    coarse_grid_warning,
    cut_off_warning,
    narrow_margin_warning,
    smaller_structure,
    stray_cells_warning,
)

GRID = Grid((20, 22, 24), np.diag([1.0, 1.0, 3.0, 1.0]))


def labels(*numbers):
    data = np.zeros(GRID.shape, dtype=np.uint8)
    for number in numbers:
        data[10, 10, 8 + number] = number
    return LabelMap(data, GRID, SCHEMAS["brats-2021"])


@pytest.mark.parametrize("corner", [(0, 10, 10), (19, 10, 10), (10, 0, 10), (10, 21, 10), (10, 10, 0), (10, 10, 23)])
def test_target_at_any_edge_of_the_image_is_said_to_be_cut_off(corner):
    inner, outer = np.zeros(GRID.shape, dtype=bool), np.zeros(GRID.shape, dtype=bool)
    inner[1:-1, 1:-1, 1:-1] = True
    outer[corner] = True
    sentence = cut_off_warning(Plan({"gtv": inner, "ctv_model": inner | outer, "ptv_model": outer}, GRID, 15))
    assert sentence is not None
    assert sentence.startswith("the edge of the image cuts off ctv_model, ptv_model: plan on a scan")
    assert cut_off_warning(Plan({"gtv": inner}, GRID, 15)) is None


@pytest.mark.parametrize(("margin", "said"), [(2.9, True), (3.0, False), (2.99999999, False), (5.0, False)])
def test_ptv_margin_that_reaches_no_other_slice_is_said(margin, said):
    assert bool(coarse_grid_warning(GRID, margin)) == said


@pytest.mark.parametrize(
    ("guideline", "numbers", "margin", "own"),
    [
        (ESTRO_EANO, (1,), 14.9, 15),
        (ESTRO_EANO, (1,), 15.0, None),
        (EORTC, (1, 2), 15.0, 20),
        (RTOG, (1, 2), 20.0, None),
        (RTOG, (1,), 20.0, 25),  # where nothing but the core is seen, RTOG's margin is wider
        (RTOG, (1,), 25.0, None),
    ],
)
def test_margin_is_compared_with_the_guidelines_own_for_this_tumor(guideline, numbers, margin, own):
    found = narrow_margin_warning(guideline, labels(*numbers), margin)
    assert (found is None) == (own is None)
    if found is not None:
        assert f"({own} mm)" in found
        assert "SMALLER" in found


def test_only_a_models_structure_that_is_smaller_than_the_guidelines_is_described_so():
    volumes = {"GTVp": 1.0, "CTVp": 20.0, "CTVp_MODEL": 12.34, "PTVp": 30.0, "PTVp_MODEL": 30.0, "CTVp_BOOST": 5.0}
    said = {name: smaller_structure(name, volumes) for name in volumes}
    assert said.pop("CTVp_MODEL") == "SMALLER THAN CTVp (12.3 ml instead of 20.0 ml)"
    assert set(said.values()) == {None}
    assert smaller_structure("CTVp_MODEL", {"CTVp_MODEL": 1.0}) is None


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, None), (0.004, None), (0.1, "10.0 % of the tumor cells lie in fluid")]
)
@pytest.mark.parametrize("place", ["fluid", "outside"])
def test_cells_where_none_can_live_are_said(share, said, place):
    white, fluid = np.zeros(GRID.shape, dtype=np.float32), np.zeros(GRID.shape, dtype=np.float32)
    white[5:15, 5:10], fluid[5:15, 10:15] = 1, 1
    data = np.zeros(GRID.shape, dtype=np.float32)
    data[10, 7, 10] = 1 - share
    data[(10, 12, 10) if place == "fluid" else (1, 1, 1)] = share
    found = stray_cells_warning(Density(data, GRID), Anatomy(white, 0 * white, fluid, white + fluid > 0.5, GRID))
    assert (found is None) == (said is None)
    assert said is None or found.startswith(said)
