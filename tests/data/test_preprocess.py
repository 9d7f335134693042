import numpy as np
import pytest

from gliocast.core import Grid, InputError, Volume
from gliocast.data import brain_mask, require_brain, zscore


@pytest.fixture(scope="module")
def t1(small_patient_arrays, small_patient_affine):
    data = small_patient_arrays["t1"].astype(np.float32)
    return Volume(data, Grid(data.shape, small_patient_affine))


def refusal(mask, grid, t1):
    with pytest.raises(InputError) as caught:
        require_brain(mask, grid, t1)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_mask_keeps_the_brain_and_drops_a_stray_blob(t1):
    data = t1.data.copy()
    data[:3, :3, :3] = 100
    np.testing.assert_array_equal(brain_mask([Volume(data, t1.grid)]), t1.data != 0)


def test_mask_has_no_holes_and_keeps_negative_edges(t1):
    data = t1.data.copy()
    data[20:25, 30:35, 20:30] = 0
    edge = (t1.data != 0) & ~np.roll(t1.data != 0, 1, axis=0)
    data[edge] = -20
    np.testing.assert_array_equal(brain_mask([Volume(data, t1.grid)]), t1.data != 0)


def test_mask_is_the_union_over_scans(t1):
    parts = [Volume(np.where(np.indices(t1.data.shape)[0] < 28, t1.data, 0), t1.grid), t1]
    np.testing.assert_array_equal(brain_mask(parts), t1.data != 0)


def test_mask_of_zeros_is_empty_and_refused(t1):
    mask = brain_mask([Volume(np.zeros(t1.grid.shape, np.float32), t1.grid)])
    assert not mask.any()
    assert "0 ml" in refusal(mask, t1.grid, t1)


def test_plausible_brain_passes(t1):
    require_brain(brain_mask([t1]), t1.grid, t1)


def test_image_without_background_is_refused_as_not_skull_stripped(t1):
    assert "not skull-stripped; run a brain extraction first" in refusal(np.ones(t1.grid.shape, bool), t1.grid, t1)


@pytest.mark.parametrize(("scale", "advice"), [(1.3, "brain extraction"), (0.6, "voxel spacing")])
def test_brain_of_implausible_volume_is_refused(t1, scale, advice):
    message = refusal(t1.data != 0, Grid(t1.grid.shape, t1.grid.affine * scale), t1)
    assert "500 to 2300 ml" in message
    assert advice in message


@pytest.mark.parametrize("stretch", [(2, 0.5, 1), (0.4, 1.2, 1.2)])
def test_brain_of_implausible_extent_is_refused(t1, stretch):
    assert "80 to 230 mm" in refusal(t1.data != 0, Grid(t1.grid.shape, t1.grid.affine @ np.diag([*stretch, 1])), t1)


def test_mask_in_place_of_a_scan_is_refused(t1):
    mask = t1.data != 0
    assert "got 1 different values" in refusal(mask, t1.grid, Volume(mask.astype(np.float32), t1.grid))


def test_zscore_has_zero_mean_and_unit_deviation_inside_and_zero_outside(t1):
    brain = t1.data != 0
    result = zscore(t1, brain)
    assert result.data.dtype == np.float32
    assert result.grid is t1.grid
    assert abs(result.data[brain].mean(dtype=np.float64)) < 1e-5  # float32 rounding over 1e5 voxels
    assert abs(result.data[brain].std(dtype=np.float64) - 1) < 1e-5
    assert not result.data[~brain].any()


def test_zscore_ignores_scale_and_offset_of_the_scanner(t1):
    brain = t1.data != 0
    other = zscore(Volume(3 * t1.data + 50, t1.grid), brain)
    np.testing.assert_allclose(other.data, zscore(t1, brain).data, atol=1e-5)


def test_zscore_of_a_constant_is_refused(t1):
    with pytest.raises(InputError):
        zscore(Volume(np.ones(t1.grid.shape, np.float32), t1.grid), t1.data != 0)
