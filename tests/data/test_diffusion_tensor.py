import nibabel as nib
import numpy as np
import pytest

from gliocast.core import InputError
from gliocast.data import read_diffusion_tensor

SHAPE = (16, 18, 17)
AXIAL = np.diag([1.7e-3, 4e-4, 2e-4])
#: Lower and upper triangles as the writers order them.
INDEX = {
    "fsl": ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)),
    "mrtrix": ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)),
    "symmatrix": ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)),
}


def rotation(seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return q * np.sign(np.linalg.det(q))


def make_affine(mirrored, turn=True):
    affine = np.eye(4)
    affine[:3, :3] = (rotation(1) if turn else np.eye(3)) @ np.diag([-1.0 if mirrored else 1.0, 1, 1]) * (1, 1.5, 2)
    affine[:3, 3] = -20, 10, 5
    return affine


def save(path, matrix, order, affine, *, five_axes=False, intent=0):
    """A file whose voxels all hold one matrix, given along the file's own axes."""
    values = np.array([matrix[index] for index in INDEX[order]], dtype=np.float32)
    data = np.broadcast_to(values, (*SHAPE, *((1,) if five_axes else ()), 6)).copy()
    image = nib.Nifti1Image(data, affine)
    image.header["intent_code"] = intent
    nib.save(image, path)
    return path


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read_diffusion_tensor(path, **options)
    return str(caught.value)


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("order", INDEX)
def test_each_writer_s_tensor_is_the_same_in_the_world(tmp_path, order, mirrored):
    affine = make_affine(mirrored)
    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    # FSL's first axis always runs from right to left, so its axes are left-handed.
    to_world = {"mrtrix": np.eye(3), "symmatrix": unit, "fsl": unit @ np.diag([1 if mirrored else -1, 1, 1])}[order]
    world = rotation(2) @ AXIAL @ rotation(2).T
    path = save(tmp_path / "dti.nii.gz", to_world.T @ world @ to_world, order, affine)
    image = read_diffusion_tensor(path, order=order)
    assert image.num_mended == 0
    np.testing.assert_allclose(image.tensor.matrices()[3, 4, 5], world, atol=1e-9)
    np.testing.assert_allclose(image.tensor.grid.affine, affine, atol=1e-5)


def test_standard_file_needs_no_order(tmp_path):
    world = rotation(2) @ AXIAL @ rotation(2).T
    affine = make_affine(mirrored=False, turn=False)
    path = save(tmp_path / "dti.nii", world, "symmatrix", affine, five_axes=True, intent=1005)
    np.testing.assert_allclose(read_diffusion_tensor(path).tensor.matrices()[0, 0, 0], world, atol=1e-9)


def test_named_axes_override_those_usual_for_the_order(tmp_path):
    affine = make_affine(mirrored=False)
    world = rotation(2) @ AXIAL @ rotation(2).T
    path = save(tmp_path / "dti.nii", world, "symmatrix", affine)
    found = read_diffusion_tensor(path, order="symmatrix", axes="world").tensor.matrices()[1, 1, 1]
    np.testing.assert_allclose(found, world, atol=1e-9)


def test_order_that_the_header_does_not_say_must_be_named(tmp_path):
    path = save(tmp_path / "dti.nii", AXIAL, "fsl", np.eye(4))
    assert "name it: fsl for dtifit" in refusal(path)
    assert "expected an order among fsl, mrtrix, symmatrix, got nifti" in refusal(path, order="nifti")
    assert "expected axes among fsl, voxel, world, got lps" in refusal(path, order="fsl", axes="lps")


@pytest.mark.parametrize("shape", [(16, 18, 17), (16, 18, 17, 7), (16, 18, 17, 2, 6), (16, 18, 6), (8, 18, 17, 6)])
def test_file_of_another_shape_is_refused(tmp_path, shape):
    nib.save(nib.Nifti1Image(np.ones(shape, np.float32), np.eye(4)), tmp_path / "dti.nii")
    message = refusal(tmp_path / "dti.nii", order="fsl")
    assert message.startswith("diffusion tensor (dti.nii): expected 6 volumes of at least 16 voxels")


def test_missing_and_damaged_files_are_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.nii", order="fsl")
    (tmp_path / "dti.nii").write_bytes(b"text")
    assert "another kind of file" in refusal(tmp_path / "dti.nii", order="fsl")
    path = save(tmp_path / "dti.nii", AXIAL, "fsl", np.eye(4))
    path.write_bytes(path.read_bytes()[:5000])
    assert "bytes of voxels" in refusal(path, order="fsl")


def test_nan_and_zero_files_are_refused(tmp_path):
    path = save(tmp_path / "dti.nii", AXIAL * np.nan, "fsl", np.eye(4))
    assert "NaN or infinite" in refusal(path, order="fsl")
    path = save(tmp_path / "dti.nii", AXIAL * 0, "fsl", np.eye(4))
    assert "zero in every voxel" in refusal(path, order="fsl")


def test_wrong_order_shows_in_negative_eigenvalues(tmp_path):
    path = save(tmp_path / "dti.nii", rotation(2) @ AXIAL @ rotation(2).T, "fsl", np.eye(4))
    assert "check the order of the components" in refusal(path, order="mrtrix")


def test_few_negative_eigenvalues_of_noise_are_set_to_zero_and_counted(tmp_path):
    path = save(tmp_path / "dti.nii", AXIAL, "mrtrix", np.eye(4))
    data = np.asarray(nib.load(path).dataobj).copy()
    turn = rotation(3)
    noisy = turn @ np.diag([1e-3, 5e-4, -1e-4]) @ turn.T
    data[2, 3, 4] = [noisy[index] for index in INDEX["mrtrix"]]
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    image = read_diffusion_tensor(path, order="mrtrix")
    assert image.num_mended == 1
    mended = turn @ np.diag([1e-3, 5e-4, 0]) @ turn.T
    np.testing.assert_allclose(image.tensor.matrices()[2, 3, 4], mended, atol=1e-9)
