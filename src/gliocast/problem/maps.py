"""What the posterior says of the density in each voxel: its mean, its spread, and how likely it exceeds a threshold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from gliocast.anatomy.mobility import is_tissue
from gliocast.core import Anatomy, InputError, Posterior, QualityError

if TYPE_CHECKING:
    from gliocast.problem.problem import Problem

#: Posterior samples behind the maps [1]: a standard deviation of them is known to a tenth.
NUM_PREDICTIVE = 48

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
    problem: "Problem",
    posterior: Posterior,
    onto: Anatomy,
    *,
    thresholds: Sequence[float] = EXCEEDED_DENSITIES,
    num_samples: int = NUM_PREDICTIVE,
) -> PredictiveMaps:
    """Solve at posterior samples on the inference grid, and interpolate their moments linearly onto another grid.

    They vary smoothly, so that the coarse grid carries them. Outside of the other grid's tissue all are zero.

    Args:
        problem: grows the samples, as many at a time as it has threads.
        posterior: what was inferred.
        onto: tissue on the grid that the maps are wanted on, usually the scan's own.
        thresholds: densities, ascending, in (0, 1).
        num_samples: equally weighted posterior samples; a probability is a multiple of one over this.

    Raises:
        InputError: no samples, or a threshold outside (0, 1).
        QualityError: most samples lie where no tumor can grow.
    """
    if num_samples < 1 or not all(0 < threshold < 1 for threshold in thresholds):
        raise InputError(
            "predictive maps",
            expected="at least one sample, thresholds in (0, 1)",
            got=f"{num_samples} and {tuple(thresholds)}",
            advice="use the defaults",
        )
    grown = [density.data for density in problem.grow(posterior.drawn(num_samples)) if density is not None]
    if len(grown) < num_samples / 2:
        raise QualityError(
            "density",
            expected="posterior samples that can grow",
            got=f"{num_samples - len(grown)} of {num_samples} that can't",
            advice="check the tissue maps around the tumor",
        )
    tissue = is_tissue(onto)
    affine = problem.anatomy.grid.affine

    def carry(data: np.ndarray) -> np.ndarray:
        return np.where(tissue, _interpolate(data, affine, onto), 0)

    mean = _mean(grown)
    deviation = np.sqrt(_mean((data - mean) ** 2 for data in grown))
    exceedance = {threshold: carry(_mean(data > threshold for data in grown)) for threshold in thresholds}
    return PredictiveMaps(carry(mean), carry(deviation), exceedance)


def _mean(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Mean of arrays, one at a time, in float64 and in their order."""
    count, total = 0, np.zeros(())
    for array in arrays:
        count, total = count + 1, total + array
    return np.asarray(total / count)


def _interpolate(data: np.ndarray, affine: np.ndarray, onto: Anatomy) -> np.ndarray:
    """Linear interpolation from one grid's affine onto an anatomy's grid; float32."""
    index_map = np.linalg.inv(affine) @ onto.grid.affine
    return ndimage.affine_transform(
        data.astype(np.float32),
        index_map[:3, :3],
        offset=index_map[:3, 3],
        output_shape=onto.grid.shape,
        order=1,
        mode="nearest",
    )
