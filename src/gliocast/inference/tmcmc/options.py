"""What may be chosen."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from gliocast.core import InputError

#: How particles move within a stage, see `gliocast.inference.tmcmc.moves`.
Move: TypeAlias = Literal["plain", "adaptive", "crank-nicolson"]

#: Particles of the prior that a run begins with, per sample [1].
_FIRST_PER_SAMPLE = 4


@dataclass(frozen=True)
class TMCMCOptions:
    """How to sample.

    Args:
        num_samples: particles per stage, which are the samples at the end.
        num_first: particles drawn to begin with, at one evaluation each. The posterior's surroundings are a small part
            of the prior, and the evidence is no better known than how many of these fall there; so by default it is
            four times `num_samples` from the prior. From a narrower start it is `num_samples`.
        variation: coefficient of variation of the incremental weights that sets how far a stage goes [1]. Ching and
            Chen recommend 1; shorter stages halve the evidence's error where particles leave a plateau of the
            likelihood for a peak, as on tumors, and are worth their evaluations (docs/samplers.md).
        move: "plain" as published; "adaptive", a random walk whose step follows the acceptance; "crank-nicolson",
            which needs the fewest evaluations.
        correlation: particles of a stage move until their correlation with where they began falls below this [1].
            "plain" moves once.
        final_correlation: the same for the last stage, whose particles are the samples.
        max_moves: moves of a stage, at most.
        max_stages: give up after this many.
    """

    num_samples: int = 2048
    num_first: int | None = None
    variation: float = 0.7
    move: Move = "crank-nicolson"
    correlation: float = 0.75
    final_correlation: float = 0.2
    max_moves: int = 10
    max_stages: int = 60

    def __post_init__(self) -> None:
        if min(self.num_samples, self.num_first or self.num_samples) < 16 or self.max_moves < 1 or self.max_stages < 1:
            raise InputError(
                "tmcmc",
                expected="at least 16 particles, positive numbers of moves and stages",
                got=f"{self.num_first} and {self.num_samples}, {self.max_moves} and {self.max_stages}",
                advice="use the defaults",
            )
        if not (self.variation > 0 and 0 < self.correlation < 1 and 0 < self.final_correlation < 1):
            raise InputError(
                "tmcmc",
                expected="a positive variation, correlations between 0 and 1",
                got=f"{self.variation:g}, {self.correlation:g} and {self.final_correlation:g}",
                advice="use the defaults",
            )
        if self.move not in get_args(Move):
            raise InputError(
                "tmcmc", expected=f"a move of {', '.join(get_args(Move))}", got=f"{self.move}", advice="pick one"
            )

    def begun_from(self, *, prior: bool) -> "TMCMCOptions":
        """The same with `num_first` stated."""
        times = _FIRST_PER_SAMPLE if prior else 1
        return replace(self, num_first=self.num_first or times * self.num_samples)
