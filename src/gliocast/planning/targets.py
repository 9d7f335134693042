r"""Target volumes of the model beside the iso-volume one: by density, by volume, by what is covered and how surely.

With samples u_k of the posterior density, a target S covers

.. math:: c_k(S) = \int_S u_k \Big/ \int u_k

of sample k's tumor cells. The smallest S with P_k(c_k(S) >= share) >= probability is a chance-constrained problem that
no one solves exactly at this size. Here S is a superlevel set of

.. math:: r(x) = \sum_k w_k u_k(x) / \textstyle\int u_k

For equal weights that is the set of largest mean coverage at its volume. The weights then move to the samples at the
edge of being left short, for those covered with ease and those given up have no say in the constraint; of all sets that
hold it the smallest is kept. So it is never larger than that of the mean density, and always as sure as asked.

The gross tumor volume belongs to every target here, whatever the model says of it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.core import Density, Grid, InputError
from gliocast.core.volume import require_mask
from gliocast.planning.ctv import highest, require_finite, require_room
from gliocast.planning.sampled import SampledDensity

#: How often weights move, and by how much at most (on a log scale) [1]; the last rounds gain a percent or two.
_ROUNDS, _RATE = 8, 2.0
#: Blocks of voxels whose places in the samples' grid are computed at once; bounds the memory.
_CHUNK = 500_000


@dataclass(frozen=True, eq=False)
class CoverageTarget:
    """The smallest target found that covers a share of the tumor cells with a probability.

    Args:
        mask: bool, shape of the grid.
        covered: share of each sample's cells that lies inside, (num_samples,).
    """

    mask: np.ndarray
    covered: np.ndarray

    def probability(self, share: float) -> float:
        """Posterior probability that at least `share` of the tumor cells is covered."""
        return float((self.covered >= share).mean())


def isodensity_target(density: Density, level: float, *, gtv: np.ndarray, within: np.ndarray) -> np.ndarray:
    """All voxels of a region at least as dense as `level`, and the GTV.

    Args:
        density: expected tumor-cell density.
        level: in (0, 1), a fraction of the carrying capacity.
        gtv: bool, shape of the grid.
        within: bool, shape of the grid, where the target may lie.

    Raises:
        InputError: if the level is none, no voxel of the region reaches it or a shape doesn't fit.
    """
    _require_masks(gtv, within, density.grid)
    require_finite(density)
    require_share("isodensity level", level)
    chosen = within & (density.data >= level)
    if not chosen.any():
        raise InputError(
            "isodensity level",
            expected=f"one that some voxel reaches, up to {density.data[within].max(initial=0):.3g}",
            got=f"{level:g}",
            advice="lower it",
        )
    return np.asarray(chosen | gtv)


def fixed_volume_target(density: Density, volume_ml: float, *, gtv: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The GTV and the densest voxels beside it, as many as a volume holds (rounded to voxels).

    Args:
        density: expected tumor-cell density.
        volume_ml: of the target [ml].
        gtv: bool, shape of the grid.
        within: bool, shape of the grid, where the target may lie.

    Raises:
        InputError: if the volume is less than the GTV's or more than the region's, or a shape doesn't fit.
    """
    _require_masks(gtv, within, density.grid)
    require_finite(density)
    region, voxel_ml = within | gtv, density.grid.voxel_ml
    least, most = (float(np.count_nonzero(mask)) * voxel_ml for mask in (gtv, region))
    count = round(volume_ml / voxel_ml) if np.isfinite(volume_ml) else -1
    if not np.count_nonzero(gtv) <= count <= np.count_nonzero(region):
        raise InputError(
            "target volume",
            expected=f"between {least:.1f} ml, the gross tumor volume, and {most:.0f} ml, the brain",
            got=f"{volume_ml:g} ml",
            advice="give a volume in milliliters",
        )
    return _with_gtv(density.data, count, gtv, region, density.grid)


