r"""Densities that a first visit suggests, for growth to go on from.

From a segmentation: the logit of a front falls linearly with the distance traveled through it, and takes the
thresholds' logits on the two outlines. With d the signed distance to an outline, positive inside,

.. math::
    \mathrm{logit}\,u = \begin{cases}
        \mathrm{logit}\,c_\mathrm{T1c} + s\, d_\mathrm{T1c} & \text{inside the core} \\
        \mathrm{logit}\,c_\mathrm{FLAIR} + d_\mathrm{FLAIR} / \lambda & \text{outside the whole tumor} \\
        (1 - a)\, \mathrm{logit}\,c_\mathrm{FLAIR} + a\, \mathrm{logit}\,c_\mathrm{T1c}, \;
            a = \dfrac{d_\mathrm{FLAIR}}{d_\mathrm{FLAIR} - d_\mathrm{T1c}} & \text{between them}
    \end{cases}

where the slope s is the difference of the thresholds' logits over the mean distance of the outlines, and lambda the
length over which cells infiltrate tissue that looks healthy. No outline tells lambda, and with the slope s throughout
(that of the flank, which is half as steep as the tail) far too many cells lay ahead. In a front lambda is in proportion
to sqrt(D_w / rho), which `FrontFromOutlines` takes, so that calibration makes start and growth agree. Distances are
straight lines; ventricles between the tumor and a voxel aren't walked around. There are no cells outside tissue.

From diffusion MRI: cells hinder water, so density is taken as inversely proportional to the apparent diffusion
coefficient (ADC) inside the T2 outline and as zero outside (Ezhov, dissertation (2023), Chapter 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.special import expit, logit

from gliocast.core import (
    POSITIVE,
    Anatomy,
    Density,
    Forward,
    Grid,
    InputError,
    LabelMap,
    OutsideTissueError,
    Parameter,
    Volume,
    bounding_box,
)
from gliocast.core.box import Box
from gliocast.core.volume import require_mask, require_shape
from gliocast.observation.mri import CORE_THRESHOLD, WHOLE_THRESHOLD
from gliocast.problem.shape import coarsened, equivalent_radius

TAIL_LENGTH = Parameter(
    name="tail_length",
    symbol="lambda",
    unit="mm",
    support=POSITIVE,
    typical=(1.0, 8.0),
    source="of the order of sqrt(D_w / rho), D_w of 0.02 to 1.5 mm^2/d and rho of 0.002 to 0.2 /d",
)

#: Tail length lambda over sqrt(D_w / rho) [1]. Far ahead of a front it is one, on its flank
#: two; of balls grown with sqrt(D_w / rho) from 0.7 to 2.2 mm, seen on two visits, 1.4 to 1.7 explains the second best
#: and gives volumes of the third within 10 % in the mean. With one, diffusivity came out up to 40 % too high.
_AHEAD = 1.45

#: Outlines are at least this far apart on average [mm], and thresholds in logits [1]: no front is steeper than voxels
#: can show, none rises outward.
_MIN_GAP_MM, _MIN_RISE = 1.0, 0.1

#: Densities below this are taken as no cells [1], so that growth begins in a box around the tumor.
_FAINT = 1e-4

#: Percentiles of 1/ADC inside the outline that become no cells and a full voxel [%]: single voxels, in fluid or
#: calcified, don't set the scale.
_ADC_PERCENTILES = (2.0, 98.0)

#: Share of the outline's voxels that must have an ADC [1].
_MIN_ADC_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class OutlineStart:
    """A density through the two outlines of a segmentation; a Start that depends on the thresholds.

    Args:
        core_distance: signed distance to the core's outline, positive inside [mm], shape of the grid; None without a
            core.
        whole_distance: the same of the whole tumor.
        gap_mm: mean distance of the two outlines [mm].
        grid: where they lie.
    """

    core_distance: np.ndarray | None
    whole_distance: np.ndarray
    gap_mm: float
    grid: Grid

    def __post_init__(self) -> None:
        require_shape(self.whole_distance, self.grid, "distance to the whole tumor's outline")
        if self.core_distance is not None:
            require_shape(self.core_distance, self.grid, "distance to the core's outline")

    @classmethod
    def from_labels(cls, labels: LabelMap, factors: tuple[int, int, int] = (1, 1, 1)) -> "OutlineStart":
        """Distances to the outlines of a segmentation, averaged over blocks of `factors` voxels.

        Raises:
            InputError: no tumor, or one that fills the image.
        """
        if not labels.whole.any() or labels.whole.all():
            raise InputError(
                "segmentation of the first visit", expected="a tumor", got="none", advice="segment it first"
            )
        spacing = labels.grid.spacing
        whole = coarsened(_signed_distance(labels.whole, spacing), factors)
        core = coarsened(_signed_distance(labels.core, spacing), factors) if labels.core.any() else None
        gap = equivalent_radius(labels.whole, labels.grid) - equivalent_radius(labels.core, labels.grid)
        upper = tuple(n + -n % f for n, f in zip(labels.grid.shape, factors, strict=True))
        return cls(core, whole, max(gap, _MIN_GAP_MM), labels.grid.crop((0, 0, 0), upper).coarsen(factors))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Tail length [mm], visibility thresholds on T1c and FLAIR; T1c is left out where there is no core."""
        thresholds = (WHOLE_THRESHOLD,) if self.core_distance is None else (CORE_THRESHOLD, WHOLE_THRESHOLD)
        return (TAIL_LENGTH, *thresholds)

    def require_grid(self, grid: Grid) -> None:
        """Raise InputError unless this is the segmentation's grid."""
        grid.require_same(self.grid, "first visit")

    def width_mm(self, grid: Grid) -> float:
        """A voxel."""
        return min(grid.spacing)

    def cells(self, values: Any, grid: Grid, tissue: np.ndarray) -> tuple[np.ndarray, Box]:
        """The density inside tissue; see `gliocast.growth.Start`."""
        window = self.grid.locate(grid, "first visit").slices
        data = np.where(tissue, expit(self._logits(np.asarray(values, dtype=float), window)), 0)
        data[data < _FAINT] = 0
        if not data.any():
            raise OutsideTissueError(
                "first visit", expected="a tumor in white or gray matter", got="none", advice="check its place"
            )
        box = bounding_box(data > 0)
        return data[box.slices], box

    def density(self, values: np.ndarray, tissue: np.ndarray) -> Density:
        """The same on the whole grid, on day zero."""
        cells, box = self.cells(values, self.grid, tissue)
        data = np.zeros(self.grid.shape, dtype=np.float32)
        data[box.slices] = cells
        return Density(data, self.grid, 0.0)

    def _logits(self, values: np.ndarray, window: tuple[slice, ...]) -> np.ndarray:
        length, thresholds = values[0], values[1:]
        levels = logit(thresholds)
        outer = self.whole_distance[window].astype(float)
        inside, outside = np.clip(outer, 0, None), np.clip(outer, None, 0)
        if self.core_distance is None:
            return levels[0] + outer / length
        inner = np.minimum(self.core_distance[window], outer)  # the core lies in the whole tumor, coarsening or not
        rise = max(levels[0] - levels[1], _MIN_RISE)  # OutlineLikelihood refuses thresholds in the wrong order
        share = inside / np.maximum(inside - np.clip(inner, None, 0), 1e-6)
        between = levels[1] + np.minimum(share, 1) * rise
        return between + np.clip(inner, 0, None) * rise / self.gap_mm + outside / length


