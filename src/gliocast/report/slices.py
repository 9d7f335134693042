"""Slices of a volume as a radiologist expects them, whatever the order of the array's axes.

A `Frame` turns arrays so that their axes run to the patient's right, front and head (the nearest RAS axes; oblique
grids are turned, never resampled). In every plane the horizontal coordinate then runs to the left on the page: the
patient's right is on the left (axial, coronal), the patient's front is on the left (sagittal).
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from gliocast.core import Grid


@dataclass(frozen=True)
class Plane:
    """One of the three cuts.

    Args:
        name: as radiologists say.
        normal: RAS axis that the cut is perpendicular to (0 right, 1 anterior, 2 superior).
        horizontal: RAS axis drawn from right to left on the page.
        vertical: RAS axis drawn upward.
        letters: what lies toward the left and the right edge of the page.
    """

    name: str
    normal: int
    horizontal: int
    vertical: int
    letters: tuple[str, str]


AXIAL = Plane("Axial", normal=2, horizontal=0, vertical=1, letters=("R", "L"))
CORONAL = Plane("Coronal", normal=1, horizontal=0, vertical=2, letters=("R", "L"))
SAGITTAL = Plane("Sagittal", normal=0, horizontal=1, vertical=2, letters=("A", "P"))
PLANES = (AXIAL, CORONAL, SAGITTAL)


@dataclass(frozen=True, eq=False)
class Frame:
    """How a grid's arrays are turned into RAS order, and where their voxels then lie.

    Args:
        order: array axis that becomes each RAS axis.
        flip: whether it is then reversed.
        spacing: between voxel centers along each RAS axis [mm].
        start: coordinate of the first voxel's center along each RAS axis [mm]; exact for grids along the axes, for
            oblique ones exact at the middle of the grid.
        shape: number of voxels along each RAS axis.
    """

    order: tuple[int, ...]
    flip: tuple[bool, ...]
    spacing: np.ndarray
    start: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def of(cls, grid: Grid) -> "Frame":
        """The frame nearest to RAS: the permutation of axes that keeps most of each axis' direction."""
        directions = grid.affine[:3, :3] / np.asarray(grid.spacing)
        order = max(permutations(range(3)), key=lambda axes: sum(abs(directions[ras, axes[ras]]) for ras in range(3)))
        flip = tuple(bool(directions[ras, axis] < 0) for ras, axis in enumerate(order))
        spacing = np.array([grid.spacing[axis] for axis in order])
        shape = tuple(grid.shape[axis] for axis in order)
        middle = grid.world_from_voxel((np.array(grid.shape) - 1) / 2)
        return cls(order, flip, spacing, middle - spacing * (np.array(shape) - 1) / 2, shape)

    def turn(self, data: np.ndarray) -> np.ndarray:
        """A view of an array of the grid with its axes in RAS order."""
        turned = data.transpose(self.order)
        return turned[tuple(slice(None, None, -1 if reverse else 1) for reverse in self.flip)]

    def cut(self, data: np.ndarray, plane: Plane, index: int) -> np.ndarray:
        """The slice of an array (in the grid's own order) at a RAS index; shape (vertical, horizontal)."""
        whole = slice(None)
        place = tuple(index if axis == plane.normal else whole for axis in range(3))
        return self.turn(data)[
            place
        ].T  # the two axes left are in ascending order, and horizontal < vertical in every plane

    def coordinates(self, axis: int) -> np.ndarray:
        """Coordinates of the voxel centers along a RAS axis [mm]."""
        return self.start[axis] + self.spacing[axis] * np.arange(self.shape[axis])

    def extent(self, plane: Plane) -> tuple[float, float, float, float]:
        """Outer edges of a slice [mm]: lowest and highest horizontal, lowest and highest vertical coordinate."""
        lower = self.start - self.spacing / 2
        upper = lower + self.spacing * np.array(self.shape)
        h, v = plane.horizontal, plane.vertical
        return float(lower[h]), float(upper[h]), float(lower[v]), float(upper[v])

    def center_of(self, mask: np.ndarray) -> tuple[int, int, int]:
        """RAS index of the voxel of a mask that lies nearest to its center of mass; the middle where it is empty."""
        inside = np.argwhere(self.turn(mask))
        if not len(inside):
            return tuple(n // 2 for n in self.shape)  # type: ignore[return-value]
        offset = (inside - inside.mean(axis=0)) * self.spacing
        x, y, z = inside[np.argmin((offset**2).sum(axis=1))]
        return int(x), int(y), int(z)

    def box_around(self, mask: np.ndarray, *, border_mm: float) -> "Window":
        """The box around a mask, grown by a border; around everything where the mask is empty."""
        turned = self.turn(mask)
        lower, upper = np.empty(3), np.empty(3)
        for axis in range(3):
            others = tuple(other for other in range(3) if other != axis)
            inside = np.flatnonzero(turned.any(axis=others))
            first, last = (inside[0], inside[-1]) if len(inside) else (0, self.shape[axis] - 1)
            lower[axis] = self.start[axis] + (first - 0.5) * self.spacing[axis] - border_mm
            upper[axis] = self.start[axis] + (last + 0.5) * self.spacing[axis] + border_mm
        return Window(lower, upper)


@dataclass(frozen=True, eq=False)
class Window:
    """The box of space that a figure shows: lower and upper bounds along the RAS axes [mm]."""

    lower: np.ndarray
    upper: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """Edge lengths [mm]."""
        return self.upper - self.lower

    def cube(self) -> "Window":
        """The cube of the longest edge around the same center."""
        center, half = (self.lower + self.upper) / 2, float(self.size.max()) / 2
        return Window(center - half, center + half)
