r"""Tumor outlines on MRI as an observation of cell density.

T1c shows the tumor core and FLAIR the whole tumor, each where the density u exceeds a visibility threshold c. Outlines
err by millimeters, wherever they were drawn, so visibility is a function of the signed distance to the outline {u = c},

.. math:: d(x) = \frac{\mathrm{logit}\,u - \mathrm{logit}\,c}{|\nabla\,\mathrm{logit}\,u|}, \qquad
          v = \frac{1}{1 + \exp(-d/\delta)}

(in the flank of a Fisher-Kolmogorov front, logit u is a linear function of position, so d is exact there). A voxel is
labeled with probability  f + (1 - f - m) v:  a share m of visible voxels is missed, because outlines have holes,
vessels and sulci in them; a share f of invisible ones is labeled.

This is the Bernoulli likelihood of Ezhov's dissertation (Eqs. 5-6) with three departures. Its width is a length and not
a density: a width in density, or in logits, would let the sharpness of the outlines inform the width of the front, of
which outlines know nothing (in tests it biased sqrt(D_w T) by up to 40 %). It has no flat top at c. And the label
errors bound what a voxel that no parameter can explain may cost; m is the one of highest posterior density for the
outline at hand, because a careful outline has almost none and a fragmented core a third.

Errors of an outline are correlated over millimeters, so voxels are not independent observations. The log-likelihood is
therefore a composite one: the voxel terms of each outline are averaged over its observed volume and multiplied by an
effective number of independent observations. `sample` draws the correlated errors, and validation/coverage.py checks
that intervals computed with the one cover truths observed with the other.
"""

from dataclasses import dataclass, field

import numba
import numpy as np
from scipy import ndimage

from gliocast.core import UNIT_INTERVAL, Density, Grid, InputError, LabelMap, Parameter, block_mean
from gliocast.core.volume import require_shape

CORE_THRESHOLD = Parameter(
    name="t1c_threshold",
    symbol="c_T1c",
    unit="1",
    support=UNIT_INTERVAL,
    typical=(0.5, 0.85),
    source="range used for T1c outlines since Swanson et al. (2000) and Lipkova et al. (2019)",
)
WHOLE_THRESHOLD = Parameter(
    name="flair_threshold",
    symbol="c_FLAIR",
    unit="1",
    support=UNIT_INTERVAL,
    typical=(0.05, 0.5),
    source="range used for FLAIR outlines since Swanson et al. (2000) and Lipkova et al. (2019)",
)

#: Density below which a voxel is taken as free of tumor cells [1], and its mark in logits.
_EMPTY, _NO_CELLS = 1e-5, -99.0

#: Flattest slope of logit u that a distance is computed with [1/mm]: the plateau inside a tumor has no outline.
_FLATTEST = 0.05

#: Distances beyond this many widths need neither exponential nor logarithm [1].
_FAR = 12.0

#: Radius of the outline that the effective number of observations is stated for [mm]. It grows with the square root of
#: the radius: with one number for all, small cores outweigh the whole tumor; with the radius itself it is the reverse.
_REFERENCE_RADIUS_MM = 15.0

#: The search for m begins here, stays below the limit and ends with steps shorter than the tolerance [1].
_MISSED_START, _MISSED_LIMIT, _MISSED_TOLERANCE = 0.2, 0.9, 1e-5


@dataclass(frozen=True)
class LabelErrors:
    """How outlines err.

    Args:
        missed: parameters (a, b) of the Beta prior of the probability m that a visible voxel isn't labeled [1].
        false: probability f that an invisible voxel is labeled [1].
        width_mm: width delta of the step from invisible to visible [mm].
        effective_observations: independent observations that an outline of 15 mm radius is worth [1].
        displacement_mm: standard deviation of the correlated error that `sample` draws [mm].
        correlation_mm: length over which that error is correlated [mm].
    """

    missed: tuple[float, float] = (2.0, 4.0)
    false: float = 0.05
    width_mm: float = 0.6
    effective_observations: float = 40.0
    displacement_mm: float = 1.2
    correlation_mm: float = 6.0

    def __post_init__(self) -> None:
        lengths = (self.width_mm, self.effective_observations, self.displacement_mm, self.correlation_mm)
        # 1 - false - missed stays positive up to the largest miss rate that is tried
        if not (0 < self.false < 1 - _MISSED_LIMIT and min(lengths) > 0 and min(self.missed) > 1):
            raise InputError(
                "label errors",
                expected=f"false in (0, {1 - _MISSED_LIMIT:.1f}), positive lengths and counts, a and b above 1",
                got=f"{self}",
                advice="begin with the defaults",
            )


@numba.njit(nogil=True, cache=True)
def _logits(density):  # type: ignore[no-untyped-def]
    """Logit of the density, `_NO_CELLS` where there are none."""
    logits = np.empty(density.shape, np.float32)
    flat, u = logits.reshape(-1), density.reshape(-1)
    for n in range(flat.size):
        v = min(u[n], np.float32(1 - 1e-6))
        flat[n] = np.log(v / (1 - v)) if v > _EMPTY else _NO_CELLS
    return logits


