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
therefore a composite one, in which a voxel counts w <= 1. Once a fit has left residuals, w follows from how they are
correlated (`gliocast.observation.tempering`) and delta is the one of highest likelihood, for each outline by itself;
before that, and on demand, the voxel terms of an outline are averaged over its observed volume and multiplied by a
stated effective number of observations. `sample` draws the correlated errors, and validation/coverage.py checks that
intervals computed with the one cover truths observed with the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.special import logit

from gliocast.core import UNIT_INTERVAL, Density, Grid, InputError, LabelMap, Parameter, block_mean
from gliocast.core.box import Box, bounding_box
from gliocast.core.volume import require_shape
from gliocast.observation.displacement import displacement_of
from gliocast.observation.rater import LabelErrors, draw_within_reach
from gliocast.observation.surface import Surface
from gliocast.observation.tempering import Tempering, require_residuals, require_tempering, weight_of_scan
from gliocast.observation.visibility import (
    best_missed,
    distance_map,
    labeled_share,
    logits_of,
    outline_log_likelihood,
    stabilize,
    visibility,
)

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

#: Radius of the outline that the effective number of observations is stated for [mm]. It grows with the square root of
#: the radius: with one number for all, small cores outweigh the whole tumor; with the radius itself it is the reverse.
_REFERENCE_RADIUS_MM = 15.0

#: How far around the observed tumor `features` looks [mm]; what a model shows beyond it counts in `log_likelihood`.
_WINDOW_MARGIN_MM = 30.0

#: Widths that outlines may turn out to have [mm]; the factor by which one look may change the width, and how many
#: widths it compares [1].
_NARROWEST_MM, _WIDEST_MM, _WIDENING, _NUM_WIDTHS = 0.05, 3.0, 4.0, 17


