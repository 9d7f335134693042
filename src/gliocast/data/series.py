"""Several volumes in one NIfTI file: days one after the other, or the components of a vector."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from gliocast.core import Grid, InputError
from gliocast.core.volume import require_shape
from gliocast.data.nifti import (
    GZIP_LEVEL,
    MIN_AXIS_LENGTH,
    aligned_header,
    decoded,
    file_label,
    open_image,
    require_finite,
)

#: NIfTI's code for an image of displacement vectors.
DISPLACEMENT_INTENT = "displacement vector"

#: Bits of NIfTI's `xyzt_units` that hold the unit of length; the others hold that of time.
SPATIAL_UNIT_BITS = 0b111


@dataclass(frozen=True, eq=False)
class VolumeSeries:
    """Volumes of a 4-D image, such as days or posterior samples, each of which is decoded when it is asked for.

    Args:
        grid: of every volume.
        num_volumes: how many there are.
        label: what the file is, for messages.
        image: in memory as it is stored.
    """

    grid: Grid
    num_volumes: int
    label: str
    image: nib.Nifti1Image

    def __len__(self) -> int:
        return self.num_volumes

    def __iter__(self) -> Iterator[np.ndarray]:
        """Volumes, float32, shape of the grid.

        Raises:
            InputError: voxels that aren't finite.
        """
        whole = len(self.image.shape) == len(self.grid.shape)
        for number in range(self.num_volumes):
            volume = np.ascontiguousarray(decoded(self.image, ... if whole else (..., number)))
            require_finite(volume, self.label)
            yield volume


def read_density_series(path: Path, subject: str) -> VolumeSeries:
    """Open a 4-D image (or a 3-D one, whose only volume it is).

    Args:
        path: a .nii or .nii.gz file with axes (x, y, z, number).
        subject: what the file is, for messages.

    Raises:
        InputError: as `read_volume` (though it may be constant), or the file has other axes.
    """

    def require(header: nib.Nifti1Header, label: str) -> tuple[int, ...]:
        shape = tuple(int(n) for n in header.get_data_shape())
        spatial, rest = shape[:3], shape[3:]
        if len(spatial) < 3 or len(rest) > 1 or min(spatial) < MIN_AXIS_LENGTH or 0 in rest:
            raise InputError(
                label,
                expected=f"volumes of at least {MIN_AXIS_LENGTH} voxels along each axis, one after the other",
                got="x".join(str(n) for n in shape),
                advice="pass a 4-D image",
            )
        return *spatial, *(rest or (1,))

    image, shape, grid = open_image(path, subject, require)
    return VolumeSeries(grid, shape[-1], file_label(path, subject), image)


@contextmanager
def open_series(
    path: Path, grid: Grid, *, days: tuple[float, ...], like: Path | None = None
) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a 4-D image day by day, so that no more than one volume is ever in memory.

    NIfTI has no code for days: the unit of the fourth axis is written as unknown. `pixdim[4]` is the step [d] where the
    days are evenly spaced, else 0. One day alone makes a 3-D image.

    Args:
        path: to write, ends in .nii.gz.
        grid: of every volume.
        days: of the volumes [d].
        like: file with that grid, whose geometry is taken to the bit; None to write the grid's own.

    Yields:
        A function that appends the volume of the next day; float32, shape of the grid.
    """
    header = aligned_header(grid, like, path.name)
    steps = np.diff(days)
    if len(days) > 1:
        header.set_data_shape((*grid.shape, len(days)))
        # the affine is complete without it, and viewers scale the time axis by it
        header["xyzt_units"] = int(header["xyzt_units"]) & SPATIAL_UNIT_BITS
        header["pixdim"][4] = steps[0] if np.allclose(steps, steps[0]) else 0
    written = 0

    def append(volume: np.ndarray) -> None:
        nonlocal written
        require_shape(volume, grid, path.name)
        zipped.write(np.asarray(volume, dtype=header.get_data_dtype()).tobytes(order="F"))
        written += 1

    with path.open("wb") as raw, gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as zipped:
        zipped.write(_head(header))
        yield append
    if written != len(days):
        raise RuntimeError(f"{path.name}: {written} volumes for {len(days)} days")


def write_vectors(path: Path, vectors: np.ndarray, grid: Grid, *, like: Path | None = None) -> None:
    """Write displacement vectors as NIfTI does: shape (x, y, z, 1, 3), intent code 1006.

    Args:
        path: to write, ends in .nii.gz.
        vectors: (3, x, y, z) along the world axes [mm, RAS], float32.
        grid: where they lie.
        like: as in `open_series`.
    """
    require_shape(vectors[0], grid, path.name)
    header = aligned_header(grid, like, path.name)
    header.set_data_shape((*grid.shape, 1, 3))
    header.set_intent(DISPLACEMENT_INTENT)
    stored = np.asarray(vectors, dtype=header.get_data_dtype())
    with path.open("wb") as raw, gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as zipped:
        zipped.write(_head(header))
        for component in stored:
            zipped.write(component.tobytes(order="F"))


def _head(header: nib.Nifti1Header) -> bytes:
    """The header as a single file begins: padded with zeros (no extension) up to the first voxel."""
    header["magic"], header["vox_offset"] = header.single_magic, header.single_vox_offset
    block: bytes = header.binaryblock
    return block + bytes(header.single_vox_offset - len(block))
