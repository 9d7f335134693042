"""Densities of posterior samples, kept where any of them is more than nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gliocast.core import Density, Grid, InputError
from gliocast.core.volume import require_shape

#: Densities below this are left out [1]: a brain of them holds less than a thousandth of a milliliter.
FAINT = 1e-6


@dataclass(frozen=True, eq=False)
class SampledDensity:
    """Posterior samples of the density on one grid, coarse or fine.

    Args:
        values: densities of the occupied voxels, (num_samples, num_occupied), float32.
        occupied: bool, shape of the grid, in whose order the columns of `values` are.
        grid: where they lie.
    """

    values: np.ndarray
    occupied: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        require_shape(self.occupied, self.grid, "occupied voxels")
        if len(self.values) == 0 or not (self.values.sum(axis=1, dtype=np.float64) > 0).all():
            raise InputError(
                "density samples",
                expected="samples that each hold some tumor",
                got=f"{len(self.values)} samples, some of them empty" if len(self.values) else "none",
                advice="pass densities of posterior samples",
            )

    @classmethod
    def of(cls, samples: Iterable[Density]) -> "SampledDensity":
        """From densities, each of which is looked at once and let go.

        Memory is that of the occupied voxels: 200 samples of a tumor of 400 ml are 320 MB at 1 mm, 40 MB at 2 mm, and
        up to three times as much while they are gathered.

        Raises:
            InputError: no samples, grids that differ, an empty sample, or a density that isn't finite.
        """
        occupied, grid, found = None, None, []
        for sample in samples:
            if grid is None or occupied is None:
                grid, occupied = sample.grid, np.zeros(sample.grid.shape, dtype=bool)
            grid.require_same(sample.grid, "density sample")
            if not np.isfinite(sample.data).all():
                raise InputError(
                    "density sample", expected="finite numbers", got="NaN or infinity", advice="simulate it anew"
                )
            places = np.flatnonzero(sample.data > FAINT).astype(np.uint32)
            occupied.reshape(-1)[places] = True
            found.append((places, np.asarray(sample.data, dtype=np.float32).reshape(-1)[places]))
        if grid is None or occupied is None:
            raise InputError("density samples", expected="at least one", got="none", advice="pass some")
        column = np.cumsum(occupied.reshape(-1)) - 1
        values = np.zeros((len(found), int(np.count_nonzero(occupied))), dtype=np.float32)
        for row, (places, densities) in zip(values, found, strict=True):
            row[column[places]] = densities
        return cls(values, occupied, grid)

    @cached_property
    def totals(self) -> np.ndarray:
        """Sum of each sample over its voxels [1], float64, (num_samples,)."""
        return np.asarray(self.values.sum(axis=1, dtype=np.float64))
