"""An array together with its geometry."""

from dataclasses import dataclass

import numpy as np

from gliocast.core.errors import InputError
from gliocast.core.grid import Grid


def require_shape(data: np.ndarray, grid: Grid, subject: str) -> None:
    """Raise InputError unless the array has the shape of the grid."""
    if data.shape != grid.shape:
        raise InputError(
            subject, expected=f"an array of shape {grid.shape}", got=f"{data.shape}", advice="pass its own grid"
        )


def require_mask(mask: np.ndarray, grid: Grid, subject: str) -> None:
    """Raise InputError unless the array is a bool mask of the grid: integers would index, not select."""
    require_shape(mask, grid, subject)
    if mask.dtype != bool:
        raise InputError(subject, expected="a bool mask", got=f"{mask.dtype}", advice="compare it, as in mask > 0")


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar field on a grid: `data` of shape `grid.shape`, in the unit of whatever it holds."""

    data: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        require_shape(self.data, self.grid, "volume")


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice coefficient 2 |a and b| / (|a| + |b|) of two bool masks of one shape; 1 where both are empty."""
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else 1.0


def block_mean(data: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Mean over blocks of `factors` voxels; the restriction that conserves integrals. float32."""
    split = [part for n, f in zip(data.shape, factors, strict=True) for part in (n // f, f)]
    return data.astype(np.float32, copy=False).reshape(split).mean(axis=(1, 3, 5), dtype=np.float32)
