r"""Several scans of one day, independent of each other given the density.

.. math:: p(y \mid u, \theta) = \prod_k p(y_k \mid u, \theta_k)

A parameter that several scans depend on, like the paper's sigma_alpha, is one parameter.

Source: Ezhov, dissertation (2023), Chapter 5, Eq. 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from gliocast.core import Density, InputError, ObservationModel, Parameter


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
    """Likelihood of several scans together; an ObservationModel.

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

    @property
    def weights(self) -> tuple[float, ...]:
        """Share of voxels that count, of each scan [1]."""
        return tuple(scan.weight for scan in self._weighted_scans())

    def weighted(self, weights: Sequence[float]) -> "JointObservation":
        """The same with other shares of voxels that count, one for each scan."""
        if len(weights) != len(self.scans):
            raise InputError(
                "weights", expected=f"{len(self.scans)}", got=f"{len(weights)}", advice="give one for each scan"
            )
        pairs = zip(self._weighted_scans(), weights, strict=True)
        return replace(self, scans=tuple(replace(scan, weight=weight) for scan, weight in pairs))

    def parts(self, values: np.ndarray) -> list[np.ndarray]:
        """Each scan's own values."""
        return [np.asarray(values)[columns] for columns in self._columns]

    def log_likelihood(self, density: Density, values: np.ndarray) -> float:
        """Sum of the scans' log-likelihoods [nat]."""
        pairs = zip(self.scans, self.parts(values), strict=True)
        return sum(scan.log_likelihood(density, own) for scan, own in pairs)

    def features(self, density: Density, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stabilized predictions and standardized residuals of all scans, one after the other."""
        pairs = zip(self._weighted_scans(), self.parts(values), strict=True)
        stabilized, residuals = zip(*(scan.features(density, own) for scan, own in pairs), strict=True)
        return np.concatenate(stabilized), np.concatenate(residuals)

    def sample(self, density: Density, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Observations drawn one scan after the other, (num_channels, x, y, z) float32."""
        pairs = zip(self.scans, self.parts(values), strict=True)
        return _stack([scan.sample(density, own, generator) for scan, own in pairs])

    @cached_property
    def _columns(self) -> list[list[int]]:
        return [columns_of(scan.parameters, self.parameters) for scan in self.scans]

    def _weighted_scans(self) -> tuple[Any, ...]:
        """The scans, each of which has a weight and features."""
        for scan in self.scans:
            if not (hasattr(scan, "weight") and hasattr(scan, "features")):
                raise InputError(
                    "scans",
                    expected="models with a weight and features",
                    got=type(scan).__name__,
                    advice="use a likelihood of voxels",
                )
        return self.scans


def _stack(observations: list[np.ndarray]) -> np.ndarray:
    """One channel after the other, float32."""
    channels = [seen if seen.ndim == 4 else seen[None] for seen in observations]
    return np.concatenate(channels).astype(np.float32)
