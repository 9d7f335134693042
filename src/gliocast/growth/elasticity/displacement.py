"""The displacement of tissue, where the conservative transport wants it: normal to the faces of cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.core import InputError


@dataclass(frozen=True, eq=False)
class Displacement:
    """Displacement normal to the faces of cells [mm], numpy arrays or torch tensors, after any batch dimensions.

    Args:
        x: shape (..., nx + 1, ny, nz), zero on the two walls.
        y: shape (..., nx, ny + 1, nz), zero on the two walls.
        z: shape (..., nx, ny, nz + 1), zero on the two walls.
    """

    x: Any
    y: Any
    z: Any

    def __post_init__(self) -> None:
        nx, ny, nz = self.shape
        expected = (nx + 1, ny, nz), (nx, ny + 1, nz), (nx, ny, nz + 1)
        if tuple(tuple(part.shape[-3:]) for part in self.faces) != expected or min(nx, ny, nz) < 1:
            raise InputError(
                "displacement",
                expected="three arrays, each one longer than the grid along its own axis",
                got=f"{[tuple(part.shape) for part in self.faces]}",
                advice="give the displacements normal to the faces of cells",
            )

    @property
    def faces(self) -> tuple[Any, Any, Any]:
        """The three arrays."""
        return self.x, self.y, self.z

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along the axes."""
        return self.y.shape[-3], self.x.shape[-2], self.x.shape[-1]

    def __add__(self, other: "Displacement") -> "Displacement":
        return Displacement(*(a + b for a, b in zip(self.faces, other.faces, strict=True)))

    def __sub__(self, other: "Displacement") -> "Displacement":
        return Displacement(*(a - b for a, b in zip(self.faces, other.faces, strict=True)))

    def __mul__(self, factor: float) -> "Displacement":
        return Displacement(*(part * factor for part in self.faces))

    __rmul__ = __mul__


def centered(displacement: Displacement) -> Any:
    """The displacement at cell centers, the mean of two faces [mm], shape (..., 3, nx, ny, nz)."""
    parts = []
    for axis, part in zip((-3, -2, -1), displacement.faces, strict=True):
        low, high = _halves(part, axis)
        parts.append((low + high) / 2)
    if hasattr(parts[0], "new_tensor"):
        import torch  # a second of import that only tensors need

        return torch.stack(parts, dim=-4)
    return np.stack(parts, axis=-4)


def divergence(displacement: Displacement, spacing: tuple[float, float, float]) -> Any:
    """div u at cell centers, the relative change of volume [1], shape (..., nx, ny, nz)."""
    total: Any = 0
    for axis, part, step in zip((-3, -2, -1), displacement.faces, spacing, strict=True):
        low, high = _halves(part, axis)
        total = total + (high - low) / step
    return total


def _halves(part: Any, axis: int) -> tuple[Any, Any]:
    """All faces but the last, and all but the first."""
    rest = (slice(None),) * (-1 - axis)
    return part[(..., slice(None, -1), *rest)], part[(..., slice(1, None), *rest)]
