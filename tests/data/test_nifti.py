import gzip
import hashlib

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import Grid, InputError
from gliocast.data import header_warnings, read_integers, read_volume, write_like, write_volume

SHAPE = (20, 18, 17)
AFFINE = np.array([[-1.1, 0, 0, 10], [0, 1.2, 0, -20], [0, 0, 1.3, 5], [0, 0, 0, 1]])


@pytest.fixture
def array():
    return np.random.default_rng(1).integers(-50, 900, SHAPE).astype(np.int16)


def edit_header(path, **fields):
    """Overwrite header fields of an unzipped file as they are, without any repair."""
    content = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + bytes(content[348:]))
    return path


def save(path, array, affine=AFFINE):
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def refusal(path, read=read_volume):
    """The one-line message with which a file is refused."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InputError) as caught:
        read(path, "t1c")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"t1c ({path.name}): expected ")
    assert str(path.parent) not in message
    assert before is None or before == path.read_bytes()
    return message


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_volume_holds_the_file_s_values_and_affine(tmp_path, array, name):
    volume = read_volume(save(tmp_path / name, array), "t1")
    np.testing.assert_array_equal(volume.data, array)
    assert volume.data.dtype == np.float32
    assert volume.data.flags.c_contiguous
    np.testing.assert_allclose(volume.grid.affine, AFFINE, atol=1e-6)  # NIfTI stores float32


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_both_versions_and_byte_orders_are_read(tmp_path, array, kind):
    for order in "<>":
        header = kind.header_class(endianness=order)
        header.set_data_dtype(np.int16)
        nib.save(kind(array, AFFINE, header), tmp_path / "scan.nii")
        np.testing.assert_array_equal(read_volume(tmp_path / "scan.nii", "t1").data, array)


def test_scale_factor_is_applied(tmp_path, array):
    path = edit_header(save(tmp_path / "scan.nii", array), scl_slope=0.5, scl_inter=10)
    np.testing.assert_array_equal(read_volume(path, "t1").data, array * 0.5 + 10)


def test_content_decides_whether_a_file_is_zipped(tmp_path, array):
    zipped = save(tmp_path / "scan.nii.gz", array)
    np.testing.assert_array_equal(read_volume(zipped.rename(tmp_path / "scan.nii"), "t1").data, array)


def test_singleton_fourth_axis_is_dropped(tmp_path, array):
    assert read_volume(save(tmp_path / "scan.nii", array[..., None]), "t1").data.shape == SHAPE


def test_saturated_and_negative_values_are_normal(tmp_path, array):
    array[:5], array[5:10] = 32767, -32768
    assert read_volume(save(tmp_path / "scan.nii", array), "t1").data.max() == 32767


def test_missing_file_is_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "scan.nii.gz")


def test_folder_is_refused(tmp_path):
    (tmp_path / "scan.nii.gz").mkdir()
    assert "got a folder" in refusal(tmp_path / "scan.nii.gz")


def test_line_break_in_a_name_stays_out_of_the_message(tmp_path):
    with pytest.raises(InputError) as caught:
        read_volume(tmp_path / "a\nb\x1b.nii", "t1")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "content", [b"", b"plain text", b"plain text " * 100, gzip.compress(b"not an image " * 100, mtime=0)]
)
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_file_that_is_no_image_is_refused(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    assert "expected a NIfTI image" in refusal(tmp_path / name)


@pytest.mark.parametrize("kept", [3, 100, 0.5, -4])
def test_truncated_gzip_is_refused(tmp_path, array, kept):
    path = save(tmp_path / "scan.nii.gz", array)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept == 0.5 else kept])
    assert "truncated or damaged gzip" in refusal(path)


def test_flipped_bit_in_a_gzip_is_refused(tmp_path, array):
    path = save(tmp_path / "scan.nii.gz", array)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert "damaged gzip" in refusal(path)


def test_short_data_is_refused(tmp_path, array):
    path = save(tmp_path / "scan.nii", array)
    path.write_bytes(path.read_bytes()[:-100])
    assert f"expected {array.nbytes} bytes of voxels, got {array.nbytes - 100}" in refusal(path)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert "truncated" in refusal(path)


@pytest.mark.parametrize("shape", [(*SHAPE, 2), (*SHAPE, 1, 3)])
def test_several_volumes_are_refused(tmp_path, shape):
    assert f"got {shape[-1]} volumes" in refusal(save(tmp_path / "scan.nii", np.ones(shape, np.float32)))


@pytest.mark.parametrize("shape", [(20, 20), (20, 20, 1), (20, 15, 20)])
def test_thin_image_is_refused(tmp_path, shape):
    assert "at least 16 voxels" in refusal(save(tmp_path / "scan.nii", np.ones(shape, np.float32)))


@pytest.mark.parametrize("dim", [[0] * 8, [3, 20, -18, 17, 1, 1, 1, 1], [9, 20, 18, 17, 1, 1, 1, 1]])
def test_impossible_dimensions_are_refused(tmp_path, array, dim):
    refusal(edit_header(save(tmp_path / "scan.nii", array), dim=dim))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_refused(tmp_path, array, value):
    array = array.astype(np.float32)
    array[3, 4, 5] = value
    assert "got 1 NaN or infinite voxels" in refusal(save(tmp_path / "scan.nii.gz", array))


def test_double_beyond_single_precision_is_refused(tmp_path, array):
    array = array.astype(np.float64)
    array[0, 0, 0] = 1e300
    assert "infinite" in refusal(save(tmp_path / "scan.nii", array))


@pytest.mark.parametrize("spacing", [0, -1.2, np.nan, np.inf, 0.0012, 12])
def test_absurd_spacing_in_the_raw_header_is_refused(tmp_path, array, spacing):
    path = edit_header(save(tmp_path / "scan.nii", array), pixdim=[1, 1.1, spacing, 1.3, 0, 0, 0, 0])
    assert "expected a voxel spacing between 0.2 and 10 mm" in refusal(path)


@pytest.mark.parametrize("row", [[np.nan, 0, 0, 0], [50, 0, 0, 0], [0, 0, 0, 0]])
def test_absurd_affine_is_refused(tmp_path, array, row):
    refusal(edit_header(save(tmp_path / "scan.nii", array), srow_x=row))


def test_singular_affine_is_refused(tmp_path, array):
    path = edit_header(save(tmp_path / "scan.nii", array), srow_x=[1, 1, 0, 0], srow_y=[1, 1, 0, 0])
    assert "invertible affine" in refusal(path)


@pytest.mark.parametrize("value", [0, 7])
def test_constant_image_is_refused(tmp_path, value):
    assert f"the value {value} in every voxel" in refusal(save(tmp_path / "scan.nii", np.full(SHAPE, value, np.int16)))


@pytest.mark.parametrize("dtype", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])])
def test_color_and_complex_images_are_refused(tmp_path, dtype):
    assert "expected real numbers" in refusal(save(tmp_path / "scan.nii", np.zeros(SHAPE, dtype)))


def test_unknown_data_type_and_bad_offset_are_refused(tmp_path, array):
    refusal(edit_header(save(tmp_path / "scan.nii", array), datatype=12345))
    refusal(edit_header(save(tmp_path / "scan.nii", array), vox_offset=np.nan))
    refusal(edit_header(save(tmp_path / "scan.nii", array), vox_offset=100))


def test_fractional_labels_are_refused_and_whole_floats_are_not(tmp_path, array):
    labels = (array > 100).astype(np.float32)
    assert read_integers(save(tmp_path / "seg.nii", labels), "seg").data.dtype == np.int32
    labels[0, 0, 0] = 0.5
    assert "expected whole numbers, got 0.5" in refusal(save(tmp_path / "seg.nii", labels), read_integers)


def test_header_warnings_are_silent_on_a_good_header(tmp_path, array):
    image = nib.Nifti1Image(array, AFFINE)
    image.set_qform(AFFINE, 1)
    nib.save(image, tmp_path / "scan.nii.gz")
    assert header_warnings(tmp_path / "scan.nii.gz", "t1") == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"qform_code": 0, "sform_code": 0}, "no orientation"),
        ({"pixdim": [1, 1.1, 1.35, 1.3, 0, 0, 0, 0]}, "claims a spacing of 1.1x1.35x1.3 mm"),
        ({"srow_x": [1, 0, 0, 0], "srow_y": [0, 1, 0, 0], "srow_z": [0, 0, 1, 0]}, "identity"),
        ({"qform_code": 1, "qoffset_x": 99}, "disagree"),
        ({"qform_code": 1, "quatern_b": 5}, "disagree"),
    ],
)
def test_doubtful_header_is_read_with_a_warning(tmp_path, array, fields, words):
    path = edit_header(save(tmp_path / "scan.nii", array), **fields)
    read_volume(path, "t1")
    assert any(words in warning for warning in header_warnings(path, "t1"))


def geometry(path):
    image = nib.load(path)
    header = image.header
    forms = [header.get_qform(), header.get_sform(), image.affine]
    return image.shape[:3], [int(header[name]) for name in ("qform_code", "sform_code", "xyzt_units")], forms


def require_same_geometry(path, like):
    shape, codes, forms = geometry(path)
    expected_shape, expected_codes, expected_forms = geometry(like)
    assert (shape, codes) == (expected_shape, expected_codes)
    for form, expected in zip(forms, expected_forms, strict=True):
        np.testing.assert_array_equal(form, expected)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (2, 1), (1, 4)])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_written_file_has_the_geometry_of_its_reference(tmp_path, array, codes, kind):
    image = kind(array[..., None], AFFINE)
    oblique = AFFINE.copy()
    oblique[:3, :3] = nib.eulerangles.euler2mat(0.1, 0.2, 0.3) @ AFFINE[:3, :3]
    image.set_qform(oblique, codes[0])
    image.set_sform(AFFINE, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "reference.nii")
    values = array / np.float32(7)
    write_like(tmp_path / "out.nii.gz", values, tmp_path / "reference.nii")
    require_same_geometry(tmp_path / "out.nii.gz", tmp_path / "reference.nii")
    result = nib.load(tmp_path / "out.nii.gz")
    assert result.shape == SHAPE
    np.testing.assert_array_equal(np.asarray(result.dataobj), values)


@pytest.mark.parametrize(("stored", "dtype"), [(np.float32, "float32"), (np.uint8, "uint8"), (bool, "uint8")])
def test_written_file_keeps_the_array_s_type_unscaled(tmp_path, array, stored, dtype):
    write_like(tmp_path / "out.nii.gz", (array > 100).astype(stored), save(tmp_path / "reference.nii", array))
    content = gzip.decompress((tmp_path / "out.nii.gz").read_bytes())
    header = nib.Nifti1Header(content[:348], check=False)
    assert header.get_data_dtype() == dtype
    assert (float(header["scl_slope"]), float(header["scl_inter"])) == (1, 0)


def test_written_file_says_nothing_about_the_patient(tmp_path, array):
    image = nib.Nifti1Image(array, AFFINE)
    image.header["descrip"] = image.header["db_name"] = b"DOE JOHN"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"DOE JOHN"))
    nib.save(image, tmp_path / "reference.nii")
    write_like(tmp_path / "out.nii.gz", array, tmp_path / "reference.nii")
    assert b"DOE" not in gzip.decompress((tmp_path / "out.nii.gz").read_bytes())


def test_equal_arrays_are_equal_files(tmp_path, array, monkeypatch):
    reference = save(tmp_path / "reference.nii", array)
    write_like(tmp_path / "first.nii.gz", array, reference)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_like(tmp_path / "second.nii.gz", array, reference)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.glob("*.nii.gz")}
    assert len(digests) == 1


def test_array_that_does_not_fit_or_is_not_finite_is_not_written(tmp_path, array):
    reference = save(tmp_path / "reference.nii", array)
    for bad in (array[1:], np.full(SHAPE, np.nan, np.float32), array.astype(np.float64)):
        with pytest.raises(InputError):
            write_like(tmp_path / "out.nii.gz", bad, reference)
    with pytest.raises(InputError):
        write_like(tmp_path / "out.nii", array, reference)
    assert not list(tmp_path.glob("out*"))


def test_volume_written_without_reference_comes_back_on_its_grid(tmp_path, array):
    grid = Grid(SHAPE, AFFINE)
    write_volume(tmp_path / "out.nii.gz", array, grid)
    volume = read_volume(tmp_path / "out.nii.gz", "density")
    assert volume.grid == grid
    np.testing.assert_array_equal(volume.data, array)
    header = nib.load(tmp_path / "out.nii.gz").header
    np.testing.assert_allclose(header.get_qform(), AFFINE, atol=1e-5)
    assert header["qform_code"] > 0
    assert header["sform_code"] > 0
    assert header.get_xyzt_units()[0] == "mm"


def test_geometry_of_real_scans_survives_the_round_trip(tmp_path, shared_data):
    folder = shared_data / "tcga-fg-6692"
    seg = read_integers(folder / "seg.nii.gz", "seg").data.astype(np.uint8)
    for name in ("t1", "t1c", "seg"):  # codes (2, 1) and (1, 1)
        write_like(tmp_path / "out.nii.gz", seg, folder / f"{name}.nii.gz")
        require_same_geometry(tmp_path / "out.nii.gz", folder / f"{name}.nii.gz")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "out.nii.gz").dataobj), seg)


def test_real_native_oblique_header_survives_the_round_trip(tmp_path, shared_data):
    reference = shared_data / "tcga-fg-6692-native" / "flair.nii.gz"
    volume = read_volume(reference, "flair")
    write_like(tmp_path / "out.nii.gz", volume.data, reference)
    require_same_geometry(tmp_path / "out.nii.gz", reference)
