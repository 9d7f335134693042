import gzip

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import Grid, InputError
from gliocast.data.embedding import nifti_bytes

OBLIQUE = np.array([[-1.9, 0.3, 0, 70], [-0.3, -1.9, 0, 80], [0, 0, 3.5, -60], [0, 0, 0, 1]])


def codes_of(shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def decoded(content):
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def test_a_reader_finds_the_values_in_their_place():
    grid = Grid((5, 7, 9), OBLIQUE)
    codes = codes_of(grid.shape)
    image = decoded(nifti_bytes(codes, grid, slope=0.25, intercept=-3.0))
    np.testing.assert_array_equal(image.get_fdata(), 0.25 * codes - 3.0)
    np.testing.assert_allclose(image.affine, OBLIQUE, atol=1e-5)  # a header has float32
    assert image.header.get_xyzt_units()[0] == "mm"


def test_same_volume_gives_same_bytes_whatever_its_memory_order():
    grid = Grid((5, 7, 9), OBLIQUE)
    codes = codes_of(grid.shape)
    assert nifti_bytes(codes, grid) == nifti_bytes(np.asfortranarray(codes), grid)


@pytest.mark.parametrize(
    ("dtype", "slope", "intercept"),
    [(np.float32, 1, 0), (np.uint8, 0, 0), (np.uint8, -1, 0), (np.uint8, np.nan, 0), (np.uint8, 1, np.inf)],
)
def test_what_a_header_cannot_hold_is_refused(dtype, slope, intercept):
    grid = Grid((5, 7, 9), OBLIQUE)
    with pytest.raises(InputError, match="embedded volume"):
        nifti_bytes(np.zeros(grid.shape, dtype=dtype), grid, slope=slope, intercept=intercept)
