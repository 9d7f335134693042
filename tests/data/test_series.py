"""Days one after the other, and vectors, in one NIfTI file."""

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import Grid, InputError
from gliocast.data import open_series, read_density_series, write_vectors

SHAPE = (17, 19, 16)
AFFINE = np.array([[0, -2.0, 0, 20], [1.5, 0, 0, -30], [0, 0, 3.0, 5], [0, 0, 0, 1]])


@pytest.fixture
def grid():
    return Grid(SHAPE, AFFINE)


@pytest.fixture
def volumes():
    return np.random.default_rng(0).random((3, *SHAPE)).astype(np.float32)


def write(path, grid, volumes, days, like=None):
    with open_series(path, grid, days=days, like=like) as append:
        for volume in volumes:
            append(volume)
    return nib.load(path)


def test_series_holds_its_volumes_in_order_to_the_bit(tmp_path, grid, volumes):
    image = write(tmp_path / "series.nii.gz", grid, volumes, (1.0, 2.5, 4.0))
    np.testing.assert_array_equal(np.moveaxis(np.asarray(image.dataobj), -1, 0), volumes)
    assert image.get_data_dtype() == np.float32
    for form in ("qform", "sform"):
        np.testing.assert_allclose(getattr(image, f"get_{form}")(), AFFINE, atol=1e-5)


@pytest.mark.parametrize(("days", "step"), [((1.0, 2.5, 4.0), 1.5), ((1.0, 2.0, 4.0), 0.0)])
def test_step_of_the_fourth_axis_is_zero_where_days_are_uneven(tmp_path, grid, volumes, days, step):
    image = write(tmp_path / "series.nii.gz", grid, volumes, days)
    assert image.header["pixdim"][4] == step
    assert image.header.get_xyzt_units() == ("mm", "unknown")


def test_one_day_is_a_3d_image(tmp_path, grid, volumes):
    assert write(tmp_path / "one.nii.gz", grid, volumes[:1], (7.0,)).shape == SHAPE


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_series_takes_geometry_and_version_of_its_reference_and_none_of_its_words(tmp_path, grid, volumes, kind):
    reference = kind(volumes[0], AFFINE)
    reference.set_qform(AFFINE, 1)
    reference.set_sform(AFFINE, 4)
    reference.header.set_xyzt_units("mm", "sec")
    reference.header["descrip"] = b"JANE DOE"
    nib.save(reference, tmp_path / "like.nii.gz")
    image = write(tmp_path / "series.nii.gz", grid, volumes, (1.0, 2.0, 3.0), tmp_path / "like.nii.gz")
    assert isinstance(image, kind)
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 4)
    np.testing.assert_array_equal(image.affine, nib.load(tmp_path / "like.nii.gz").affine)
    assert image.header.get_xyzt_units() == ("mm", "unknown")
    assert not image.header["descrip"].item()
    np.testing.assert_array_equal(np.moveaxis(np.asarray(image.dataobj), -1, 0), volumes)


def test_volume_of_another_shape_is_refused(tmp_path, grid, volumes):
    with pytest.raises(InputError, match="array of shape"):
        write(tmp_path / "series.nii.gz", grid, volumes[:, :-1], (1.0, 2.0, 3.0))


def test_day_without_a_volume_is_an_error(tmp_path, grid, volumes):
    with pytest.raises(RuntimeError, match="2 volumes for 3 days"):
        write(tmp_path / "series.nii.gz", grid, volumes[:2], (1.0, 2.0, 3.0))


def test_vectors_are_stored_as_nifti_says(tmp_path, grid, volumes):
    write_vectors(tmp_path / "moved.nii.gz", volumes, grid)
    image = nib.load(tmp_path / "moved.nii.gz")
    assert image.shape == (*SHAPE, 1, 3)
    assert int(image.header["intent_code"]) == 1006
    np.testing.assert_array_equal(np.moveaxis(np.asarray(image.dataobj)[..., 0, :], -1, 0), volumes)


@pytest.mark.parametrize("count", [1, 3])
def test_series_is_read_as_it_was_written(tmp_path, grid, volumes, count):
    write(tmp_path / "series.nii.gz", grid, volumes[:count], tuple(range(count)))
    series = read_density_series(tmp_path / "series.nii.gz", "samples")
    assert len(series) == count
    np.testing.assert_array_equal(list(series), volumes[:count])
    assert series.grid == grid


def test_volume_that_is_not_finite_is_refused(tmp_path, grid, volumes):
    volumes = volumes.copy()
    volumes[1, 3, 4, 5] = np.nan
    write(tmp_path / "series.nii.gz", grid, volumes, tuple(range(len(volumes))))
    with pytest.raises(InputError, match=r"samples \(series.nii.gz\): expected finite values"):
        list(read_density_series(tmp_path / "series.nii.gz", "samples"))


@pytest.mark.parametrize("shape", [(17, 19), (17, 19, 16, 2, 3), (3, 19, 16, 2)])
def test_series_of_other_axes_is_refused(tmp_path, shape):
    nib.save(nib.Nifti1Image(np.ones(shape, np.float32), np.eye(4)), tmp_path / "odd.nii.gz")
    with pytest.raises(InputError, match=r"samples \(odd.nii.gz\): expected volumes"):
        read_density_series(tmp_path / "odd.nii.gz", "samples")
