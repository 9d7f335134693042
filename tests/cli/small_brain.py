"""An ellipsoid brain as files: where it lies, how it is written, and what must lie where it does."""

import gzip

import nibabel as nib
import numpy as np

#: 4 mm voxels, LPS like BraTS, turned by 10 degrees around z: no code may take the axes for those of the world.
SHAPE, SPACING, ANGLE = (40, 46, 36), 4.0, np.deg2rad(10)
CENTER_VOXEL = (np.array(SHAPE) - 1) / 2
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1]])
#: Half axes of the brain [mm], where the tumor is relative to the brain's center [mm, in the brain's own axes].
HALF_AXES, TUMOR = (64.0, 80.0, 60.0), np.array([28.0, 12.0, 16.0])
#: Where the brain's center is [mm, RAS].
CENTER = np.array([5.0, -20.0, 12.0])
SEED = CENTER + TURN @ TUMOR
#: Forms as a scanner's software writes them, and one that says nothing about the other.
QFORM_CODE, SFORM_CODE = 1, 2


def affine_of_grid():
    matrix = TURN @ np.diag([-SPACING, -SPACING, SPACING])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, CENTER - matrix @ CENTER_VOXEL
    return affine


def save(path, array, affine=None):
    affine = affine_of_grid() if affine is None else affine
    image = nib.Nifti1Image(array, affine)
    image.set_qform(affine, QFORM_CODE)
    image.set_sform(affine, SFORM_CODE)
    image.header["descrip"] = b"JANE DOE 1957"
    nib.save(image, path)
    return path


def plan_arguments(brain, out):
    """``gliocast plan`` on a brain's maps and the density that lies beside the folder to write."""
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray, "--csf", brain.csf]
    return ["plan", "--density", out.parent / "density.nii.gz", "--seg", brain.seg, *maps, "--out", out]


def assert_aligned(path, like):
    """Same shape, affine, qform and sform with their codes, and none of the reference's words."""
    image, reference = nib.load(path), nib.load(like)
    assert image.shape == reference.shape
    np.testing.assert_array_equal(image.affine, reference.affine)
    for form in ("get_qform", "get_sform"):
        (matrix, code), (expected, expected_code) = (getattr(i, form)(coded=True) for i in (image, reference))
        np.testing.assert_array_equal(matrix, expected)
        assert code == expected_code
    assert image.header.get_xyzt_units() == reference.header.get_xyzt_units()
    assert b"JANE DOE" not in gzip.decompress(path.read_bytes())
