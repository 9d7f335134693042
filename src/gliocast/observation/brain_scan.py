"""What scans have in common whose likelihood is a sum over the brain's voxels, all of which count the same."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Self

import numpy as np

from gliocast.core import Density, Grid, InputError
from gliocast.core.volume import require_mask
from gliocast.observation.correlated import independent_share
from gliocast.observation.tempering import Tempering, require_residuals, require_tempering, weight_of_scan


class BrainScan(ABC):
    """Part of a TemperableObservation of one scan, a frozen dataclass with these fields.

    Args:
        grid: where scan and density lie.
        brain: voxels that are looked at, bool, shape of the grid.
        tempering: what a voxel counts, before a fit has left residuals as the correlation length says.
        weight: share of voxels that count [1], where it is known.
        correlation_mm: length over which errors are correlated [mm].
    """

    grid: Grid
    brain: np.ndarray
    tempering: Tempering
    weight: float | None
    correlation_mm: float

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the scan, as weights are listed by."""

    @abstractmethod
    def expected_sensitivity(self) -> np.ndarray:
        """About how far a voxel's prediction moves with the parameters, before any fit, shape of the grid."""

    @abstractmethod
    def weighted(self, weight: float) -> Self:
        """The same with another share of voxels that count."""

    @cached_property
    def voxel_weight(self) -> float:
        """Share of voxels that count [1]."""
        if self.weight is not None:
            return self.weight
        if self.tempering == "independent":
            return 1.0
        return independent_share(self.expected_sensitivity(), self.grid, self.correlation_mm)

    @property
    def voxel_weights(self) -> Mapping[str, float]:
        """The same by the scan's name."""
        return {self.name: self.voxel_weight}

    @property
    def weighs_by_residuals(self) -> bool:
        """Whether voxels are to count what `tempered` finds."""
        return self.tempering == "residuals"

    def sharpened(self, density: Density, values: np.ndarray) -> Self:
        """The same: how far the scan errs is a parameter."""
        return self

    def counting_once(self) -> Self:
        """The same scan with every voxel counting once; one whose weight was stated keeps it."""
        return self.weighted(1.0) if self.weighs_by_residuals else self

    def tempered(self, jacobian: np.ndarray, residuals: np.ndarray, covariance: np.ndarray) -> tuple[Self, float]:
        """The same with voxels that count what correlated residuals leave them, and what all of them are worth."""
        require_residuals(self.tempering)
        weight, worth = weight_of_scan(
            jacobian,
            residuals,
            covariance,
            voxels=self.brain,
            spacing=self.grid.spacing,
            weight=self.voxel_weight,
        )
        return self.weighted(weight), worth

    def in_brain(self, data: np.ndarray) -> np.ndarray:
        """An array of the grid at the brain's voxels, float64."""
        return data.reshape(-1)[self._voxels].astype(np.float64)

    def cells(self, density: Density) -> np.ndarray:
        """Densities of the brain's voxels, float64."""
        self.grid.require_same(density.grid, "density")
        return self.in_brain(density.data)

    @cached_property
    def num_brain_voxels(self) -> int:
        """How many voxels are looked at."""
        return len(self._voxels)

    @cached_property
    def _voxels(self) -> np.ndarray:
        return np.flatnonzero(self.brain)

    def _require_sound(self, subject: str) -> None:
        """Raise InputError unless the fields that all such scans have make sense."""
        require_mask(self.brain, self.grid, "brain mask")
        require_tempering(self.tempering)
        if not ((self.weight is None or 0 < self.weight <= 1) and 0 <= self.correlation_mm < np.inf):
            raise InputError(
                subject,
                expected="a weight in (0, 1] and a correlation length of zero or more [mm]",
                got=f"{self.weight} and {self.correlation_mm}",
                advice="use 1 and 0 for independent voxels",
            )
