"""Outlines of a mask in the slices of its grid, as closed polygons.

A mask is read as samples at voxel centers of a function that is linear in between, and zero beyond the grid. Its
outline is the level set 1/2: on a mask of zeros and ones it passes half-way between voxels in and out, and holds each
voxel's center exactly if the voxel is in. A polygon around N voxels cuts corners: it encloses N - 1/2 voxels, for a
closed path along voxel edges has four more convex corners than concave ones. Each hole gives half a voxel back.

A hole becomes part of the polygon around it by a keyhole, a channel of zero width, as DICOM asks for (PS3.3,
C.8.8.6.3). The channel runs from the leftmost point of the hole straight to the left, to whatever comes first. Holes
are cut from left to right, so that this is the polygon or a hole that is already part of it. Traversed once in each
direction, the channel adds nothing to area or winding number.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import contourpy
import numpy as np

from gliocast.core import Box, InputError, Volume, bounding_box

#: Where a linearly interpolated mask ends [1].
LEVEL = 0.5
#: What no share exceeds [1]: the upper end of what is inside.
_ABOVE_ALL = 2.0
#: Distance below which two points are one, and twice the area below which three are a line [voxels]: rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed polygon in one slice.

    Args:
        position: number of the slice, along the grid's third axis.
        points: fractional voxel indices along the first two axes, shape (n, 2), counterclockwise; the first point isn't
            repeated.
    """

    position: int
    points: np.ndarray

    @property
    def area(self) -> float:
        """Enclosed area, holes taken out [voxels]."""
        return signed_area(self.points)


def outline(mask: Volume, subject: str) -> tuple[Contour, ...]:
    """Contours of a mask, slice by slice, one for each component.

    Args:
        mask: bool, or shares in [0, 1] whose level set 1/2 is meant.
        subject: what it is, for messages.

    Raises:
        InputError: values outside of [0, 1], or nothing above 1/2.
    """
    data = mask.data
    low, high = float(data.min()), float(data.max())
    if not 0 <= low <= high <= 1:
        raise InputError(subject, expected="a mask", got=f"values from {low:g} to {high:g}", advice="threshold it")
    found = []
    inside = data > LEVEL
    box = bounding_box(inside).grown((1, 1, 0), data.shape) if inside.any() else Box((0, 0, 0), (0, 0, 0))
    corner = np.array(box.lower[:2], dtype=np.float64)
    # slices first, and rows before columns: contourpy's points are (second index, first index)
    planes = np.ascontiguousarray(data[box.slices].transpose(2, 1, 0), dtype=np.float64)
    for position, plane in enumerate(planes, start=box.lower[2]):
        padded = np.pad(plane, 1)
        filled = contourpy.contour_generator(z=padded, fill_type="OuterOffset").filled(LEVEL, _ABOVE_ALL)
        polygons, offsets = cast(tuple[list[np.ndarray], list[np.ndarray]], filled)
        for points, ends in zip(polygons, offsets, strict=True):
            loops = [points[a : b - 1] + (corner - 1) for a, b in pairwise(ends)]
            found.append(Contour(position, keyhole(loops[0], loops[1:])))
    contours = tuple(contour for contour in found if len(contour.points) >= 3)
    if not contours:
        raise InputError(
            subject, expected="a target", got="nothing to outline", advice="leave it out, or plan on finer slices"
        )
    return contours


def keyhole(outer: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    """One polygon of a polygon and the holes in it; points in the middle of straight lines are left out.

    Args:
        outer: shape (n, 2), counterclockwise.
        holes: likewise, clockwise.
    """
    merged = _without_collinear(outer)
    real = [hole for hole in map(_without_collinear, holes) if len(hole) >= 3]  # a voxel of just 1/2 is a point
    for hole in sorted(real, key=lambda points: float(points[:, 0].min())):
        start = int(np.argmin(hole[:, 0]))
        ring = np.roll(hole, -start, axis=0)
        edge, gate = _first_to_the_left(merged, ring[0])
        channel = [gate[None], ring, ring[:1], gate[None]]
        merged = _without_repeats(np.concatenate([merged[: edge + 1], *channel, merged[edge + 1 :]]))
    return merged


def signed_area(points: np.ndarray) -> float:
    """Area of a polygon, positive where it is counterclockwise (the shoelace formula); points (n, 2)."""
    x, y = (points - points[0]).T
    return 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)


def _first_to_the_left(points: np.ndarray, origin: np.ndarray) -> tuple[int, np.ndarray]:
    """Where a ray to the left first meets a polygon: the number of the edge, and the point."""
    x, y = points.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    crossing = np.flatnonzero((y <= origin[1]) != (next_y <= origin[1]))  # each vertex belongs to one edge
    share = (origin[1] - y[crossing]) / (next_y[crossing] - y[crossing])
    at = x[crossing] + share * (next_x[crossing] - x[crossing])
    at[at > origin[0]] = -np.inf
    nearest = int(np.argmax(at))
    return int(crossing[nearest]), np.array([at[nearest], origin[1]])


def _without_repeats(points: np.ndarray) -> np.ndarray:
    """The polygon without points twice in a row."""
    return points[np.abs(points - np.roll(points, 1, axis=0)).max(axis=1) > _ROUNDING]


def _without_collinear(points: np.ndarray) -> np.ndarray:
    """The polygon without points on the line through their neighbors."""
    points = _without_repeats(points)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return points[np.abs(turn) > _ROUNDING]
