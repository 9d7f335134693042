r"""FET-PET as an observation of cell density: uptake in proportion to it, with Gaussian noise.

.. math:: y_i \sim N(b \, u_i, \, \sigma^2)

with the uptake y normalized to [0, 1]. Both the uptake b of tissue at carrying capacity and the noise sigma are
unknown.

Source: Ezhov, dissertation (2023), Chapter 5, Eq. 7. Two departures, and a switch back for each: noise of neighboring
voxels is correlated by the scanner's resolution, so the log-likelihood is multiplied by the share of voxels that count
(`tempering`), and `sample` draws correlated noise ("independent" and 0 mm are the paper); voxels outside the brain,
where nothing can be seen, don't tell of the noise (a mask of ones is the paper).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gliocast.core import POSITIVE, Density, Grid, InputError, Parameter, Volume
from gliocast.core.volume import require_mask, require_shape
from gliocast.observation.brain_scan import BrainScan
from gliocast.observation.correlated import correlated_noise, correlation_from_fwhm
from gliocast.observation.tempering import Tempering

PET_UPTAKE = Parameter(
    name="pet_uptake",
    symbol="b",
    unit="1",
    support=POSITIVE,
    typical=(0.6, 1.02),
    source="prior range of Ezhov, dissertation (2023), Chapter 5, Table II",
)
PET_NOISE = Parameter(
    name="pet_noise",
    symbol="sigma",
    unit="1",
    support=POSITIVE,
    typical=(0.01, 0.25),
    source="prior range of Ezhov, dissertation (2023), Chapter 5, Table II",
)

#: Full width at half maximum of the point spread of a clinical PET scanner [mm]; 4 to 6 by the standard tests (NEMA).
PET_RESOLUTION_MM = 5.0

#: The brightest voxels of a normalized image lie at one; beyond this it wasn't normalized [1].
_MAX_UPTAKE = 5.0

#: What uptake of one is: this percentile of the brain [%]. One voxel in a thousand may be noise.
_BRIGHT = 99.9


def normalize_uptake(uptake: Volume, brain: np.ndarray) -> Volume:
    """Uptake with healthy brain at zero and the brightest tumor at one.

    Healthy brain takes up tracer, too, which  y = b u  doesn't know; so its level, the median over the brain (of which
    tumor is the smaller part), becomes zero. Noise is left below zero and above one: cutting it off would bias sigma.

    Args:
        uptake: any unit, say SUV or a ratio to healthy tissue.
        brain: bool, shape of its grid.
    """
    require_mask(brain, uptake.grid, "brain mask")
    inside = uptake.data[brain]
    if inside.size == 0 or not np.isfinite(inside).all():
        raise InputError("PET", expected="a finite uptake in the brain", got="none, or nan", advice="check the scan")
    healthy, bright = np.percentile(inside, [50, _BRIGHT])
    if not bright > healthy:
        raise InputError("PET", expected="uptake that differs from place to place", got="none", advice="check the scan")
    return Volume(np.where(brain, (uptake.data - healthy) / (bright - healthy), 0).astype(np.float32), uptake.grid)


@dataclass(frozen=True, eq=False)
class PETLikelihood(BrainScan):
    """Likelihood of a normalized uptake image; a TemperableObservation.

    Args:
        uptake: y [1], shape of the grid; see `normalize_uptake`.
        grid: where it and the density lie.
        brain: voxels that are looked at, bool, shape of the grid.
        tempering: what a voxel counts, before a fit has left residuals as the correlation length says.
        weight: share of voxels that count [1], where it is known.
        correlation_mm: length over which noise is correlated [mm].
    """

    uptake: np.ndarray
    grid: Grid
    brain: np.ndarray
    tempering: Tempering = "residuals"
    weight: float | None = None
    correlation_mm: float = correlation_from_fwhm(PET_RESOLUTION_MM)

    def __post_init__(self) -> None:
        require_shape(self.uptake, self.grid, "PET")
        self._require_sound("PET")
        inside = self.uptake[self.brain]
        if inside.size == 0 or not np.abs(inside).max() <= _MAX_UPTAKE:  # nan fails, too
            raise InputError(
                "PET",
                expected="uptake in the brain that is normalized to about [0, 1]",
                got=f"{inside.min():g} to {inside.max():g}" if inside.size else "no brain",
                advice="normalize it with normalize_uptake",
            )

    @property
    def name(self) -> str:
        """The modality."""
        return "pet"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Uptake b at carrying capacity and noise sigma."""
        return (PET_UPTAKE, PET_NOISE)

    @property
    def observed(self) -> np.ndarray:
        """Normalized uptake, shape of the grid."""
        return self.uptake

    def log_likelihood(self, density: Density, values: np.ndarray) -> float:
        """Log-likelihood of the uptake given density, b and sigma, times the weight [nat]."""
        residuals = self._residuals(density, values)
        noise = float(values[1])
        constant = residuals.size * (np.log(noise) + 0.5 * np.log(2 * np.pi))
        return -self.voxel_weight * float(0.5 * residuals @ residuals + constant)

    def features(self, density: Density, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Stabilized predictions and standardized residuals of voxels and of sigma, both (num_voxels + 1,).

        Those of the brain's voxels, :math:`\phi_i = (b u_i - y_i) / \sigma`, are residuals with their sign turned; the
        last is :math:`\sqrt n \ln \sigma`, with a residual of :math:`-\sqrt n`. The sum of z dphi is then the score in
        b, u and sigma, exactly and everywhere, and dphi^T dphi in expectation the Fisher information, whose part in
        ln sigma is 2 n: half of it lies in the voxels, whose phi shrink when sigma grows, and half in the last. All are
        multiplied by the root of the weight: see `gliocast.core.LinearizableTarget`.
        """
        residuals = self._residuals(density, values)
        root = np.sqrt(self.voxel_weight * residuals.size)
        last = [root * np.log(float(values[1]))], [-root]
        weighted = np.sqrt(self.voxel_weight) * residuals
        return np.append(-weighted, last[0]), np.append(weighted, last[1])

    @property
    def num_features(self) -> int:
        """How many `features` there are."""
        return self.num_brain_voxels + 1

    def expected_sensitivity(self) -> np.ndarray:
        """The uptake, in proportion to which the image moves with b."""
        return np.where(self.brain, np.maximum(self.uptake, 0), 0).astype(np.float64)

    def weighted(self, weight: float) -> "PETLikelihood":
        """The same with another share of voxels that count."""
        return replace(self, weight=weight)

    def sample(self, density: Density, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """An uptake image with correlated noise, float32, shape of the grid; zero outside the brain."""
        self.grid.require_same(density.grid, "density")
        scale, noise = (float(value) for value in values)
        error = noise * correlated_noise(self.grid, self.correlation_mm, generator)
        return np.where(self.brain, scale * density.data + error, 0).astype(np.float32)

    @cached_property
    def _seen(self) -> np.ndarray:
        return self.in_brain(self.uptake)

    def _residuals(self, density: Density, values: np.ndarray) -> np.ndarray:
        """(y - b u) / sigma of the brain's voxels, float64."""
        scale, noise = (float(value) for value in values)
        return (self._seen - scale * self.cells(density)) / noise
