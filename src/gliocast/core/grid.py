"""The voxel grid: how an array lies in the world."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gliocast.core.box import Box
from gliocast.core.errors import InputError

#: Cubic millimeters in a milliliter.
MM3_PER_ML = 1000.0

#: Two affines describe one grid if no voxel corner moves by more than this fraction of a voxel.
SAME_GRID_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular voxel grid in the RAS world frame.

    Args:
        shape: number of voxels along the three array axes.
        affine: (4, 4) matrix from voxel indices (voxel centers) to world coordinates [mm, RAS].
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise InputError("grid", expected="three positive axis lengths", got=f"{shape}", advice="pass a 3-D shape")
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-12:
            raise InputError(
                "grid", expected="an invertible 4x4 affine", got=f"{affine.tolist()}", advice="repair the header"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighboring voxel centers along each array axis [mm]."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel [mm^3]."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel [ml]."""
        return self.voxel_volume / MM3_PER_ML

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], [1], indexing="ij")).reshape(4, -1)
        drift = np.abs((self.affine - other.affine) @ corners)[:3].max()
        return bool(drift <= SAME_GRID_TOLERANCE * min(self.spacing))

    __hash__ = None  # type: ignore[assignment]  # equality has a tolerance

    def require_same(self, other: "Grid", subject: str) -> None:
        """Raise InputError unless `other` is this grid; nothing is ever silently resampled."""
        if self != other:
            raise InputError(
                subject,
                expected=f"the grid of its companions, {self}",
                got=f"{other}",
                advice="resample all images to one grid first",
            )

    def world_from_voxel(self, index: np.ndarray) -> np.ndarray:
        """World coordinates [mm, RAS] of voxel indices, both of shape (..., 3)."""
        return np.asarray(index, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def voxel_from_world(self, point: np.ndarray) -> np.ndarray:
        """Fractional voxel indices of world coordinates [mm, RAS], both of shape (..., 3)."""
        offset = np.asarray(point, dtype=np.float64) - self.affine[:3, 3]
        return offset @ np.linalg.inv(self.affine[:3, :3]).T

    def crop(self, lower: tuple[int, ...], upper: tuple[int, ...]) -> "Grid":
        """The grid of the sub-array [lower, upper); bounds may lie outside, which pads."""
        affine = self.affine.copy()
        affine[:3, 3] = self.world_from_voxel(np.asarray(lower))
        shape = tuple(int(b) - int(a) for a, b in zip(lower, upper, strict=True))
        return Grid(shape, affine)  # type: ignore[arg-type]

    def locate(self, part: "Grid", subject: str) -> Box:
        """Where a grid that was cropped from this one lies in it.

        Raises:
            InputError: it wasn't.
        """
        corner = np.rint(self.voxel_from_world(part.world_from_voxel(np.zeros(3)))).astype(int)
        lower, upper = tuple(corner.tolist()), tuple((corner + np.array(part.shape)).tolist())
        part.require_same(self.crop(lower, upper), subject)
        if min(lower) < 0 or any(b > n for b, n in zip(upper, self.shape, strict=True)):
            raise InputError(subject, expected=f"a grid that holds {part}", got=f"{self}", advice="pad it first")
        return Box(lower, upper)

    def coarsen(self, factors: tuple[int, int, int]) -> "Grid":
        """The grid whose voxels are blocks of `factors` voxels of this one; each axis must divide."""
        if any(n % f for n, f in zip(self.shape, factors, strict=True)):
            raise InputError(
                "grid",
                expected=f"axis lengths divisible by {factors}",
                got=f"{self.shape}",
                advice="pad the grid before coarsening it",
            )
        affine = self.affine.copy()
        affine[:3, 3] = self.world_from_voxel((np.array(factors) - 1) / 2)
        affine[:3, :3] *= np.array(factors)
        shape = tuple(n // f for n, f in zip(self.shape, factors, strict=True))
        return Grid(shape, affine)  # type: ignore[arg-type]

    def __str__(self) -> str:
        size = "x".join(str(n) for n in self.shape)
        spacing = "x".join(f"{h:.3g}" for h in self.spacing)
        origin = ", ".join(f"{x + 0.0:.4g}" for x in self.affine[:3, 3])  # + 0.0 turns -0 into 0
        return f"{size} at {spacing} mm, origin ({origin})"
