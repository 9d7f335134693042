r"""Several scans of one day, independent of each other given the density.

.. math:: p(y \mid u, \theta) = \prod_k p(y_k \mid u, \theta_k)

A parameter that several scans depend on, like the paper's sigma_alpha, is one parameter.

Source: Ezhov, dissertation (2023), Chapter 5, Eq. 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gliocast.core import (
    Density,
    InputError,
    LinearizableObservation,
    ObservationModel,
    Parameter,
    TemperableObservation,
)


def merge_parameters(*groups: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Parameters of several models in order of their first appearance, each name once."""
    merged: dict[str, Parameter] = {}
    for group in groups:
        for parameter in group:
            merged.setdefault(parameter.name, parameter)
    return tuple(merged.values())


def columns_of(part: Sequence[Parameter], whole: Sequence[Parameter]) -> list[int]:
    """Where the parameters of a part stand among those of the whole."""
    names = [parameter.name for parameter in whole]
    return [names.index(parameter.name) for parameter in part]


@dataclass(frozen=True, eq=False)
class JointObservation:
    """Likelihood of several scans together; a TemperableObservation where all of them are.

    Args:
        scans: one model for each, all on one grid; their observations have its shape, or channels in front of it.
    """

    scans: tuple[ObservationModel, ...]

    def __post_init__(self) -> None:
        shapes = {scan.observed.shape[-3:] for scan in self.scans}
        if len(shapes) != 1:
            raise InputError(
                "scans", expected="at least one, all of one shape", got=f"{sorted(shapes)}", advice="resample them"
            )

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the first scan, then what each of the others adds."""
        return merge_parameters(*(scan.parameters for scan in self.scans))

    @cached_property
    def observed(self) -> np.ndarray:
        """What was seen, one channel after the other, (num_channels, x, y, z) float32."""
        return _stack([scan.observed for scan in self.scans])

    def parts(self, values: np.ndarray) -> list[np.ndarray]:
        """Each scan's own values."""
        return [np.asarray(values)[columns] for columns in self._columns]

    def log_likelihood(self, density: Density, values: np.ndarray) -> float:
        """Sum of the scans' log-likelihoods [nat]."""
        pairs = zip(self.scans, self.parts(values), strict=True)
        return sum(scan.log_likelihood(density, own) for scan, own in pairs)

    def features(self, density: Density, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stabilized predictions and standardized residuals of all scans, one after the other."""
        pairs = zip(self._linearizable_scans(), self.parts(values), strict=True)
        stabilized, residuals = zip(*(scan.features(density, own) for scan, own in pairs), strict=True)
        return np.concatenate(stabilized), np.concatenate(residuals)

    @property
    def num_features(self) -> int:
        """How many `features` there are."""
        return sum(scan.num_features for scan in self.scans if isinstance(scan, TemperableObservation))

    @property
    def linearizable(self) -> bool:
        """Whether all scans have features."""
        return all(isinstance(scan, LinearizableObservation) for scan in self.scans)

    @property
    def voxel_weights(self) -> Mapping[str, float]:
        """What one voxel of each scan counts [1]."""
        scans = [scan for scan in self.scans if isinstance(scan, TemperableObservation)]
        return {name: weight for scan in scans for name, weight in scan.voxel_weights.items()}

    @property
    def weighs_by_residuals(self) -> bool:
        """Whether voxels of some scan are to count what `tempered` finds."""
        scans = [scan for scan in self.scans if isinstance(scan, TemperableObservation)]
        return len(scans) == len(self.scans) and any(scan.weighs_by_residuals for scan in scans)

    def sharpened(self, density: Density, values: np.ndarray) -> "JointObservation":
        """The same scans, each with the errors that make it most likely."""
        pairs = zip(self._temperable_scans(), self.parts(values), strict=True)
        return replace(self, scans=tuple(scan.sharpened(density, own) for scan, own in pairs))

    def counting_once(self) -> "JointObservation":
        """The same scans, those with every voxel counting once whose weights weren't stated."""
        return replace(self, scans=tuple(scan.counting_once() for scan in self._temperable_scans()))

    def tempered(
        self, jacobian: np.ndarray, residuals: np.ndarray, covariance: np.ndarray
    ) -> tuple["JointObservation", float]:
        """The same scans with voxels that count what the correlation of their residuals leaves them.

        Scans whose weights were stated keep these, and aren't among the effective observations.
        """
        scans = self._temperable_scans()
        ends = np.cumsum([scan.num_features for scan in scans])[:-1]
        weighed, effective = [], 0.0
        for scan, slopes, z in zip(scans, np.split(jacobian, ends, axis=1), np.split(residuals, ends), strict=True):
            if not scan.weighs_by_residuals:
                weighed.append(scan)
                continue
            tempered, worth = scan.tempered(slopes, z, covariance)
            weighed.append(tempered)
            effective += worth
        return replace(self, scans=tuple(weighed)), effective

    def sample(self, density: Density, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Observations drawn one scan after the other, (num_channels, x, y, z) float32."""
        pairs = zip(self.scans, self.parts(values), strict=True)
        return _stack([scan.sample(density, own, generator) for scan, own in pairs])

    @cached_property
    def _columns(self) -> list[list[int]]:
        return [columns_of(scan.parameters, self.parameters) for scan in self.scans]

    def _linearizable_scans(self) -> list[LinearizableObservation]:
        scans = [scan for scan in self.scans if isinstance(scan, LinearizableObservation)]
        self._require_all(scans, "models with features")
        return scans

    def _temperable_scans(self) -> list[TemperableObservation]:
        scans = [scan for scan in self.scans if isinstance(scan, TemperableObservation)]
        self._require_all(scans, "models that weigh voxels")
        return scans

    def _require_all(self, scans: Sequence[ObservationModel], expected: str) -> None:
        """Raise InputError unless these are all scans."""
        if len(scans) < len(self.scans):
            others = [type(scan).__name__ for scan in self.scans if scan not in scans]
            raise InputError("scans", expected=expected, got=", ".join(others), advice="use a likelihood of voxels")


def _stack(observations: list[np.ndarray]) -> np.ndarray:
    """One channel after the other, float32."""
    channels = [seen if seen.ndim == 4 else seen[None] for seen in observations]
    return np.concatenate(channels).astype(np.float32)
