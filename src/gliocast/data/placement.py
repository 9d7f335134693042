"""An image brought onto a DICOM series: only where it is known to lie in the same frame of reference.

World coordinates mean nothing across frames of reference, and a NIfTI file doesn't say which one is its own. So an
image goes to a series as it is, voxel by voxel, or by interpolation where somebody says that the frame is that of the
series. A mask is interpolated like any image, linearly; its outline is then the level set 1/2, which lies between voxel
centers, where a nearest-neighbor copy would move by up to half a voxel.
"""

import numpy as np
from scipy import ndimage

from gliocast.core import Box, Grid, InputError, Volume, bounding_box
from gliocast.data.dicom import Series

#: How far voxel centers of a target may lie beyond the outermost ones of a series [voxels]: these reach half a voxel.
EDGE = 0.5


def place(volume: Volume, series: Series, subject: str, *, frame_uid: str | None = None) -> Volume:
    """An image on the grid of a series.

    Args:
        volume: what is to be placed; taken as zero outside of its grid.
        series: where to.
        subject: what it is, for messages.
        frame_uid: UID of the frame of reference in which it is known to lie; None where that isn't known.

    Returns:
        The volume itself where the grids are one; else float32, interpolated linearly.

    Raises:
        InputError: the frames differ, or the grids do and the frame isn't known, or nothing of it lies in the series.
    """
    if frame_uid is not None and frame_uid != series.frame_uid:
        raise InputError(
            subject,
            expected="the frame of reference of the series",
            got="another",
            advice="register the scans, or plan on a scan of the same frame of reference",
        )
    if volume.grid == series.grid:
        return volume
    if frame_uid is None:
        raise InputError(
            subject,
            expected=f"the grid of the series, {series.grid}",
            got=f"{volume.grid}",
            advice="plan on the converted series, or pass the sidecar of the scan that was planned on as --planned-on",
        )
    placed = resample(volume, series.grid)
    if volume.data.any() and not placed.data.any():
        raise InputError(
            subject, expected="something inside of the series", got="nothing", advice="pass the series that shows it"
        )
    return placed


def place_mask(mask: Volume, series: Series, subject: str, *, frame_uid: str | None = None) -> Volume:
    """A mask on the grid of a series, as `place`; refused where the series cuts it off or it is empty.

    Args:
        mask: bool, shape of its grid.
        series: where to.
        subject: what it is, for messages.
        frame_uid: as in `place`.

    Returns:
        The mask itself, or shares in [0, 1], float32, whose level set 1/2 is its outline.
    """
    if not mask.data.any():
        raise InputError(subject, expected="a target", got="an empty mask", advice="leave it out, or plan again")
    placed = place(mask, series, subject, frame_uid=frame_uid)
    if placed is not mask:
        index = series.grid.voxel_from_world(mask.grid.world_from_voxel(np.argwhere(mask.data)))
        beyond = ((index < -EDGE) | (index > np.array(series.grid.shape) - 1 + EDGE)).any(axis=1)
        if beyond.any():
            raise InputError(
                subject,
                expected="a target inside of the series",
                got=f"{100 * beyond.mean():.3g} % of it outside",
                advice="export all slices of the series, or pass one that shows the whole target",
            )
    return placed


def resample(volume: Volume, grid: Grid) -> Volume:
    """An image on another grid of the same world by linear interpolation, zero outside; float32.

    Only the part of the grid that what isn't zero can reach is computed.
    """
    data = np.zeros(grid.shape, dtype=np.float32)
    if not volume.data.any():
        return Volume(data, grid)
    support = bounding_box(volume.data != 0).grown((1, 1, 1), volume.grid.shape)
    box = _reach(support, volume.grid, grid)
    if all(a < b for a, b in zip(box.lower, box.upper, strict=True)):
        part, source = grid.crop(box.lower, box.upper), volume.grid.crop(support.lower, support.upper)
        to_source = np.linalg.inv(source.affine) @ part.affine
        data[box.slices] = ndimage.affine_transform(
            volume.data[support.slices].astype(np.float32),
            to_source[:3, :3],
            to_source[:3, 3],
            output_shape=part.shape,
            order=1,
            mode="grid-constant",
        )
    return Volume(data, grid)


def _reach(support: Box, source: Grid, grid: Grid) -> Box:
    """The voxels of a grid that lie inside of a box of another, a voxel around it included."""
    bounds = np.array([support.lower, support.upper], dtype=float) + np.array([[-1], [0]])
    corners = np.array(np.meshgrid(*bounds.T, indexing="ij")).reshape(3, -1).T
    index = grid.voxel_from_world(source.world_from_voxel(corners))
    lower = np.clip(np.floor(index.min(axis=0)), 0, grid.shape).astype(int)
    upper = np.clip(np.ceil(index.max(axis=0)) + 1, 0, grid.shape).astype(int)
    return Box(tuple(lower.tolist()), tuple(upper.tolist()))
