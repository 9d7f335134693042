r"""An outline on MRI as Ezhov's dissertation reads it: visibility as a double logistic function of density.

.. math:: p(y \mid u) = \prod_i \alpha_i^{y_i} (1 - \alpha_i)^{1 - y_i}, \qquad
          \alpha(u) = \tfrac12 + \tfrac12 \, \mathrm{sign}(u - u_c) \, (1 - e^{-(u - u_c)^2 / \sigma_\alpha^2})

The probability of the less likely label is  exp(-x^2) / 2  with  x = (u - u_c) / sigma_alpha, so its logarithm,
-x^2 - ln 2, is taken without exponential and can't underflow.

This is the paper's own likelihood, for comparison and for the problem of eleven parameters. What it says of the width
of the front is an artifact of a threshold that is blurred in density and not in millimeters; `OutlineLikelihood` is the
one to fit patients with, and says why.

Source: Ezhov, dissertation (2023), Chapter 5, Eqs. 5 and 6. Two departures, and a switch back to the paper for each:

- A label costs at most -ln `least_probability`. Outlines have holes, vessels and second foci that no parameter of the
  model explains; at sigma_alpha = 0.05 each such voxel would cost up to 400 nat, and a handful would decide the fit.
  (0 is the paper.)
- Errors of an outline are correlated over millimeters: the log-likelihood is multiplied by the share of voxels that
  count (`tempering`), and `sample` draws a Gaussian field with that correlation and labels where its quantile lies
  below alpha (a Gaussian copula), so that every single voxel is labeled with probability alpha as before.
  ("independent" and 0 mm are the paper.)
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from gliocast.core import POSITIVE, Density, Grid, InputError, Parameter
from gliocast.core.volume import require_shape
from gliocast.observation.brain_scan import BrainScan
from gliocast.observation.correlated import correlated_noise
from gliocast.observation.mri import CORE_THRESHOLD, WHOLE_THRESHOLD
from gliocast.observation.tempering import Tempering

VISIBILITY_WIDTH = Parameter(
    name="visibility_width",
    symbol="sigma_alpha",
    unit="1",
    support=POSITIVE,
    typical=(0.05, 0.08),
    source="prior range of Ezhov, dissertation (2023), Chapter 5, Table II",
)

#: Below this density a voxel counts as free of cells, and all those are one term of the sum [1]; visibility changes by
#: less than 1e-4 from there to zero.
_EMPTY = 1e-6

#: What a label costs at most is -ln of this, 13.8 nat (see above) [1].
LEAST_PROBABILITY = 1e-6

#: Errors of an outline are correlated over about this length, as in `LabelErrors` [mm].
OUTLINE_CORRELATION_MM = 6.0

#: Width (standard deviation) of the edge whose voxels are counted before any fit [voxels]: about that of a front's
#: visibility.
_EDGE_WIDTH = 0.5


def log_visibility(
    density: np.ndarray, threshold: float, width: float, least: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of alpha and of 1 - alpha at densities, both of their shape and at least ln `least`."""
    above = density > threshold
    exponent = -(((density - threshold) / width) ** 2)
    unlikely = exponent - np.log(2)
    likely = np.log1p(-0.5 * np.exp(exponent))
    floor = np.log(least) if least > 0 else -np.inf
    seen, unseen = np.where(above, likely, unlikely), np.where(above, unlikely, likely)
    return np.maximum(seen, floor), np.maximum(unseen, floor)


