"""Volumes as bytes for a page that holds them: NIfTI of eight bits a voxel, compressed, the same bytes each time."""

import gzip

import nibabel as nib
import numpy as np

from gliocast.core import Grid, InputError
from gliocast.core.volume import require_shape

#: Effort of the compression [1]: 9 takes four times as long and saves a hundredth.
_EFFORT = 6


def nifti_bytes(codes: np.ndarray, grid: Grid, *, slope: float = 1.0, intercept: float = 0.0) -> bytes:
    """A NIfTI file (.nii.gz) of whole numbers from 0 to 255 whose header says what they stand for.

    Value of a voxel = slope * code + intercept.

    Args:
        codes: uint8, shape of the grid.
        grid: where they lie; written to the header as float32.
        slope: value between two codes, positive.
        intercept: value of code 0.

    Raises:
        InputError: not uint8, another shape, or numbers that a header can't hold.
    """
    require_shape(codes, grid, "embedded volume")
    if codes.dtype != np.uint8 or not (np.isfinite([slope, intercept]).all() and slope > 0):
        raise InputError(
            "embedded volume",
            expected="uint8, a positive slope and a finite intercept",
            got=f"{codes.dtype}, {slope:g} and {intercept:g}",
            advice="quantize it first",
        )
    image = nib.Nifti1Image(codes, grid.affine)
    image.set_sform(grid.affine, code="aligned")
    image.set_qform(grid.affine, code="aligned")
    image.header.set_xyzt_units("mm")
    header = image.header
    header.set_slope_inter(slope, intercept)
    header.set_data_offset(header.sizeof_hdr + 4)  # four bytes that say: no extension
    return gzip.compress(header.binaryblock + bytes(4) + codes.tobytes(order="F"), _EFFORT, mtime=0)
