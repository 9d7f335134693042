"""The frame that the network sees brains in: axes to the left, back and up, as BraTS has them, voxels of 1 mm."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from gliocast.core import Grid

#: Voxels of this edge are what the network knows [mm]; edges nearer to it than the second are taken as they are [1].
_SPACING_MM, _TOLERANCE = 1.0, 0.1


@dataclass(frozen=True)
class Frame:
    """How arrays on a grid are turned, and resampled where their voxels are of another size.

    Args:
        axes: array axis that becomes each axis of the frame.
        flips: whether it runs the other way.
        shape: in the frame.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, grid: Grid) -> "Frame":
        """The frame of a grid, whose axes are taken for the world's nearest ones."""
        directions = grid.affine[:3, :3] / np.array(grid.spacing)
        left, back, up = (int(axis) for axis in _assigned(np.abs(directions)))
        axes = (left, back, up)
        flips = tuple(
            bool(directions[world, axis] * sign < 0)
            for world, axis, sign in zip(range(3), axes, (-1, -1, 1), strict=True)
        )
        shape = tuple(_resampled(grid.shape[axis], grid.spacing[axis]) for axis in axes)
        return cls(axes, flips, shape)  # type: ignore[arg-type]

    def enter(self, fields: torch.Tensor, mode: str = "trilinear") -> torch.Tensor:
        """(num, x, y, z) on the grid -> (num, *shape) in the frame."""
        turned = fields.permute(0, *(axis + 1 for axis in self.axes)).flip(self._flipped)
        return _resize(turned, self.shape, mode)

    def leave(self, fields: torch.Tensor, grid: Grid) -> torch.Tensor:
        """(num, *shape) in the frame -> (num, x, y, z) on the grid."""
        shape = tuple(grid.shape[axis] for axis in self.axes)
        turned = _resize(fields, shape, "trilinear").flip(self._flipped)
        back = np.argsort(self.axes)
        return turned.permute(0, *(int(axis) + 1 for axis in back))

    @property
    def _flipped(self) -> list[int]:
        return [axis + 1 for axis, flip in enumerate(self.flips) if flip]


def _assigned(strength: np.ndarray) -> list[int]:
    """Array axis of each axis of the world, the clearest first, none twice; (3, 3) world by array axes."""
    left = strength.copy()
    axes = [0, 0, 0]
    for _ in range(3):
        world, axis = np.unravel_index(int(left.argmax()), left.shape)
        axes[int(world)] = int(axis)
        left[world], left[:, axis] = -1, -1
    return axes


def _resampled(size: int, spacing: float) -> int:
    """Voxels along an axis in the frame."""
    if abs(spacing / _SPACING_MM - 1) < _TOLERANCE:
        return size
    return max(1, round(size * spacing / _SPACING_MM))


def _resize(fields: torch.Tensor, shape: tuple[int, ...], mode: str) -> torch.Tensor:
    if tuple(fields.shape[1:]) == tuple(shape):
        return fields
    if mode == "nearest":
        return functional.interpolate(fields[None], shape, mode="nearest-exact")[0]
    return functional.interpolate(fields[None], shape, mode="trilinear", align_corners=False)[0]