@dataclass(frozen=True)
class FrontFromOutlines:
    """A Forward that begins with outlines and the tail of its own front; itself a Forward.

    Args:
        forward: starts with an `OutlineStart`; diffusivity and rate are its first two parameters.
    """

    forward: Forward

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The forward's without the tail length."""
        return tuple(p for p in self.forward.parameters if p.name != TAIL_LENGTH.name)

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Density on the given days after the outlines were seen."""
        own = dict(zip((p.name for p in self.parameters), map(float, values), strict=True))
        first, second = (p.name for p in self.forward.parameters[:2])
        own[TAIL_LENGTH.name] = _AHEAD * float(np.sqrt(own[first] / own[second]))
        return self.forward([own[p.name] for p in self.forward.parameters], anatomy, days=days)


def density_from_adc(adc: Volume, outline: np.ndarray) -> Density:
    r"""Density of a first visit from its diffusion MRI.

    .. math:: u = \frac{1/\mathrm{ADC} - 1/\mathrm{ADC}_\mathrm{high}}{1/\mathrm{ADC}_\mathrm{low} -
              1/\mathrm{ADC}_\mathrm{high}}

    cut to [0, 1], with the 2nd and 98th percentile of 1/ADC inside the outline for the two ends. The source says no
    more than "inversely proportional"; without an offset free water would hold a fifth of the cells of the densest
    tumor. Necrosis is bright on ADC and comes out empty; the source warns of it, too.

    Args:
        adc: apparent diffusion coefficient, any unit; voxels that aren't positive have none and take the median.
        outline: of the T2 (or FLAIR) abnormality, bool, shape of the grid.

    Raises:
        InputError: an empty outline, less than half of it with an ADC, or the same ADC everywhere.
    """
    require_mask(outline, adc.grid, "outline")
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / adc.data[outline].astype(float)
    known = np.isfinite(inverse) & (inverse > 0)
    if known.sum() < max(_MIN_ADC_SHARE * inverse.size, 2):
        raise InputError(
            "ADC",
            expected="positive values in most of the outline",
            got=f"{known.sum()} of {inverse.size}",
            advice="check that ADC and segmentation lie on each other",
        )
    low, high = np.percentile(inverse[known], _ADC_PERCENTILES)
    if not high > low:
        raise InputError("ADC", expected="values that differ", got="one", advice="check the diffusion scan")
    inverse[~known] = np.median(inverse[known])
    data = np.zeros(adc.grid.shape, dtype=np.float32)
    data[outline] = np.clip((inverse - low) / (high - low), 0, 1)
    return Density(data, adc.grid, 0.0)


def _signed_distance(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Distance of voxel centers to the mask's outline, positive inside [mm].

    The distance transform measures to voxel centers on the other side, half a voxel beyond the outline.
    """
    inside, outside = (ndimage.distance_transform_edt(part, sampling=spacing) for part in (mask, ~mask))
    half = float(np.mean(spacing)) / 2
    return np.where(mask, inside - half, half - outside)
