"""What a target volume covers of the tumor that the model expects."""

from dataclasses import dataclass

import numpy as np

from gliocast.core import Anatomy, Density, InputError, LabelMap, Plan, dice
from gliocast.core.grid import MM3_PER_ML
from gliocast.core.volume import require_shape
from gliocast.planning.barriers import Barriers
from gliocast.planning.margins import distance_from, gross_tumor_volume, require_margin, treatable_region

#: Margins up to which the coverage curve is drawn [mm]: twice what EORTC 2016 prescribed.
WIDEST_MARGIN_MM = 40.0


@dataclass(frozen=True)
class PlanComparison:
    """Two plans of one volume side by side.

    Burden is the integral of the expected density: milliliters of tissue at carrying capacity. "Visible" is all that
    the segmentation outlines (whole tumor and cavity); "beyond" is everything outside of it.

    Args:
        gtv_ml: gross tumor volume [ml].
        standard_ml: standard CTV [ml].
        model_ml: the model's CTV [ml].
        overlap: Dice coefficient of the two CTVs.
        burden_ml: expected tumor burden [ml].
        burden_beyond_ml: the part of it beyond the visible outline [ml].
        covered_by_standard: share of the burden inside the standard CTV.
        covered_by_model: share of the burden inside the model's CTV.
        beyond_standard_ml: burden beyond the visible outline inside the standard CTV [ml].
        beyond_model_ml: burden beyond the visible outline inside the model's CTV [ml].
        gtv_in_model: share of the GTV's volume inside the model's CTV (in the standard CTV it is all of it).
    """

    gtv_ml: float
    standard_ml: float
    model_ml: float
    overlap: float
    burden_ml: float
    burden_beyond_ml: float
    covered_by_standard: float
    covered_by_model: float
    beyond_standard_ml: float
    beyond_model_ml: float
    gtv_in_model: float


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Covered share of the burden against treated volume, for two families of plans paired by volume.

    Args:
        margin_mm: uniform margin around the GTV [mm], ascending from 0, (num_points,).
        volume_ml: volume of the plan with that margin, and of its density counterpart [ml], (num_points,).
        covered_by_margin: share of the burden that the margin covers, (num_points,).
        covered_by_density: share that the densest voxels of the same volume cover, (num_points,).
        level: density of the least dense voxel among those, (num_points,).
    """

    margin_mm: np.ndarray
    volume_ml: np.ndarray
    covered_by_margin: np.ndarray
    covered_by_density: np.ndarray
    level: np.ndarray

    def volume_to_cover(self, share: float) -> tuple[float, float]:
        """Volume that a uniform margin, and that a density level, needs to cover `share` [ml]; nan out of range."""
        return _crossing(self.covered_by_margin, self.volume_ml, share), _crossing(
            self.covered_by_density, self.volume_ml, share
        )


def covered_fraction(density: Density, mask: np.ndarray) -> float:
    """Share of the expected tumor burden inside a mask, in [0, 1].

    Args:
        density: expected tumor-cell density.
        mask: bool, shape of the grid.

    Raises:
        InputError: if there is no tumor at all, or the shapes differ.
    """
    require_shape(mask, density.grid, "target volume")
    return density.burden(mask) / _require_burden(density)


def compare_plans(plan: Plan, density: Density, labels: LabelMap) -> PlanComparison:
    """Volumes, overlap and covered burden of the standard and the model's CTV.

    Args:
        plan: with ``gtv``, ``ctv_standard`` and ``ctv_model``.
        density: expected tumor-cell density on the plan's grid.
        labels: the segmentation on the same grid.

    Raises:
        InputError: if the grids differ or the density is zero everywhere.
    """
    plan.grid.require_same(density.grid, "density")
    plan.grid.require_same(labels.grid, "segmentation")
    gtv, standard, model = plan["gtv"], plan["ctv_standard"], plan["ctv_model"]
    beyond = ~labels.lesion
    total = _require_burden(density)
    return PlanComparison(
        gtv_ml=plan.volume("gtv") / MM3_PER_ML,
        standard_ml=plan.volume("ctv_standard") / MM3_PER_ML,
        model_ml=plan.volume("ctv_model") / MM3_PER_ML,
        overlap=dice(standard, model),
        burden_ml=total / MM3_PER_ML,
        burden_beyond_ml=density.burden(beyond) / MM3_PER_ML,
        covered_by_standard=density.burden(standard) / total,
        covered_by_model=density.burden(model) / total,
        beyond_standard_ml=density.burden(standard & beyond) / MM3_PER_ML,
        beyond_model_ml=density.burden(model & beyond) / MM3_PER_ML,
        gtv_in_model=int(np.count_nonzero(gtv & model)) / int(np.count_nonzero(gtv)),
    )


def coverage_curve(
    density: Density,
    labels: LabelMap,
    anatomy: Anatomy,
    *,
    barriers: Barriers | None = None,
    widest_margin_mm: float = WIDEST_MARGIN_MM,
    num_points: int = 81,
) -> CoverageCurve:
    """Covered share against volume: a uniform margin growing from the GTV, and density level sets of equal volume.

    Both families are confined to the same region as the plans (brain without ventricles and barriers). Of all volumes
    of one size the level set covers most, so its curve bounds the other from above; by how much is the question.

    Args:
        density: expected tumor-cell density.
        labels: the segmentation on the same grid.
        anatomy: tissue on the same grid.
        barriers: falx and tentorium on the same grid, if the plans know of them.
        widest_margin_mm: where the curve ends [mm], 0 < margin <= 50.
        num_points: how many margins, evenly spaced from 0.

    Raises:
        InputError: if the grids differ, nothing is segmented or the density is zero everywhere.
    """
    require_margin(widest_margin_mm)
    labels.grid.require_same(density.grid, "density")
    share_per_voxel = density.grid.voxel_volume / _require_burden(density)
    gtv, _ = gross_tumor_volume(labels)
    region = treatable_region(labels, anatomy, barriers)
    distance = distance_from(gtv, labels.grid, reach_mm=widest_margin_mm, barriers=barriers)
    near = region & np.isfinite(distance)
    order = np.argsort(distance[near], kind="stable")
    margins = np.linspace(0.0, widest_margin_mm, num_points)
    counts = np.searchsorted(distance[near][order], margins.astype(np.float32), side="right")
    by_distance = density.data[near][order]
    by_density = _densest(density.data[region], int(counts[-1]))
    return CoverageCurve(
        margin_mm=margins,
        volume_ml=counts * density.grid.voxel_ml,
        covered_by_margin=np.cumsum(by_distance, dtype=np.float64)[counts - 1] * share_per_voxel,
        covered_by_density=np.cumsum(by_density, dtype=np.float64)[counts - 1] * share_per_voxel,
        level=by_density[counts - 1],
    )


def _densest(values: np.ndarray, count: int) -> np.ndarray:
    """The `count` largest values, in descending order; partitioned first, since a brain has millions."""
    return np.sort(np.partition(values, len(values) - count)[len(values) - count :])[::-1]


def _crossing(covered: np.ndarray, volume_ml: np.ndarray, share: float) -> float:
    """Volume at which a rising curve reaches `share` [ml], nan where it doesn't within its range."""
    if not covered[0] <= share <= covered[-1]:
        return float("nan")
    return float(np.interp(share, covered, volume_ml))


def _require_burden(density: Density) -> float:
    """Total burden [mm^3]; raise InputError where there is none to share out."""
    total = density.burden()
    if not total > 0:
        raise InputError(
            "density", expected="tumor somewhere", got=f"a burden of {total:g} mm^3", advice="fit the model first"
        )
    return total