def coverage_target(
    samples: SampledDensity, share: float, probability: float, *, gtv: np.ndarray, within: np.ndarray, grid: Grid
) -> CoverageTarget:
    """The smallest superlevel set found that covers `share` of the tumor cells with posterior `probability`.

    Args:
        samples: of the posterior, on any grid of the same world; each voxel of the target counts what the nearest of
            theirs holds.
        share: of the tumor cells, in (0, 1).
        probability: in (0, 1).
        gtv: bool, shape of the grid.
        within: bool, shape of the grid, where the target may lie.
        grid: that the target is wanted on.

    Raises:
        InputError: if share or probability is none, the samples lie elsewhere, or even the whole region doesn't cover
            that much.
    """
    _require_masks(gtv, within, grid)
    require_share("share to cover", share)
    require_share("probability to cover it", probability)
    region = within | gtv
    cells = _Cells.of(samples, region, gtv[region], grid)
    # as many samples as the probability asks for, at least one
    needed = max(int(np.ceil(probability * len(samples.values) - 1e-9)), 1)
    weights, best = np.full(len(samples.values), 1 / len(samples.values)), None
    for _ in range(_ROUNDS):
        order = cells.order(weights)
        count = _fewest(cells, order, share, needed, None if best is None else len(best))
        if best is None or count < len(best):
            best = order[:count]
        # samples that are well covered, and those given up, pull less than those at the edge
        covered = cells.covered(order[:count])
        edge = np.sort(covered)[::-1][needed - 1]
        spread = max(float(np.abs(covered - edge).max()), 1e-6)
        weights = weights * np.exp(-_RATE * np.abs(covered - edge) / spread)
        weights = weights / weights.sum()
    assert best is not None  # there is at least one round
    mask = np.zeros(grid.shape, dtype=bool)
    mask[tuple(axis[best] for axis in np.nonzero(region))] = True
    return CoverageTarget(mask, cells.covered(best))


