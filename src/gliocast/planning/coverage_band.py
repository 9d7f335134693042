"""How sure the coverage of a plan is: the same plans under each density that the posterior holds possible.

A coverage curve is made of plans (margins around the GTV, level sets of the delivered density). Those plans are held;
what changes from one posterior sample to the next is the density that they have to cover. Samples lie on a coarser
grid: each voxel of tissue takes the density of the sample's voxel that its center is in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.anatomy.mobility import is_tissue
from gliocast.core import Anatomy, Density, Grid, InputError, LabelMap, Plan
from gliocast.planning.barriers import Barriers
from gliocast.planning.coverage import CoverageCurve
from gliocast.planning.margins import distance_from, gross_tumor_volume, treatable_region

#: The band holds the posterior samples between these quantiles [1].
BAND = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class CoverageBand:
    """Band of the covered share over posterior samples, for both families of plans of a coverage curve.

    Args:
        by_margin: lower and upper end for uniform margins, (2, num_points).
        by_density: the same for level sets of the delivered density, (2, num_points).
        num_samples: posterior samples behind it.
    """

    by_margin: np.ndarray
    by_density: np.ndarray
    num_samples: int


@dataclass(frozen=True)
class Spread:
    """A share over posterior samples: mean, and the quantiles `BAND`."""

    mean: float
    lower: float
    upper: float

    @classmethod
    def of(cls, shares: np.ndarray) -> "Spread":
        """Of one share for each sample, (num_samples,)."""
        lower, upper = np.quantile(shares, BAND)
        return cls(float(shares.mean()), float(lower), float(upper))


@dataclass(frozen=True)
class BurdenSpread:
    """Which share of the tumor burden lies where, over posterior samples.

    Args:
        beyond: outside of what the scans show.
        standard: in the standard CTV.
        model: in the model's, which is drawn once, on the delivered density.
    """

    beyond: Spread
    standard: Spread
    model: Spread


def burden_spread(samples: Sequence[Density], plan: Plan, labels: LabelMap, anatomy: Anatomy) -> BurdenSpread:
    """What posterior samples say of the visible tumor and both CTVs.

    Args:
        samples: densities that the posterior holds possible, equally weighted, all on one grid.
        plan: with ``ctv_standard`` and ``ctv_model``.
        labels: the segmentation on the plan's grid.
        anatomy: tissue on the same grid.

    Raises:
        InputError: no samples, or one without any tumor.
    """
    if not samples:
        raise _without_tumor(0, 0)
    tissue, coarse = is_tissue(anatomy), samples[0].grid
    masks = (tissue, labels.whole & tissue, plan["ctv_standard"] & tissue, plan["ctv_model"] & tissue)
    size = samples[0].data.size + 1  # the last one is outside of the samples' grid
    counts = [np.bincount(_cells(np.flatnonzero(mask), labels.grid, coarse), minlength=size)[:-1] for mask in masks]
    weights = np.array(counts, dtype=np.float64)
    shares = []
    for number, sample in enumerate(samples):
        burden, *inside = weights @ sample.data.ravel().astype(np.float64)
        if burden <= 0:
            raise _without_tumor(len(samples), number)
        shares.append(np.array(inside) / burden)
    visible, standard, model = np.array(shares).T
    return BurdenSpread(Spread.of(1 - visible), Spread.of(standard), Spread.of(model))


def coverage_band(
    curve: CoverageCurve,
    samples: Sequence[Density],
    *,
    density: Density,
    labels: LabelMap,
    anatomy: Anatomy,
    barriers: Barriers | None = None,
) -> CoverageBand:
    """The plans of a coverage curve under each posterior sample of the density.

    Args:
        curve: `coverage_curve` of the delivered density.
        samples: densities that the posterior holds possible, equally weighted, all on one grid.
        density: the delivered one, of which level sets are plans.
        labels: the segmentation on the same grid.
        anatomy: tissue on the same grid.
        barriers: falx and tentorium on the same grid, if the curve knows of them.

    Raises:
        InputError: no samples, or one without any tumor.
    """
    if not samples:
        raise _without_tumor(0, 0)
    tissue, grid = is_tissue(anatomy).ravel(), samples[0].grid
    weights = np.bincount(_cells(np.flatnonzero(tissue), labels.grid, grid), minlength=samples[0].data.size + 1)
    counts = np.rint(curve.volume_ml / labels.grid.voxel_ml).astype(int)
    families = []
    for voxels in _families(curve, density, labels, anatomy, barriers, int(counts[-1])):
        places = _cells(voxels, labels.grid, grid)
        places[~tissue[voxels]] = len(weights) - 1
        families.append(places)
    covered = np.empty((len(families), len(samples), len(counts)))
    for number, sample in enumerate(samples):
        field = np.append(sample.data.ravel(), 0)  # the last one is outside of the sample's grid
        burden = float(weights @ field.astype(np.float64))
        if burden <= 0:
            raise _without_tumor(len(samples), number)
        for family, places in zip(covered, families, strict=True):
            family[number] = np.cumsum(field[places], dtype=np.float64)[counts - 1] / burden
    by_margin, by_density = (np.quantile(family, BAND, axis=0) for family in covered)
    return CoverageBand(by_margin, by_density, len(samples))


def _without_tumor(count: int, number: int) -> InputError:
    return InputError(
        "coverage band",
        expected="posterior samples with tumor in each",
        got=f"{count} samples, number {number + 1} of them empty" if count else "none",
        advice="grow them first",
    )


def _families(
    curve: CoverageCurve,
    density: Density,
    labels: LabelMap,
    anatomy: Anatomy,
    barriers: Barriers | None,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels in the order in which growing margins, and falling levels, take them in; flat indices, (count,)."""
    region = treatable_region(labels, anatomy, barriers)
    gtv, _ = gross_tumor_volume(labels)
    distance = distance_from(gtv, labels.grid, reach_mm=float(curve.margin_mm[-1]), barriers=barriers).ravel()
    near = np.flatnonzero(region.ravel() & np.isfinite(distance))
    by_margin = near[np.argsort(distance[near], kind="stable")][:count]
    inside, values = np.flatnonzero(region.ravel()), density.data.ravel()
    densest = inside[np.argpartition(-values[inside], count - 1)[:count]]
    return by_margin, densest[np.argsort(-values[densest], kind="stable")]


def _cells(voxels: np.ndarray, grid: Grid, onto: Grid) -> np.ndarray:
    """Flat indices of the voxels of a coarser grid that centers of voxels lie in; one past the last outside of it."""
    points = grid.world_from_voxel(np.stack(np.unravel_index(voxels, grid.shape), axis=-1))
    index = np.rint(onto.voxel_from_world(points)).astype(int)
    inside = np.all((index >= 0) & (index < np.array(onto.shape)), axis=-1)
    cells = np.full(len(voxels), np.prod(onto.shape))
    cells[inside] = np.ravel_multi_index(tuple(index[inside].T), onto.shape)
    return cells
