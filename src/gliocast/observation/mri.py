r"""Tumor outlines on MRI as an observation of cell density.

T1c shows the tumor core and FLAIR the whole tumor, each where the density exceeds a visibility threshold c. A voxel is
visible with probability

.. math:: v(u) = \frac{1}{1 + \exp(-(\mathrm{logit}\,u - \mathrm{logit}\,c) / w)}

and labeled with probability  f + (1 - f - m) v:  a share m of visible voxels is missed (outlines have holes, vessels,
sulci in them), a share f of invisible ones is labeled. This is the Bernoulli likelihood of Ezhov's dissertation
(Eqs. 5-6) with two departures: the logistic in logit u has no flat top at c and vanishes exactly without cells, and
the label errors bound what a voxel that no parameter can explain may cost.

Errors of an outline are correlated over millimeters, so voxels are not independent observations. The log-likelihood is
therefore a composite one: the voxel terms of each outline are averaged over its observed volume and multiplied by an
effective number of independent observations, the same for both outlines. `sample` draws the correlated errors, and
validation/coverage.py checks that intervals computed with the one cover truths observed with the other.
"""

from dataclasses import dataclass

import numba
import numpy as np
from scipy import ndimage

from gliocast.core import UNIT_INTERVAL, Grid, InputError, LabelMap, Parameter, block_mean

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

#: Density below which a voxel is taken as free of tumor cells [1].
_EMPTY = 1e-5


@dataclass(frozen=True)
class LabelErrors:
    """How outlines err.

    Args:
        missed: probability m that a visible voxel isn't labeled [1].
        false: probability f that an invisible voxel is labeled [1].
        softness: width w of the step from invisible to visible, in logits of density [1].
        effective_observations: independent observations that one outline is worth [1].
        displacement: standard deviation of the correlated error that `sample` draws, in logits of density [1].
        correlation_mm: length over which that error is correlated [mm].
    """

    missed: float = 0.3
    false: float = 0.05
    softness: float = 0.18
    effective_observations: float = 100.0
    displacement: float = 0.5
    correlation_mm: float = 6.0


@numba.njit(nogil=True, cache=True)
def _outline_log_likelihood(density, labeled, threshold, missed, false, softness):  # type: ignore[no-untyped-def]
    """Sum over voxels of  log p(label | density) - log p(no label | no cells)."""
    nothing = np.log(1 - false)
    labeled_nothing = np.log(false)
    labeled_all, all_missed = np.log(1 - missed), np.log(missed)
    odds, far = threshold / (1 - threshold), 1e6**softness
    total = 0.0
    u_flat, y_flat = density.ravel(), labeled.ravel()
    for n in range(u_flat.size):
        u, y = u_flat[n], y_flat[n]
        if u < _EMPTY:
            if y > 0:
                total += y * (labeled_nothing - nothing)
            continue
        u = min(u, 1 - 1e-6)
        ratio = odds * (1 - u) / u
        if ratio > far:  # most voxels lie far from the threshold, where neither power nor logarithm is needed
            total += y * (labeled_nothing - nothing)
            continue
        if ratio * far < 1:
            total += y * labeled_all + (1 - y) * all_missed - nothing
            continue
        visible = 1 / (1 + ratio ** (1 / softness))
        p = false + (1 - false - missed) * visible
        total += y * np.log(p) + (1 - y) * np.log(1 - p) - nothing
    return total


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
    errors: LabelErrors = LabelErrors()

    def __post_init__(self) -> None:
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

    def log_likelihood(self, density: np.ndarray, values: np.ndarray) -> float:
        """Composite log-likelihood of the outlines given density (shape of the grid) and thresholds [1]."""
        thresholds = dict(zip((parameter.name for parameter in self.parameters), values, strict=True))
        if "t1c_threshold" in thresholds and thresholds["t1c_threshold"] <= thresholds["flair_threshold"]:
            return -np.inf  # T1c never shows less dense tumor than FLAIR
        e, total = self.errors, 0.0
        for name, labeled in (("t1c_threshold", self.core), ("flair_threshold", self.whole)):
            if name in thresholds:
                terms = _outline_log_likelihood(density, labeled, thresholds[name], e.missed, e.false, e.softness)
                total += e.effective_observations * terms / float(labeled.sum())
        return total

    def sample(self, density: np.ndarray, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Outlines as a rater might have drawn them: (2, x, y, z) bool, core and whole.

        One smooth Gaussian field per outline, in logits of density, moves the threshold from place to place.
        """
        core_threshold, whole_threshold = (values[0], values[-1]) if len(values) == 2 else (1.0, values[0])
        logit = np.log(np.maximum(density, _EMPTY)) - np.log1p(-np.minimum(density, 1 - 1e-6))
        outlines = []
        for threshold in (core_threshold, whole_threshold):
            error = self.errors.displacement * self._smooth_field(density.shape, generator)
            cut = np.inf if threshold >= 1 else np.log(threshold / (1 - threshold))
            outlines.append((logit + error > cut) & (density > _EMPTY))
        outlines[0] &= outlines[1]
        return np.stack(outlines)

    def _smooth_field(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        """Gaussian random field of unit variance, correlated over `correlation_mm`."""
        widths = [self.errors.correlation_mm / 2 / h for h in self.grid.spacing]
        field = ndimage.gaussian_filter(generator.standard_normal(shape, dtype=np.float32), widths, mode="wrap")
        return field / field.std()


def outline_dice(density: np.ndarray, threshold: float, outline: np.ndarray) -> float:
    """Dice overlap of {density > threshold} with an outline (bool, same shape); 1 where both are empty."""
    shown = density > threshold
    total = int(shown.sum() + outline.sum())
    return 2 * int((shown & outline).sum()) / total if total else 1.0
