"""Tumor-cell density."""

from dataclasses import dataclass

import numpy as np

from gliocast.core.grid import Grid
from gliocast.core.volume import require_mask, require_shape


@dataclass(frozen=True, eq=False)
class Density:
    """Tumor cells per volume as a fraction of the carrying capacity, in [0, 1].

    Args:
        data: shape `grid.shape`, float32.
        grid: where it lies.
        day: when it holds [d], relative to the start of growth; None where one scan leaves the age unknown.
        standard_deviation: of `data` under the posterior, same shape; None where no uncertainty was computed.
    """

    data: np.ndarray
    grid: Grid
    day: float | None = None
    standard_deviation: np.ndarray | None = None

    def __post_init__(self) -> None:
        require_shape(self.data, self.grid, "density")
        if self.standard_deviation is not None:
            require_shape(self.standard_deviation, self.grid, "standard deviation of the density")

    def burden(self, mask: np.ndarray | None = None) -> float:
        """Tumor burden inside a mask, the integral of the density [mm^3 of tissue at carrying capacity]."""
        if mask is not None:
            require_mask(mask, self.grid, "mask")
        inside = self.data if mask is None else self.data[mask]
        return float(inside.sum(dtype=np.float64)) * self.grid.voxel_volume

    def volume_above(self, level: float) -> float:
        """Volume where the density exceeds `level` [mm^3]."""
        return float(np.count_nonzero(self.data > level)) * self.grid.voxel_volume
