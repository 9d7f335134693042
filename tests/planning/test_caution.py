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
    planning_target_volume,
    smaller_structure,
    stray_cells_warning,
    uncertain_coverage_warning,
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


def slices(*spacing):
    return Grid((20, 22, 24), np.diag([*spacing, 1.0]))


@pytest.mark.parametrize(
    ("margin", "said"), [(2.9, True), (3.0, False), (2.99999999, False), (3.9, False), (4.0, True)]
)
def test_ptv_margin_that_ends_well_before_its_length_is_said(margin, said):
    assert bool(coarse_grid_warning(GRID, [15.0], margin)) == said


@pytest.mark.parametrize(
    ("spacing", "ctv", "ptv", "said"),
    [
        ((1, 1, 4), [15], 3, "slices of 4 mm the CTV's margin of 15 mm ends at 16 mm, the PTV's of 3 mm at 4 mm:"),
        (
            (5.5, 1, 1),
            [15],
            3,
            "slices of 5.5 mm the CTV's margin of 15 mm ends at 16.5 mm, the PTV's of 3 mm at 0 mm:",
        ),
        ((1, 1, 2), [15], 3, "slices of 2 mm the CTV's margin of 15 mm ends at 14 mm, the PTV's of 3 mm at 2 mm:"),
        ((1, 1, 2.5), [15, 15], 4, "slices of 2.5 mm the PTV's margin of 4 mm ends at 2.5 mm:"),
        ((4, 4, 4), [15], 4, "voxels of 4 mm the CTV's margin of 15 mm ends at 16 mm:"),
        (
            (1, 1, 6),
            [20, 25],
            6,
            "slices of 6 mm the CTV's margin of 20 mm ends at 18 mm, the CTV's of 25 mm at 24 mm:",
        ),
        (
            (1.6, 1.6, 5),
            [15],
            3,
            "slices of 5 mm the PTV's margin of 3 mm ends at 5 mm:",
        ),
        ((1, 1, 1), [15, 20, 25], 3, None),
        ((0.9375, 0.9375, 1.5), [15], 3, None),
        ((1.00000005, 1, 3.0000002), [15], 3, None),
        ((1, 1, float(np.float32(5 / 3))), [15], 5, None),
        ((1.00000005, 1, 4.0000002), [16], 3, "slices of 4 mm the PTV's margin of 3 mm ends at 4 mm:"),
        ((4.0000002, 4, 4.0000001), [16], 3, "voxels of 4 mm the PTV's margin of 3 mm ends at 4 mm:"),
        ((1, 1, 2.5), [15], 3, None),
    ],
)
def test_margins_that_thick_slices_cut_short_are_said_in_one_sentence(spacing, ctv, ptv, said):
    found = coarse_grid_warning(slices(*spacing), ctv, ptv)
    assert (found is None) == (said is None)
    if said is not None:
        assert found == f"on {said} plan on a finer scan, or grow the margins in the planning system"


@pytest.mark.parametrize("spacing", [4.0, 5.5, 2.5, 2.0])
def test_what_is_said_of_a_margin_is_where_it_ends(spacing):
    grid = Grid((31, 31, 41), np.diag([1.0, 1.0, spacing, 1.0]))
    source = np.zeros(grid.shape, dtype=bool)
    source[:, :, :20] = True
    reached = (int(np.count_nonzero(planning_target_volume(source, grid, 10.0)[15, 15])) - 20) * spacing
    found = coarse_grid_warning(grid, [15.0], 10.0)
    assert ("10 mm" in (found or "")) == (abs(10 - reached) >= 1)
    if abs(10 - reached) >= 1:
        assert found is not None
        assert (
            f"the PTV's of 10 mm at {reached:g} mm" in found or f"PTV's margin of 10 mm ends at {reached:g} mm" in found
        )


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


@pytest.mark.parametrize(
    ("asked", "reached", "said"), [(0.95, None, False), (0.9, 0.9, False), (0.9, 0.917, False), (0.95, 0.9375, True)]
)
def test_target_less_sure_than_was_asked_for_is_said(asked, reached, said):
    found = uncertain_coverage_warning(asked, reached)
    assert (found is not None) == said
    assert found is None or "with a probability of 0.938 instead of 0.95" in found


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