@dataclass(frozen=True, eq=False)
class DoubleLogisticOutline(BrainScan):
    """Likelihood of one outline; a TemperableObservation.

    Args:
        labeled: share of each voxel inside the outline, in [0, 1], shape of the grid.
        grid: where it and the density lie.
        threshold: which parameter u_c is.
        brain: voxels that are looked at, bool, shape of the grid. It matters: without cells alpha isn't zero, 0.34 at
            u_c = 0.05 and sigma_alpha = 0.08, so empty space informs the threshold.
        tempering: what a voxel counts, before a fit has left residuals as the correlation length says.
        weight: share of voxels that count [1], where it is known.
        correlation_mm: length over which errors are correlated [mm].
        least_probability: of any label [1].
    """

    labeled: np.ndarray
    grid: Grid
    threshold: Parameter
    brain: np.ndarray
    tempering: Tempering = "residuals"
    weight: float | None = None
    correlation_mm: float = OUTLINE_CORRELATION_MM
    least_probability: float = LEAST_PROBABILITY

    def __post_init__(self) -> None:
        subject = f"outline of {self.threshold.name}"
        require_shape(self.labeled, self.grid, subject)
        self._require_sound(subject)
        inside = self.labeled[self.brain]
        if not (inside.any() and inside.min() >= 0 and inside.max() <= 1):  # nan fails, too
            raise InputError(
                subject, expected="shares in [0, 1], some in the brain", got="others", advice="check the segmentation"
            )
        if not 0 <= self.least_probability < 0.5:
            raise InputError(
                subject,
                expected="a least probability in [0, 0.5)",
                got=f"{self.least_probability}",
                advice=f"begin with {LEAST_PROBABILITY:g}",
            )

    @property
    def name(self) -> str:
        """The modality: t1c or flair."""
        return self.threshold.name.removesuffix("_threshold")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Threshold u_c and width sigma_alpha."""
        return (self.threshold, VISIBILITY_WIDTH)

    @property
    def observed(self) -> np.ndarray:
        """Share of each voxel inside the outline, shape of the grid."""
        return self.labeled

    def log_likelihood(self, density: Density, values: np.ndarray) -> float:
        """Log-likelihood of the outline given density, threshold and width, times the weight [nat]."""
        cells = self.cells(density)
        threshold, width = (float(value) for value in values)
        present = cells > _EMPTY
        labeled = self._labels[present]
        seen, unseen = log_visibility(cells[present], threshold, width, self.least_probability)
        nothing_seen, nothing_unseen = log_visibility(np.zeros(1), threshold, width, self.least_probability)
        empty_labeled = self._num_labeled - labeled.sum()
        empty_dark = (cells.size - labeled.size) - empty_labeled
        # an unlikely label that isn't there costs nothing, however unlikely; no inf enters, for x stays finite
        total = labeled @ seen + (1 - labeled) @ unseen
        return self.voxel_weight * float(total + empty_labeled * nothing_seen[0] + empty_dark * nothing_unseen[0])

    def features(self, density: Density, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Stabilized predictions and standardized residuals of the brain's voxels, both (num_voxels,).

        :math:`\phi = 2 \arcsin \sqrt\alpha` and :math:`z = (y - \alpha) / \sqrt{\alpha (1 - \alpha)}`, each times the
        root of the weight: see `gliocast.core.LinearizableTarget`.
        """
        least = max(self.least_probability, np.finfo(float).tiny)
        seen, unseen = log_visibility(self.cells(density), float(values[0]), float(values[1]), least)
        # from the smaller of alpha and 1 - alpha, which rounding leaves exact
        angle = 2 * np.arcsin(np.exp(np.minimum(seen, unseen) / 2))
        stabilized = np.where(seen > unseen, np.pi - angle, angle)
        residual = (self._labels - np.exp(seen)) * np.exp(-(seen + unseen) / 2)
        root = np.sqrt(self.voxel_weight)
        return root * stabilized, root * residual

    @property
    def num_features(self) -> int:
        """How many `features` there are."""
        return self.num_brain_voxels

    def expected_sensitivity(self) -> np.ndarray:
        """The outline's edge, for its voxels are those that depend on parameters."""
        steps = np.gradient(ndimage.gaussian_filter(self.labeled.astype(np.float64), _EDGE_WIDTH), *self.grid.spacing)
        return np.sqrt(sum(step**2 for step in steps)) * self.brain

    def weighted(self, weight: float) -> "DoubleLogisticOutline":
        """The same with another share of voxels that count."""
        return replace(self, weight=weight)

    def sample(self, density: Density, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """An outline with correlated errors, bool, shape of the grid; nothing is labeled outside the brain."""
        self.grid.require_same(density.grid, "density")
        seen, _ = log_visibility(density.data, float(values[0]), float(values[1]), self.least_probability)
        error = correlated_noise(self.grid, self.correlation_mm, generator)
        return (ndtr(error) < np.exp(seen)) & self.brain

    @cached_property
    def _labels(self) -> np.ndarray:
        return self.in_brain(self.labeled)

    @cached_property
    def _num_labeled(self) -> float:
        return float(self._labels.sum())


def core_outline(labeled: np.ndarray, grid: Grid, brain: np.ndarray) -> DoubleLogisticOutline:
    """The T1c outline, which shows the tumor core; arguments as in `DoubleLogisticOutline`."""
    return DoubleLogisticOutline(labeled, grid, CORE_THRESHOLD, brain)


def whole_outline(labeled: np.ndarray, grid: Grid, brain: np.ndarray) -> DoubleLogisticOutline:
    """The FLAIR outline, which shows the whole tumor; arguments as in `DoubleLogisticOutline`."""
    return DoubleLogisticOutline(labeled, grid, WHOLE_THRESHOLD, brain)
