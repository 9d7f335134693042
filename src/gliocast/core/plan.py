"""Radiotherapy target volumes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gliocast.core.grid import Grid
from gliocast.core.volume import require_shape


@dataclass(frozen=True, eq=False)
class Plan:
    """Named target volumes on one grid.

    Args:
        volumes: bool masks by name: ``gtv``, ``ctv_standard``, ``ctv_model``.
        grid: where they lie.
        margin_mm: the uniform margin behind the standard CTV [mm].
    """

    volumes: Mapping[str, np.ndarray]
    grid: Grid
    margin_mm: float

    def __post_init__(self) -> None:
        for name, mask in self.volumes.items():
            require_shape(mask, self.grid, name)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.volumes[name]

    def volume(self, name: str) -> float:
        """Volume of a target [mm^3]."""
        return float(np.count_nonzero(self.volumes[name])) * self.grid.voxel_volume
