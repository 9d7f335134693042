"""Model parameters: what they are called, what they mean, where they may lie."""

from dataclasses import dataclass

import numpy as np

from gliocast.core.errors import InputError


@dataclass(frozen=True)
class Support:
    """An open interval, and the smooth map that straightens it to the whole real line.

    (0, inf) is straightened by the logarithm, (a, b) by the logit, the real line by nothing. Optimizers and
    Gaussian approximations work on the straight line, where no bound can be crossed.
    """

    lower: float = -np.inf
    upper: float = np.inf

    def __post_init__(self) -> None:
        if not self.lower < self.upper or (np.isinf(self.lower) and np.isfinite(self.upper)):
            raise InputError(
                "support",
                expected="an interval (a, b), (a, inf) or the real line",
                got=f"({self.lower}, {self.upper})",
                advice="mirror the parameter if it is bounded from above alone",
            )

    def straighten(self, value: np.ndarray) -> np.ndarray:
        """Unconstrained coordinate of a value inside the interval."""
        if np.isfinite(self.lower) and np.isfinite(self.upper):
            return np.log(value - self.lower) - np.log(self.upper - value)
        return np.log(value - self.lower) if np.isfinite(self.lower) else np.asarray(value)

    def bend(self, coordinate: np.ndarray) -> np.ndarray:
        """Value of an unconstrained coordinate; the inverse of `straighten`."""
        if np.isfinite(self.lower) and np.isfinite(self.upper):
            return self.lower + (self.upper - self.lower) / (1 + np.exp(-np.asarray(coordinate)))
        return self.lower + np.exp(coordinate) if np.isfinite(self.lower) else np.asarray(coordinate)

    def contains(self, value: float | np.ndarray) -> np.ndarray:
        """Whether values lie strictly inside, bool."""
        return (np.asarray(value) > self.lower) & (np.asarray(value) < self.upper)


REAL, POSITIVE, UNIT_INTERVAL = Support(), Support(lower=0.0), Support(0.0, 1.0)


@dataclass(frozen=True)
class Parameter:
    """One number that a model depends on.

    Args:
        name: in words, as Python writes it.
        symbol: as the literature writes it (see NOTATION.md).
        unit: physical unit, "1" where it has none.
        support: where it may lie.
        typical: range seen in patients.
        source: where the range comes from.
    """

    name: str
    symbol: str
    unit: str
    support: Support
    typical: tuple[float, float]
    source: str

    def require(self, value: float) -> None:
        """Raise InputError unless the value is finite and inside the support."""
        if not np.isfinite(value) or not self.support.contains(value):
            raise InputError(
                self.name,
                expected=f"a number in ({self.support.lower:g}, {self.support.upper:g}) [{self.unit}]",
                got=f"{value}",
                advice=f"typical values lie in {self.typical[0]:g} to {self.typical[1]:g}",
            )

    def require_or_limit(self, value: float) -> None:
        """The same, but zero is allowed where the support begins there: a process that doesn't happen."""
        if value != 0 or self.support.lower != 0:
            self.require(value)
