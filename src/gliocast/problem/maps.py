"""What the posterior says of the density in each voxel: its mean, its spread, and how likely it exceeds a threshold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.anatomy.mobility import is_tissue
from gliocast.core import Anatomy, Grid, InputError
from gliocast.problem.grown import GrownSamples

#: Densities whose probability to be exceeded is mapped [1]: about where cells are few enough to be left alone, where
#: FLAIR begins to show them, and where T1c does.
EXCEEDED_DENSITIES = (0.01, 0.1, 0.5)


@dataclass(frozen=True, eq=False)
class PredictiveMaps:
    """Moments of the density under the posterior, all of one grid's shape, float32.

    Args:
        mean: of the density, a fraction of the carrying capacity.
        standard_deviation: of the same.
        exceedance: probability that the density exceeds a threshold, by threshold.
    """

    mean: np.ndarray
    standard_deviation: np.ndarray
    exceedance: Mapping[float, np.ndarray]


def predictive_maps(
    grown: GrownSamples, onto: Anatomy, *, thresholds: Sequence[float] = EXCEEDED_DENSITIES
) -> PredictiveMaps:
    """Moments of posterior samples on the inference grid, interpolated linearly onto another grid.

    They vary smoothly, so that the coarse grid carries them. Outside of the other grid's tissue all are zero.

    Args:
        grown: the samples; a probability is a multiple of one over their number.
        onto: tissue on the grid that the maps are wanted on, usually the scan's own.
        thresholds: densities, ascending, in (0, 1).

    Raises:
        InputError: a threshold outside (0, 1).
    """
    if not all(0 < threshold < 1 for threshold in thresholds):
        raise InputError(
            "predictive maps", expected="thresholds in (0, 1)", got=f"{tuple(thresholds)}", advice="use the defaults"
        )
    fields, grid = [density.data for density in grown.densities], grown.densities[0].grid
    tissue = is_tissue(onto)

    def carry(data: np.ndarray) -> np.ndarray:
        return np.where(tissue, interpolated(data, grid, onto.grid), 0)

    mean = _mean(fields)
    deviation = np.sqrt(_mean((data - mean) ** 2 for data in fields))
    exceedance = {threshold: carry(_mean(data > threshold for data in fields)) for threshold in thresholds}
    return PredictiveMaps(carry(mean), carry(deviation), exceedance)


def interpolated(data: np.ndarray, grid: Grid, onto: Grid) -> np.ndarray:
    """Linear interpolation of a field from one grid to another; float32."""
    index_map = np.linalg.inv(grid.affine) @ onto.affine
    return ndimage.affine_transform(
        data.astype(np.float32),
        index_map[:3, :3],
        offset=index_map[:3, 3],
        output_shape=onto.shape,
        order=1,
        mode="nearest",
    )


def _mean(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Mean of arrays, one at a time, in float64 and in their order."""
    count, total = 0, np.zeros(())
    for array in arrays:
        count, total = count + 1, total + array
    return np.asarray(total / count)
