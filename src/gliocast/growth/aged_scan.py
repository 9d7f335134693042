"""Growth seen through one scan whose age counts in days.

A `SingleScan` runs in what one scan can tell. Here the age is a parameter of its own, as in the literature (`AgedScan`;
the posterior then has a ridge along which diffusivity and rate fall as the age rises), or it is known, as the days
between two visits are (`KnownAge`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import POSITIVE, Anatomy, Density, Forward, InputError, Parameter

TUMOR_AGE = Parameter(
    name="tumor_age",
    symbol="T",
    unit="d",
    support=POSITIVE,
    typical=(30.0, 1000.0),
    source="prior range of Ezhov, dissertation (2023), Chapter 5, Table II",
)


@dataclass(frozen=True)
class AgedScan:
    """A Forward with the age as its third parameter; itself a Forward that counts in ages.

    Args:
        forward: takes diffusivity [mm^2/d] and rate [1/d] as its first two values, and real days.
    """

    forward: Forward

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Diffusivity [mm^2/d], rate [1/d], age [d], and what else the forward depends on."""
        diffusivity, rate, *rest = self.forward.parameters
        return (diffusivity, rate, TUMOR_AGE, *rest)

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float] = (1.0,)
    ) -> list[Density]:
        """Density at the scan; `days` counts in ages, the densities' days are real."""
        diffusivity, rate, age, *rest = (float(value) for value in values)
        return self.forward((diffusivity, rate, *rest), anatomy, days=[age * day for day in days])


@dataclass(frozen=True)
class KnownAge:
    """A Forward seen after known days; itself a Forward that counts in them.

    Args:
        forward: takes real days.
        age_days: from its start to the scan [d].
    """

    forward: Forward
    age_days: float

    def __post_init__(self) -> None:
        if not 0 < self.age_days < np.inf:
            raise InputError(
                "days between visits", expected="a positive number", got=f"{self.age_days}", advice="check the dates"
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The forward's."""
        return self.forward.parameters

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float] = (1.0,)
    ) -> list[Density]:
        """Density at the scan; `days` counts in the known ones, the densities' days are real."""
        return self.forward(values, anatomy, days=[self.age_days * day for day in days])
