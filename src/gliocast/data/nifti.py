"""Volumes from NIfTI files, and back, without trusting a header.

nibabel repairs a zero or negative spacing without a word, reads a truncated file as far as it is asked to, and lets
infinities pass; so the bytes are checked here before it sees them.
"""

import gzip
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.spatialimages import HeaderDataError

from gliocast.core import Grid, InputError, Volume
from gliocast.core.volume import require_shape
from gliocast.data.folders import printable

#: Voxel spacings that brain MRI has [mm]; a header outside of it is false (meters, zeros, pixels).
SPACING_RANGE = (0.2, 10.0)
#: Relative disagreement between the header's two statements of the spacing that is worth a warning.
SPACING_TOLERANCE = 0.05
#: No axis of a brain image has fewer voxels than this, even with slices of 10 mm.
MIN_AXIS_LENGTH = 16
#: Largest distance of a label from an integer; room for a scale factor stored as float32.
INTEGER_TOLERANCE = 1e-3
#: Level 2 writes a float32 volume several times faster than level 9, and a tenth larger.
GZIP_LEVEL = 2
GZIP_MAGIC = b"\x1f\x8b"

#: All that says where a NIfTI image lies, and nothing that may name the patient.
GEOMETRY_FIELDS = (
    *("qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("sform_code", "srow_x", "srow_y", "srow_z", "pixdim", "xyzt_units"),
)


def read_volume(path: Path, subject: str) -> Volume:
    """Read the intensities of one scan.

    Args:
        path: a .nii or .nii.gz file, NIfTI-1 or NIfTI-2.
        subject: what the file is, for messages (``t1c``).

    Returns:
        float32, C-contiguous, on the grid of the header's affine [mm, RAS]; a singleton fourth axis is dropped.

    Raises:
        InputError: the file is missing, damaged, no image, not one 3-D volume, not finite, constant, or its header
            gives a spacing that no brain scan has.
    """
    volume = _read(path, subject)
    lowest = float(volume.data.min())
    if lowest == float(volume.data.max()):
        raise InputError(
            file_label(path, subject),
            expected="an image",
            got=f"the value {lowest:g} in every voxel",
            advice="export the scan again",
        )
    return volume


def read_any_volume(path: Path, subject: str) -> Volume:
    """As `read_volume`, of an image that may have one value everywhere, such as a probability of nothing."""
    return _read(path, subject)


def read_integers(path: Path, subject: str) -> Volume:
    """Read an image of whole numbers, such as a segmentation or a mask, as int32; otherwise as `read_volume`."""
    volume = _read(path, subject)
    rounded = np.rint(volume.data)
    fractional = np.abs(volume.data - rounded) > INTEGER_TOLERANCE
    if fractional.any() or np.abs(rounded).max() > np.iinfo(np.int32).max // 2:
        worst = volume.data[fractional][0] if fractional.any() else np.abs(rounded).max()
        raise InputError(
            file_label(path, subject),
            expected="whole numbers",
            got=f"{worst:g} among {np.count_nonzero(fractional)} fractional voxels",
            advice="pass a label map, resampled with nearest-neighbor interpolation if at all",
        )
    return Volume(rounded.astype(np.int32), volume.grid)


def read_components(path: Path, subject: str, num: int) -> tuple[np.ndarray, Grid, int]:
    """Read an image of several numbers per voxel, such as the components of a tensor.

    Args:
        path: a .nii or .nii.gz file with axes (x, y, z, num) or, as the standard has it, (x, y, z, 1, num).
        subject: what the file is, for messages.
        num: how many numbers each voxel must have.

    Returns:
        float32, shape (num, x, y, z), its grid, and the header's intent code.

    Raises:
        InputError: as `read_volume`, or the file holds another number of volumes.
    """

    def require(header: nib.Nifti1Header, label: str) -> tuple[int, ...]:
        *spatial, last = _axis_lengths(header) or [0]
        if last != num or len(spatial) < 3 or math.prod(spatial[3:]) != 1 or min(spatial[:3]) < MIN_AXIS_LENGTH:
            raise InputError(
                label,
                expected=f"{num} volumes of at least {MIN_AXIS_LENGTH} voxels along each axis",
                got="x".join(str(n) for n in (*spatial, last)),
                advice=f"pass one file with all {num} components",
            )
        return *spatial[:3], num

    data, grid, header = read_array(path, subject, require)
    return np.ascontiguousarray(np.moveaxis(data, -1, 0)), grid, int(header["intent_code"])


def header_warnings(path: Path, subject: str) -> tuple[str, ...]:
    """What a person should know about the geometry of a file that `read_volume` accepts."""
    _, header = _parse_header(_file_bytes(path, subject, size=1024), file_label(path, subject), check=True)
    found = []
    affine = header.get_best_affine()
    if header["qform_code"] == 0 and header["sform_code"] == 0:
        codes = "".join(nib.orientations.aff2axcodes(affine))
        found.append(f"the header has no orientation (qform and sform codes are 0); {codes} is assumed")
    elif np.array_equal(affine, np.eye(4)):
        found.append("the affine is the identity, which software writes when it knows no better; RAS is assumed")
    claimed, actual = np.asarray(header["pixdim"][1:4], dtype=float), np.linalg.norm(affine[:3, :3], axis=0)
    if (np.abs(claimed - actual) > SPACING_TOLERANCE * actual).any():
        found.append(f"the header claims a spacing of {_triple(claimed)} mm, its affine {_triple(actual)} mm, is used")
    if header["qform_code"] > 0 and header["sform_code"] > 0:
        shape = tuple(int(n) for n in header["dim"][1:4])
        try:
            agree = Grid(shape, header.get_qform()) == Grid(shape, affine)  # type: ignore[arg-type]
        except (ValueError, InputError):
            agree = False
        if not agree:
            found.append("qform and sform disagree; sform is used")
    return tuple(found)


def write_like(path: Path, array: np.ndarray, like: Path) -> None:
    """Write an array as .nii.gz with exactly the geometry of a reference file; the same array gives the same bytes.

    Shape, affine, qform and sform with their codes and the units are those of `like`, a singleton fourth axis of which
    is dropped. Nothing else of its header is copied: description fields and extensions may name the patient.

    Args:
        path: to write, ends in .nii.gz.
        array: float32, integer, or bool (written as uint8).
        like: file that an array of this shape was read from.
    """
    image_class, header = _header_like(like, array, path.name)
    stored = _storable(array)
    header.set_data_dtype(stored.dtype)
    _write(path, image_class(stored, None, header))


def aligned_header(grid: Grid, like: Path | None, subject: str) -> nib.Nifti1Header:
    """A header for float32 voxels on a grid, with exactly the geometry of a reference file if one is given.

    Args:
        grid: of the array to be written.
        like: file with that grid, or None.
        subject: what is written, for messages.
    """
    if like is not None:
        _, header = _header_like(like, np.broadcast_to(np.float32(0), grid.shape), subject)
        header.set_data_shape(grid.shape)
    else:
        header = nib.Nifti1Header()
        header.set_data_shape(grid.shape)
        header.set_sform(grid.affine, code="aligned")
        header.set_qform(grid.affine, code="aligned")
        header.set_xyzt_units("mm")
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    return header


def _header_like(like: Path, array: np.ndarray, subject: str) -> tuple[type[nib.Nifti1Image], nib.Nifti1Header]:
    """The kind of image that a reference file is, and a new header with its geometry alone."""
    label = file_label(like, "reference")
    image_class, reference = _parse_header(_file_bytes(like, "reference", size=1024), label, check=True)
    shape = _require_one_volume(reference, label)
    require_shape(array, Grid(shape, reference.get_best_affine()), subject)
    header = image_class.header_class()
    for name in GEOMETRY_FIELDS:
        header[name] = reference[name]
    return image_class, header


def write_volume(path: Path, array: np.ndarray, grid: Grid) -> None:
    """Write an array on its grid as .nii.gz, both forms set; for arrays whose grid is that of no file."""
    require_shape(array, grid, path.name)
    image = nib.Nifti1Image(_storable(array), grid.affine)
    image.set_sform(grid.affine, code="aligned")
    image.set_qform(grid.affine, code="aligned")
    image.header.set_xyzt_units("mm")
    _write(path, image)


def file_label(path: Path, subject: str) -> str:
    """A file as messages name it: what it is and the last part of its path."""
    return f"{subject} ({printable(path.name)})"


def _read(path: Path, subject: str) -> Volume:
    """The finite values of a file of one volume as float32, whatever they are."""
    data, grid, _ = read_array(path, subject, _require_one_volume)
    return Volume(data, grid)


def read_array(
    path: Path, subject: str, require: Callable[[nib.Nifti1Header, str], tuple[int, ...]]
) -> tuple[np.ndarray, Grid, nib.Nifti1Header]:
    """The finite values of a file as float32, in the shape that `require` finds in the header or refuses."""
    image, shape, grid = open_image(path, subject, require)
    data = np.ascontiguousarray(decoded(image, ...).reshape(shape))
    require_finite(data, file_label(path, subject))
    return data, grid, image.header


def open_image(
    path: Path, subject: str, require: Callable[[nib.Nifti1Header, str], tuple[int, ...]]
) -> tuple[nib.Nifti1Image, tuple[int, ...], Grid]:
    """A file's image in memory, not decoded, with the shape that `require` finds in the header or refuses, and grid."""
    label = file_label(path, subject)
    content = _file_bytes(path, subject)
    image_class, header = _parse_header(content, label)
    shape = require(header, label)
    _require_spacing(np.asarray(header["pixdim"][1:4], dtype=float), label)
    _require_data(content, header, label)
    try:
        with LoggingOutputSuppressor():
            image = image_class.from_bytes(content)
            affine = np.asarray(image.affine)
            decoded(image, (0,) * len(header.get_data_shape()))  # an unknown type of voxels shows here
    except (HeaderDataError, ImageFileError, ValueError) as error:
        raise _invalid_header(label, str(error)) from error
    _require_spacing(np.linalg.norm(affine[:3, :3], axis=0), label)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < SPACING_RANGE[0] ** 3 / 10:
        raise InputError(
            label, expected="an invertible affine", got=f"{affine[:3].tolist()}", advice="repair the header"
        )
    return image, shape, Grid((shape[0], shape[1], shape[2]), affine)


def decoded(image: nib.Nifti1Image, part: Any) -> np.ndarray:
    """A part of an image's voxels, scaled, float32; what is too large for that becomes infinite."""
    with LoggingOutputSuppressor(), np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(image.dataobj[part], dtype=np.float32)


def require_finite(data: np.ndarray, label: str) -> None:
    """Raise InputError where voxels are NaN or infinite."""
    bad = data.size - np.count_nonzero(np.isfinite(data))
    if bad:
        raise InputError(
            label,
            expected="finite values",
            got=f"{bad} NaN or infinite voxels",
            advice="replace them, outside of the brain by 0, and find out where they came from",
        )


def _file_bytes(path: Path, subject: str, size: int = -1) -> bytes:
    """The first `size` bytes of a file, unzipped if it is zipped, whatever its name says; all by default.

    Reading to the end also verifies gzip's checksum.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            return gzip.GzipFile(fileobj=raw).read(size) if zipped else raw.read(size)
    except FileNotFoundError:
        got, advice = "no such file", "check the path"
    except IsADirectoryError:
        got, advice = "a folder", "name the file inside"
    except (EOFError, gzip.BadGzipFile, zlib.error):
        got, advice = "a truncated or damaged gzip file", "copy or export the file again"
    except (OSError, ValueError) as error:
        got = f"one that can't be read ({printable(getattr(error, 'strerror', None) or str(error))})"
        advice = "check the path and its permissions"
    raise InputError(file_label(path, subject), expected="a NIfTI file", got=got, advice=advice)


def _parse_header(content: bytes, label: str, *, check: bool = False) -> tuple[type[nib.Nifti1Image], nib.Nifti1Header]:
    """The kind of a single-file NIfTI image and its header: as stored, or as nibabel repairs it (`check`)."""
    if content[344:348] == b"n+1\0":
        image_class = nib.Nifti1Image
    elif content[4:8] == b"n+2\0" and len(content) >= nib.Nifti2Header.sizeof_hdr:
        image_class = nib.Nifti2Image
    else:
        raise InputError(
            label,
            expected="a NIfTI image (.nii or .nii.gz)",
            got="an empty file" if not content else "another kind of file",
            advice="convert the scan first, e.g. with dcm2niix",
        )
    header_class = image_class.header_class
    try:
        with LoggingOutputSuppressor():
            return image_class, header_class(content[: header_class.sizeof_hdr], check=check)
    except (HeaderDataError, ValueError) as error:
        raise _invalid_header(label, str(error)) from error


def _axis_lengths(header: nib.Nifti1Header) -> list[int]:
    """The axis lengths that a header claims, none where it claims an impossible number of axes."""
    num_axes = int(header["dim"][0])
    return [int(n) for n in header["dim"][1 : num_axes + 1]] if 1 <= num_axes <= 7 else []


def _require_one_volume(header: nib.Nifti1Header, label: str) -> tuple[int, int, int]:
    """The three axis lengths of an image that is one 3-D volume."""
    shape = _axis_lengths(header)
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    size = "x".join(str(n) for n in shape)
    if len(shape) > 3:
        raise InputError(
            label,
            expected="one 3-D volume",
            got=f"{math.prod(shape[3:])} volumes ({size})",
            advice="pass the one volume that shows this modality",
        )
    if len(shape) < 3 or min(shape) < MIN_AXIS_LENGTH:
        raise InputError(
            label,
            expected=f"a 3-D volume of at least {MIN_AXIS_LENGTH} voxels along each axis",
            got=size or f"{int(header['dim'][0])} axes",
            advice="pass the whole scan",
        )
    return shape[0], shape[1], shape[2]


def _require_spacing(spacing: np.ndarray, label: str) -> None:
    """Raise unless the spacing [mm] is that of an MRI; not a number counts as outside."""
    lower, upper = SPACING_RANGE
    if not ((spacing >= lower) & (spacing <= upper)).all():
        raise InputError(
            label,
            expected=f"a voxel spacing between {lower:g} and {upper:g} mm",
            got=_triple(spacing),
            advice="repair the header from the original DICOM",
        )


def _require_data(content: bytes, header: nib.Nifti1Header, label: str) -> None:
    """Raise unless the file holds real numbers, and as many as its header says."""
    try:
        kind = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:  # KeyError: a code that NIfTI doesn't define
        raise _invalid_header(label, f"data type {int(header['datatype'])}") from error
    if kind.kind not in "iuf":
        raise InputError(label, expected="real numbers", got=f"voxels of type {kind}", advice="export gray values")
    offset = float(header["vox_offset"])
    needed = math.prod(int(n) for n in header["dim"][1 : int(header["dim"][0]) + 1]) * kind.itemsize
    if not (math.isfinite(offset) and len(content) - offset >= needed):
        raise InputError(
            label,
            expected=f"{needed} bytes of voxels",
            got=f"{max(len(content) - offset, 0):.0f}",
            advice="copy or export the truncated file again",
        )


def _storable(array: np.ndarray) -> np.ndarray:
    """The array in a type that every NIfTI reader knows."""
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype not in (np.float32, np.uint8, np.int16, np.int32):
        raise InputError(
            "array", expected="float32, uint8, int16, int32 or bool", got=f"{array.dtype}", advice="convert it first"
        )
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise InputError("array", expected="finite values", got="NaN or infinity", advice="don't write it")
    return array


def _write(path: Path, image: nib.Nifti1Image) -> None:
    """Zip an image; no name and no time goes into the gzip header, so that equal images are equal files."""
    if not path.name.endswith(".nii.gz"):
        raise InputError(printable(path.name), expected="a name in .nii.gz", got=path.suffix, advice="rename it")
    with path.open("wb") as raw, gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as zipped:
        zipped.write(image.to_bytes())


def _invalid_header(label: str, reason: str) -> InputError:
    return InputError(label, expected="a valid NIfTI header", got=printable(reason), advice="export the scan again")


def _triple(spacing: np.ndarray) -> str:
    return "x".join(f"{h:.3g}" for h in spacing)
