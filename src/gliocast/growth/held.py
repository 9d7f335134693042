"""A forward model some of whose parameters are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import Anatomy, Density, Forward, InputError, Parameter


@dataclass(frozen=True)
class Held:
    """A Forward with some parameters held at known values; itself a Forward of those that are left.

    Args:
        forward: whose parameters are held.
        known: value by parameter name, in the parameter's unit.
    """

    forward: Forward
    known: Mapping[str, float]

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.forward.parameters]
        for name in self.known:
            if name not in names:
                raise InputError("held parameter", expected=f"one of {names}", got=name, advice="check its name")
        for parameter in self.forward.parameters:
            if parameter.name in self.known:
                parameter.require_or_limit(self.known[parameter.name])

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those that are left."""
        return tuple(p for p in self.forward.parameters if p.name not in self.known)

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Density at each of the given days, as the forward model itself gives it."""
        left = iter(float(value) for value in values)
        every = [self.known[p.name] if p.name in self.known else next(left) for p in self.forward.parameters]
        return self.forward(every, anatomy, days=days)