@numba.njit(nogil=True, cache=True, inline="always")
def _slope2(here, before, after, step):  # type: ignore[no-untyped-def]
    """Squared derivative along one axis, from the neighbors that hold cells."""
    rise, spans = 0.0, 0
    if before != _NO_CELLS:
        rise += here - before
        spans += 1
    if after != _NO_CELLS:
        rise += after - here
        spans += 1
    return (rise / (spans * step)) ** 2 if spans else 0.0


@numba.njit(nogil=True, cache=True, inline="always")
def _distance(logits, i, j, k, level, spacing):  # type: ignore[no-untyped-def]
    """Signed distance from a voxel with cells to the outline at `level` [mm], positive inside."""
    nx, ny, nz = logits.shape
    here = logits[i, j, k]
    slope2 = _slope2(
        here,
        logits[i - 1, j, k] if i > 0 else _NO_CELLS,
        logits[i + 1, j, k] if i + 1 < nx else _NO_CELLS,
        spacing[0],
    )
    slope2 += _slope2(
        here,
        logits[i, j - 1, k] if j > 0 else _NO_CELLS,
        logits[i, j + 1, k] if j + 1 < ny else _NO_CELLS,
        spacing[1],
    )
    slope2 += _slope2(
        here,
        logits[i, j, k - 1] if k > 0 else _NO_CELLS,
        logits[i, j, k + 1] if k + 1 < nz else _NO_CELLS,
        spacing[2],
    )
    return (here - level) / max(np.sqrt(slope2), _FLATTEST)


@numba.njit(nogil=True, cache=True)
def _visibility(logits, labeled, level, width, spacing):  # type: ignore[no-untyped-def]
    """Visibility and label of every voxel that may be visible, and the labeled volume of all others [voxels]."""
    visible, label = np.empty(logits.size, np.float32), np.empty(logits.size, np.float32)
    count, unseen = 0, 0.0
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            for k in range(logits.shape[2]):
                x = -np.inf
                if logits[i, j, k] != _NO_CELLS:
                    x = _distance(logits, i, j, k, level, spacing) / width
                if x < -_FAR:
                    unseen += labeled[i, j, k]
                    continue
                visible[count] = 1 / (1 + np.exp(-x)) if x < _FAR else 1.0
                label[count] = labeled[i, j, k]
                count += 1
    return visible[:count], label[:count], unseen


@numba.njit(nogil=True, cache=True)
def _best_missed(visible, label, false, prior, weight):  # type: ignore[no-untyped-def]
    """The miss rate m of highest likelihood times prior: Newton's method on a concave function."""
    a, b = prior[0] - 1, prior[1] - 1
    missed = _MISSED_START
    for _ in range(20):
        slope = (a / missed - b / (1 - missed)) / weight
        curvature = -(a / missed**2 + b / (1 - missed) ** 2) / weight
        for n in range(visible.size):
            v, y = visible[n], label[n]
            p = false + (1 - false - missed) * v
            shown, hidden = y * v / p, (1 - y) * v / (1 - p)
            slope += hidden - shown
            curvature -= shown * v / p + hidden * v / (1 - p)
        step = -slope / curvature
        missed = min(max(missed + step, missed / 4), _MISSED_LIMIT)
        if abs(step) < _MISSED_TOLERANCE:
            break
    return missed


@numba.njit(nogil=True, cache=True)
def _outline_log_likelihood(visible, label, unseen, false, prior, weight):  # type: ignore[no-untyped-def]
    """weight * sum over voxels of [log p(label | density) - log p(no label | no cells)] + log prior, at the best m."""
    missed = _best_missed(visible, label, false, prior, weight)
    nothing = np.log(1 - false)
    total = unseen * (np.log(false) - nothing)
    for n in range(visible.size):
        p = false + (1 - false - missed) * visible[n]
        total += label[n] * np.log(p) + (1 - label[n]) * np.log(1 - p) - nothing
    return weight * total + (prior[0] - 1) * np.log(missed) + (prior[1] - 1) * np.log(1 - missed)


@numba.njit(nogil=True, cache=True)
def _distance_map(logits, level, spacing):  # type: ignore[no-untyped-def]
    """Signed distance of every voxel to the outline at `level` [mm]; -inf without cells."""
    distance = np.full(logits.shape, -np.inf, np.float32)
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            for k in range(logits.shape[2]):
                if logits[i, j, k] != _NO_CELLS:
                    distance[i, j, k] = _distance(logits, i, j, k, level, spacing)
    return distance