def sample_coverage(samples: SampledDensity, mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Share of each sample's tumor cells inside of a target, (num_samples,).

    Args:
        samples: of the posterior, on any grid of the same world.
        mask: bool, shape of the grid, not empty.
        grid: where the target lies.
    """
    require_mask(mask, grid, "target")
    cells = _Cells.of(samples, mask, mask[mask], grid)
    return cells.covered(np.arange(len(cells.columns)))


@dataclass(frozen=True, eq=False)
class _Cells:
    """The voxels of a region, and which column of the samples each lies in (-1 for none)."""

    columns: np.ndarray
    position: np.ndarray
    first: np.ndarray
    samples: SampledDensity
    volume_ratio: float

    @classmethod
    def of(cls, samples: SampledDensity, region: np.ndarray, first: np.ndarray, grid: Grid) -> "_Cells":
        places = np.argwhere(region)
        position = np.empty((3, len(places)), dtype=np.float32)
        for start in range(0, len(places), _CHUNK):
            part = slice(start, start + _CHUNK)
            position[:, part] = samples.grid.voxel_from_world(grid.world_from_voxel(places[part])).T
        index = np.rint(position).astype(np.int32)
        inside = np.logical_and.reduce(
            [(axis >= 0) & (axis < n) for axis, n in zip(index, samples.grid.shape, strict=True)]
        )
        if not inside.any():
            raise InputError(
                "density samples",
                expected=f"a grid that overlaps with {grid}",
                got=f"{samples.grid}",
                advice="pass those of the scan",
            )
        number = np.full(samples.grid.shape, -1, dtype=np.int32)
        number[samples.occupied] = np.arange(samples.values.shape[1], dtype=np.int32)
        columns = np.full(len(places), -1, dtype=np.int32)
        columns[inside] = number[tuple(axis[inside] for axis in index)]
        return cls(columns, position, first, samples, grid.voxel_volume / samples.grid.voxel_volume)

    def order(self, weights: np.ndarray) -> np.ndarray:
        """Voxels by falling score, interpolated so that no voxel of the samples' grid is taken as a block."""
        field = np.zeros(self.samples.grid.shape, dtype=np.float32)
        field[self.samples.occupied] = (weights / self.samples.totals).astype(np.float32) @ self.samples.values
        score = ndimage.map_coordinates(field, self.position, order=1, mode="nearest")
        score[self.first] = np.inf
        return np.argsort(-score, kind="stable")

    def covered(self, voxels: np.ndarray) -> np.ndarray:
        """Share of each sample inside of some voxels."""
        columns = self.columns[voxels]
        counts = np.bincount(columns[columns >= 0], minlength=self.samples.values.shape[1])
        inside = self.samples.values @ (counts * self.volume_ratio).astype(np.float32)
        return np.asarray(inside / self.samples.totals)


def _fewest(cells: _Cells, order: np.ndarray, share: float, needed: int, best: int | None) -> int:
    """How many of the ordered voxels are needed until enough samples are covered, by bisection.

    With a number to beat, that number where it isn't beaten, and to a thousandth where it is.
    """

    def enough(count: int) -> bool:
        return int(np.count_nonzero(cells.covered(order[:count]) >= share)) >= needed

    lower, upper = max(int(np.count_nonzero(cells.first)), 1), len(order)
    step = 1
    if best is not None:
        if best <= lower or not enough(best - 1):
            return best
        upper, step = best - 1, best // 1000 + 1
    elif not enough(upper):
        most = float(np.sort(cells.covered(order))[::-1][needed - 1])
        raise InputError(
            "share to cover",
            expected=f"at most {most:.4f}, what the whole brain without ventricles and barriers holds that surely",
            got=f"{share:g}",
            advice="ask for less, or for less certainty",
        )
    while upper - lower >= step:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if enough(middle) else (middle + 1, upper)
    return upper


def smoothed_target(
    target: np.ndarray, sigma_mm: float, *, gtv: np.ndarray, within: np.ndarray, grid: Grid
) -> np.ndarray:
    """The same number of voxels with a smoother surface: those of highest Gaussian-smoothed membership.

    What of the GTV was inside stays inside.

    Args:
        target: bool, shape of the grid, within the region.
        sigma_mm: standard deviation of the Gaussian [mm], 0 < sigma <= 10; 2 mm rounds off what no beam can follow.
        gtv: bool, shape of the grid.
        within: bool, shape of the grid, where the target may lie.
        grid: where all of them lie.

    Raises:
        InputError: if the width is none or a shape doesn't fit.
    """
    _require_masks(gtv, within, grid)
    require_mask(target, grid, "target")
    require_smoothing(sigma_mm)
    count = int(np.count_nonzero(target))
    require_room("target", count, int(np.count_nonzero(within | gtv)))
    membership = ndimage.gaussian_filter(target.astype(np.float32), [sigma_mm / h for h in grid.spacing])
    return _with_gtv(membership, count, gtv & target, within | target, grid)


def _with_gtv(values: np.ndarray, count: int, gtv: np.ndarray, region: np.ndarray, grid: Grid) -> np.ndarray:
    """The GTV and the voxels of highest value beside it, `count` in all."""
    chosen = gtv.copy()
    missing = count - int(np.count_nonzero(gtv))
    if missing > 0:
        near = gtv if gtv.any() else region
        chosen |= highest(values, missing, within=region & ~gtv, near=near, grid=grid)
    return chosen


def _require_masks(gtv: np.ndarray, within: np.ndarray, grid: Grid) -> None:
    require_mask(gtv, grid, "gross tumor volume")
    require_mask(within, grid, "region to stay within")


#: Gaussians wider than this make balls of targets [mm].
_WIDEST_SMOOTHING_MM = 10.0


def require_smoothing(sigma_mm: float) -> None:
    """Raise InputError unless 0 < sigma <= 10 mm."""
    if not 0 < sigma_mm <= _WIDEST_SMOOTHING_MM:  # also true for nan
        raise InputError(
            "smoothing",
            expected=f"a length in (0, {_WIDEST_SMOOTHING_MM:g}] mm",
            got=f"{sigma_mm:g} mm",
            advice="use 2 mm",
        )


def require_share(subject: str, value: float) -> None:
    """Raise InputError unless a share or a probability lies in (0, 1)."""
    if not 0 < value < 1:  # also true for nan
        raise InputError(subject, expected="a number in (0, 1)", got=f"{value:g}", advice="give a fraction")