@dataclass(frozen=True, eq=False)
class OutlineLikelihood:
    """Likelihood of the core and whole-tumor outlines; an ObservationModel.

    Args:
        core: share of each voxel inside the core outline, in [0, 1], shape of the grid.
        whole: the same for the whole-tumor outline.
        grid: where they and the density lie.
        errors: how outlines err.
        tempering: what a voxel counts. "residuals": what the correlation of residuals leaves it, once `tempered` has
            seen them, and until then as "stated": what `errors.effective_observations` says. "independent": once, as
            in the dissertation.
        weights: what one voxel of each outline counts [1], by outline ("core", "whole"), where it is known.
        widths: width delta of each outline's step [mm], where it is known; `errors.width_mm` otherwise.
        displacements: of the errors that `sample` draws, standard deviation and correlation length [mm] by outline,
            where they are known; those of `errors` otherwise.
    """

    core: np.ndarray
    whole: np.ndarray
    grid: Grid
    errors: LabelErrors = field(default_factory=LabelErrors)
    tempering: Tempering = "residuals"
    weights: Mapping[str, float] | None = None
    widths: Mapping[str, float] | None = None
    displacements: Mapping[str, tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        require_tempering(self.tempering)
        require_shape(self.core, self.grid, "core outline")
        require_shape(self.whole, self.grid, "whole-tumor outline")
        if not self.whole.any():
            raise InputError("segmentation", expected="a tumor", got="only background", advice="segment it first")

    @classmethod
    def from_labels(
        cls,
        labels: LabelMap,
        factors: tuple[int, int, int] = (1, 1, 1),
        errors: LabelErrors | None = None,
        tempering: Tempering = "residuals",
    ) -> "OutlineLikelihood":
        """Outlines of a segmentation, averaged over blocks of `factors` voxels (padded like the anatomy)."""
        pad = [(0, -n % f) for n, f in zip(labels.grid.shape, factors, strict=True)]
        upper = tuple(n + after for n, (_, after) in zip(labels.grid.shape, pad, strict=True))
        core, whole = (block_mean(np.pad(mask, pad), factors) for mask in (labels.core, labels.whole))
        grid = labels.grid.crop((0, 0, 0), upper).coarsen(factors)
        return cls(core, whole, grid, errors or LabelErrors(), tempering)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Visibility thresholds on T1c and FLAIR; T1c is left out where there is no core."""
        return (CORE_THRESHOLD, WHOLE_THRESHOLD) if self.core.any() else (WHOLE_THRESHOLD,)

    @property
    def observed(self) -> np.ndarray:
        """Shares of each voxel inside core and whole-tumor outline, (2, x, y, z)."""
        return np.stack([self.core, self.whole])

    def surfaces(self, tissue: np.ndarray) -> tuple[Surface, ...]:
        """Of the outlines inside tissue (bool, shape of the grid), one for each of the `parameters`."""
        masks = (self.core, self.whole)[-len(self.parameters) :]
        return tuple(Surface.of(mask, tissue) for mask in masks)

    def log_likelihood(self, density: Density, values: np.ndarray) -> float:
        """Composite log-likelihood of the outlines given the density and thresholds [1]."""
        self.grid.require_same(density.grid, "density")
        thresholds = self._thresholds(values)
        if "core" in thresholds and thresholds["core"] <= thresholds["whole"]:
            return -np.inf  # T1c never shows less dense tumor than FLAIR
        logits, e, total = logits_of(density.data), self.errors, 0.0
        for name, threshold in thresholds.items():
            labeled, level, weight = getattr(self, name), logit(threshold), self.voxel_weights[name]
            visible, label, unseen = visibility(logits, labeled, level, self.step_widths[name], self.grid.spacing)
            total += outline_log_likelihood(visible, label, unseen, e.false, e.missed, weight)
        return total

    def features(self, density: Density, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Variance-stabilized predictions and standardized residuals, both (num_features,), float32.

        .. math:: \phi = \sqrt{w}\; 2 \arcsin \sqrt{p}, \qquad z = \sqrt{w}\; \frac{y - p}{\sqrt{p (1 - p)}}

        for the voxels of a window around the observed tumor, outline after outline, with w what a voxel counts. Since
        d phi / dp = sqrt(w / p(1 - p)), sum z d phi is the score and sum d phi^2 the Fisher information. The miss rate
        m follows the parameters; its Beta prior is that of a + b - 2 earlier observations of which the share
        (a - 1) / (a + b - 2) was missed, and enters as the last feature of each outline.
        """
        self.grid.require_same(density.grid, "density")
        logits, e, window = logits_of(density.data), self.errors, self.window
        thresholds = self._thresholds(values)
        size = window.num_voxels
        phi, z = (np.empty((len(thresholds), size + 1), dtype=np.float32) for _ in range(2))
        earlier = sum(e.missed) - 2
        for row, (name, threshold) in enumerate(thresholds.items()):
            labeled, weight, level = getattr(self, name), self.voxel_weights[name], logit(threshold)
            width = self.step_widths[name]
            visible, label, _ = visibility(logits, labeled, level, width, self.grid.spacing)
            missed = best_missed(visible, label, e.false, e.missed, weight)
            share = labeled_share(logits, window.lower, window.upper, level, width, self.grid.spacing, e.false, missed)
            stabilize(share.ravel(), labeled[window.slices].ravel(), weight, phi[row, :size], z[row, :size])
            believed = np.array([(e.missed[0] - 1) / earlier])
            stabilize(np.array([missed]), believed, earlier, phi[row, size:], z[row, size:])
        return phi.ravel(), z.ravel()

    @property
    def num_features(self) -> int:
        """How many `features` there are."""
        return len(self.parameters) * (self.window.num_voxels + 1)

    @property
    def weighs_by_residuals(self) -> bool:
        """Whether voxels are to count what `tempered` finds."""
        return self.tempering == "residuals"

    def sharpened(self, density: Density, values: np.ndarray) -> "OutlineLikelihood":
        """The same outlines, each with the width of its step that makes it most likely, as if voxels were independent.

        A width too large makes an exact outline vague, one too small takes the errors of a poor one for information: a
        rater's outlines lie within a millimeter of the front that fits best, those of a threshold within a tenth. One
        look changes a width by a factor of `_WIDENING` at most, since it sees a front that was fitted with the old one.

        Args:
            density: the best known.
            values: of the parameters, likewise.
        """
        if not self.weighs_by_residuals:
            return self
        logits, e, widths = logits_of(density.data), self.errors, {}
        for name, threshold in self._thresholds(values).items():
            labeled, level, heights = getattr(self, name), logit(threshold), []
            candidates = self.step_widths[name] * _WIDENING ** np.linspace(-1, 1, _NUM_WIDTHS)
            candidates = candidates.clip(_NARROWEST_MM, _WIDEST_MM)
            for width in candidates:
                visible, label, unseen = visibility(logits, labeled, level, width, self.grid.spacing)
                heights.append(outline_log_likelihood(visible, label, unseen, e.false, e.missed, 1.0))
            widths[name] = float(candidates[int(np.argmax(heights))])
        return replace(self, widths=widths)

    def counting_once(self) -> "OutlineLikelihood":
        """The same outlines with every voxel counting once; those whose weights were stated keep them."""
        return replace(self, weights=dict.fromkeys(self.voxel_weights, 1.0)) if self.weighs_by_residuals else self

    def displaced(self, density: Density, values: np.ndarray) -> "OutlineLikelihood":
        """The same with errors to `sample` as large as those of the outlines at a fit, the model's own included.

        The likelihood stays as it is. See `gliocast.observation.displacement`.

        Args:
            density: that fits best.
            values: of the parameters, likewise.
        """
        logits, found = logits_of(density.data), {}
        for name, threshold in self._thresholds(values).items():
            distance = distance_map(logits, logit(threshold), self.grid.spacing)
            displacement = displacement_of(getattr(self, name), distance, self.grid.spacing)
            if displacement is not None:
                found[name] = displacement
        return replace(self, displacements=found)

    def tempered(
        self, jacobian: np.ndarray, residuals: np.ndarray, covariance: np.ndarray
    ) -> tuple["OutlineLikelihood", float]:
        """The same with voxels that count what correlated residuals leave them, and what all of them are worth."""
        require_residuals(self.tempering)
        voxels, parts = np.ones(np.subtract(self.window.upper, self.window.lower), bool), len(self.parameters)
        rows = zip(
            self.voxel_weights.items(), np.split(jacobian, parts, axis=1), np.split(residuals, parts), strict=True
        )
        weights, effective = {}, 0.0
        for (name, weight), slopes, z in rows:  # the last feature of each is the prior of m
            weights[name], worth = weight_of_scan(
                slopes, z, covariance, voxels=voxels, spacing=self.grid.spacing, weight=weight
            )
            effective += worth
        return replace(self, weights=weights), effective

    @cached_property
    def window(self) -> Box:
        """The part of the grid that `features` looks at: the observed tumor and what lies around it."""
        x, y, z = (int(np.ceil(_WINDOW_MARGIN_MM / h)) for h in self.grid.spacing)
        return bounding_box(self.whole > 0).grown((x, y, z), self.grid.shape)

    @cached_property
    def step_widths(self) -> dict[str, float]:
        """Width of each outline's step from invisible to visible [mm]."""
        return dict(self.widths or dict.fromkeys(("core", "whole"), self.errors.width_mm))

    @cached_property
    def voxel_weights(self) -> dict[str, float]:
        """What one voxel term of each outline counts [1]."""
        names = ("core", "whole") if self.core.any() else ("whole",)
        if self.tempering == "independent":
            return dict.fromkeys(names, 1.0)
        return dict(self.weights or {name: self._stated_weight(getattr(self, name)) for name in names})

    def sample(self, density: Density, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Outlines as a rater might have drawn them: (2, x, y, z) bool, core and whole.

        One smooth Gaussian field per outline displaces it by millimeters, here outward and there inward.
        """
        self.grid.require_same(density.grid, "density")
        core_threshold = float(values[0]) if len(values) == 2 else None
        return draw_within_reach(density, core_threshold, float(values[-1]), self._drawn_errors, generator)

    @cached_property
    def _drawn_errors(self) -> tuple[LabelErrors, LabelErrors]:
        """How drawn outlines err, core and whole."""
        usual = (self.errors.displacement_mm, self.errors.correlation_mm)
        known = self.displacements or {}
        core, whole = (
            replace(self.errors, displacement_mm=deviation, correlation_mm=length)
            for deviation, length in (known.get(name, usual) for name in ("core", "whole"))
        )
        return core, whole

    def _thresholds(self, values: np.ndarray) -> dict[str, float]:
        """Threshold by outline, in the order of the parameters."""
        return dict(zip(("core", "whole")[-len(self.parameters) :], map(float, values), strict=True))

    def _stated_weight(self, labeled: np.ndarray) -> float:
        """What one voxel term of an outline counts: effective observations per observed voxel."""
        voxels = float(labeled.sum())
        radius = (3 * voxels * self.grid.voxel_volume / (4 * np.pi)) ** (1 / 3)
        return float(self.errors.effective_observations * np.sqrt(radius / _REFERENCE_RADIUS_MM) / voxels)