@dataclass(frozen=True, eq=False)
class OutlineLikelihood:
    """Likelihood of the core and whole-tumor outlines; an ObservationModel.

    Args:
        core: share of each voxel inside the core outline, in [0, 1], shape of the grid.
        whole: the same for the whole-tumor outline.
        grid: where they and the density lie.
        errors: how outlines err.
    """

    core: np.ndarray
    whole: np.ndarray
    grid: Grid
    errors: LabelErrors = field(default_factory=LabelErrors)

    def __post_init__(self) -> None:
        require_shape(self.core, self.grid, "core outline")
        require_shape(self.whole, self.grid, "whole-tumor outline")
        if not self.whole.any():
            raise InputError("segmentation", expected="a tumor", got="only background", advice="segment it first")

    @classmethod
    def from_labels(
        cls, labels: LabelMap, factors: tuple[int, int, int] = (1, 1, 1), errors: LabelErrors | None = None
    ) -> "OutlineLikelihood":
        """Outlines of a segmentation, averaged over blocks of `factors` voxels (padded like the anatomy)."""
        pad = [(0, -n % f) for n, f in zip(labels.grid.shape, factors, strict=True)]
        upper = tuple(n + after for n, (_, after) in zip(labels.grid.shape, pad, strict=True))
        core, whole = (block_mean(np.pad(mask, pad), factors) for mask in (labels.core, labels.whole))
        return cls(core, whole, labels.grid.crop((0, 0, 0), upper).coarsen(factors), errors or LabelErrors())

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Visibility thresholds on T1c and FLAIR; T1c is left out where there is no core."""
        return (CORE_THRESHOLD, WHOLE_THRESHOLD) if self.core.any() else (WHOLE_THRESHOLD,)

    @property
    def observed(self) -> np.ndarray:
        """Shares of each voxel inside core and whole-tumor outline, (2, x, y, z)."""
        return np.stack([self.core, self.whole])

    def log_likelihood(self, density: Density, values: np.ndarray) -> float:
        """Composite log-likelihood of the outlines given the density and thresholds [1]."""
        self.grid.require_same(density.grid, "density")
        thresholds = dict(zip((parameter.name for parameter in self.parameters), values, strict=True))
        if "t1c_threshold" in thresholds and thresholds["t1c_threshold"] <= thresholds["flair_threshold"]:
            return -np.inf  # T1c never shows less dense tumor than FLAIR
        logits, e, total = _logits(density.data), self.errors, 0.0
        for name, labeled in (("t1c_threshold", self.core), ("flair_threshold", self.whole)):
            if name in thresholds:
                level = _logit(thresholds[name])
                visible, label, unseen = _visibility(logits, labeled, level, e.width_mm, self.grid.spacing)
                total += _outline_log_likelihood(visible, label, unseen, e.false, e.missed, self._weight(labeled))
        return total

    def sample(self, density: Density, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Outlines as a rater might have drawn them: (2, x, y, z) bool, core and whole.

        One smooth Gaussian field per outline displaces it by millimeters, here outward and there inward.
        """
        self.grid.require_same(density.grid, "density")
        core_threshold = float(values[0]) if len(values) == 2 else None
        return draw_outlines(density, core_threshold, float(values[-1]), self.errors, generator)

    def _weight(self, labeled: np.ndarray) -> float:
        """What one voxel term of an outline counts: effective observations per observed voxel."""
        voxels = float(labeled.sum())
        radius = (3 * voxels * self.grid.voxel_volume / (4 * np.pi)) ** (1 / 3)
        return self.errors.effective_observations * np.sqrt(radius / _REFERENCE_RADIUS_MM) / voxels


def draw_outlines(
    density: Density,
    core_threshold: float | None,
    whole_threshold: float,
    errors: LabelErrors,
    generator: np.random.Generator,
) -> np.ndarray:
    """Core and whole-tumor outlines of a density with a rater's correlated errors, (2, x, y, z) bool.

    Args:
        density: what there is.
        core_threshold: density at which T1c shows the core [1]; None draws no core.
        whole_threshold: density at which FLAIR shows the whole tumor [1].
        errors: how far outlines are displaced, and over which length.
        generator: source of randomness.
    """
    logits = _logits(density.data)
    outlines = np.zeros((2, *density.data.shape), dtype=bool)
    for outline, threshold in zip(outlines, (core_threshold, whole_threshold), strict=True):
        if threshold is not None:
            error = errors.displacement_mm * _smooth_field(density.grid, errors.correlation_mm, generator)
            outline[:] = _distance_map(logits, _logit(threshold), density.grid.spacing) + error > 0
    outlines[0] &= outlines[1]
    return outlines


def _smooth_field(grid: Grid, correlation_mm: float, generator: np.random.Generator) -> np.ndarray:
    """Gaussian random field of unit variance on a grid, correlated over a length [mm]."""
    widths = [correlation_mm / 2 / h for h in grid.spacing]
    noise = ndimage.gaussian_filter(generator.standard_normal(grid.shape, dtype=np.float32), widths, mode="wrap")
    return noise / noise.std()


def _logit(share: float) -> float:
    return float(np.log(share) - np.log1p(-share))
