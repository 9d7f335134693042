"""The active box: the part of the grid that a solve sweeps."""

from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """Half-open index ranges along the three axes."""

    lower: tuple[int, int, int]
    upper: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index expression."""
        (a, b, c), (i, j, k) = self.lower, self.upper
        return slice(a, i), slice(b, j), slice(c, k)

    @property
    def num_voxels(self) -> int:
        """Number of voxels inside."""
        return int(np.prod([b - a for a, b in zip(self.lower, self.upper, strict=True)]))

    def grown(self, margin: tuple[int, int, int], shape: tuple[int, int, int]) -> "Box":
        """This box with `margin` cells more on every side, clipped to the grid."""
        lower = tuple(max(a - m, 0) for a, m in zip(self.lower, margin, strict=True))
        upper = tuple(min(b + m, n) for b, m, n in zip(self.upper, margin, shape, strict=True))
        return Box(lower, upper)  # type: ignore[arg-type]

    def shifted(self, offset: tuple[int, int, int]) -> "Box":
        """The same box as seen from an origin that lies `offset` lower."""
        lower = tuple(a + o for a, o in zip(self.lower, offset, strict=True))
        upper = tuple(b + o for b, o in zip(self.upper, offset, strict=True))
        return Box(lower, upper)  # type: ignore[arg-type]

    def within(self, other: "Box") -> "Box":
        """The same box in the indices of another that holds it."""
        x, y, z = other.lower
        return self.shifted((-x, -y, -z))

    def union(self, other: "Box") -> "Box":
        """The smallest box that holds both."""
        lower = tuple(min(a, b) for a, b in zip(self.lower, other.lower, strict=True))
        upper = tuple(max(a, b) for a, b in zip(self.upper, other.upper, strict=True))
        return Box(lower, upper)  # type: ignore[arg-type]


def bounding_box(mask: np.ndarray) -> Box:
    """The smallest box that holds every true voxel of a nonempty mask."""
    lower, upper = [], []
    for axis in range(3):
        line = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        lower.append(int(line[0]))
        upper.append(int(line[-1]) + 1)
    return Box(tuple(lower), tuple(upper))  # type: ignore[arg-type]
