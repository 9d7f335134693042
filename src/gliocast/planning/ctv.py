"""The model's target volume: the densest voxels, as many as the standard plan has.

Two plans of one volume differ only in where they put it, so that what each covers can be compared without the
trivial gain of treating more.
"""

import numpy as np

from gliocast.core import Anatomy, Density, Grid, InputError, LabelMap, Plan
from gliocast.core.volume import require_shape
from gliocast.planning.barriers import Barriers
from gliocast.planning.margins import (
    ESTRO_EANO_MARGIN_MM,
    ESTRO_EANO_PTV_MARGIN_MM,
    distance_from,
    expand,
    gross_tumor_volume,
    planning_target_volume,
    require_margin,
    treatable_region,
)


def isovolumetric_ctv(density: Density, *, reference: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The voxels of highest density within a region, exactly as many as `reference` has.

    Where voxels tie at the level where the count runs out (the zero density beyond the simulated front, for one),
    those nearest to the denser voxels are taken, and of these the first by index; where nothing is
    denser, those nearest to the reference. The result depends on nothing else.

    Args:
        density: expected tumor-cell density.
        reference: bool, shape of the grid; only its number of voxels counts (and its place where all else ties).
        within: bool, shape of the grid, where the target may lie.

    Returns:
        bool, shape of the grid, with as many voxels as `reference`.

    Raises:
        InputError: if the reference is empty or has more voxels than `within`, a shape doesn't fit or the density
            isn't finite there.
    """
    require_shape(reference, density.grid, "reference plan")
    require_shape(within, density.grid, "region to stay within")
    num_voxels = int(np.count_nonzero(reference))
    require_room("reference plan", num_voxels, int(np.count_nonzero(within)))
    require_finite(density)
    return highest(density.data, num_voxels, within=within, near=reference, grid=density.grid)


def highest(values: np.ndarray, count: int, *, within: np.ndarray, near: np.ndarray, grid: Grid) -> np.ndarray:
    """The `count` voxels of a region with the highest values, bool.

    Args:
        values: shape of the grid, no NaN within the region.
        count: at most as many as the region has.
        within: bool, shape of the grid.
        near: bool, shape of the grid; where all values tie, the voxels nearest to it are taken.
        grid: where all of them lie.
    """
    inside = values[within]
    level = np.partition(inside, len(inside) - count)[len(inside) - count]
    chosen = within & (values > level)
    tied = within & (values == level)
    num_missing = count - int(np.count_nonzero(chosen))
    chosen[_nearest(tied, chosen if chosen.any() else near, grid, num_missing)] = True
    return chosen


def require_room(subject: str, num_voxels: int, num_available: int) -> None:
    """Raise InputError unless a target holds a voxel and fits into the brain."""
    if not 0 < num_voxels <= num_available:
        raise InputError(
            subject,
            expected=f"between 1 and {num_available} voxels, all that the brain has",
            got=f"{num_voxels}",
            advice="check that plan and brain mask belong to the same scan",
        )


def require_finite(density: Density) -> None:
    """Raise InputError unless a density is a number everywhere."""
    if not np.isfinite(density.data).all():
        raise InputError("density", expected="finite numbers", got="NaN or infinity", advice="simulate it anew")


def make_plan(
    labels: LabelMap,
    anatomy: Anatomy,
    density: Density,
    *,
    margin_mm: float = ESTRO_EANO_MARGIN_MM,
    barriers: Barriers | None = None,
) -> Plan:
    """The standard plan and the model's plan of exactly the same volume.

    Args:
        labels: the segmentation.
        anatomy: tissue on the same grid.
        density: expected tumor-cell density on the same grid.
        margin_mm: uniform margin of the standard plan [mm], 0 < margin <= 50.
        barriers: falx and tentorium on the same grid, if known; they shape the standard plan, and neither lies in them.

    Returns:
        Plan with the volumes ``gtv``, ``ctv_standard`` and ``ctv_model``, and a PTV of 3 mm around both CTVs,
        ``ptv_standard`` and ``ptv_model``.

    Raises:
        InputError: as `standard_ctv` and `isovolumetric_ctv` do, and if the grids differ.
    """
    require_margin(margin_mm)
    labels.grid.require_same(density.grid, "density")
    gtv, _ = gross_tumor_volume(labels)
    region = treatable_region(labels, anatomy, barriers)
    standard = expand(gtv, labels.grid, margin_mm, region, barriers)
    model = isovolumetric_ctv(density, reference=standard, within=region)
    ptvs = {
        f"ptv_{name}": planning_target_volume(ctv, labels.grid, ESTRO_EANO_PTV_MARGIN_MM)
        for name, ctv in (("standard", standard), ("model", model))
    }
    return Plan({"gtv": gtv, "ctv_standard": standard, "ctv_model": model, **ptvs}, labels.grid, margin_mm)


def _nearest(tied: np.ndarray, source: np.ndarray, grid: Grid, count: int) -> tuple[np.ndarray, ...]:
    """Indices of the `count` tied voxels nearest to `source`, the first by index where distances tie too."""
    candidates = np.nonzero(tied)  # in index order, whatever the memory layout
    if len(candidates[0]) == count:  # the usual case: real densities hardly ever tie
        return candidates
    diagonal = float(np.linalg.norm(np.multiply(grid.shape, grid.spacing)))
    reach = 10.0  # doubled up from a centimeter: sweeping the whole grid takes seconds, a box around the tumor doesn't
    distance = distance_from(source, grid, reach_mm=reach)[candidates]
    while np.count_nonzero(np.isfinite(distance)) < count and reach < diagonal:
        reach *= 2
        distance = distance_from(source, grid, reach_mm=reach)[candidates]
    nearest = np.argsort(distance, kind="stable")[:count]
    return tuple(axis[nearest] for axis in candidates)
