"""What may be chosen."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from gliocast.core import InputError

#: How particles move within a stage, see `gliocast.inference.tmcmc.moves`.
Move: TypeAlias = Literal["plain", "adaptive", "crank-nicolson"]


@dataclass(frozen=True)
class TMCMCOptions:
    """How to sample.

    Args:
        num_samples: particles per stage, which are the samples at the end.
        variation: coefficient of variation of the incremental weights that sets how far a stage goes [1]; Ching and
            Chen recommend 1.
        move: "plain" as published; "adaptive", a random walk whose step follows the acceptance; "crank-nicolson",
            which needs the fewest evaluations.
        correlation: particles of a stage move until their correlation with where they began falls below this [1].
            "plain" moves once.
        final_correlation: the same for the last stage, whose particles are the samples.
        max_moves: moves of a stage, at most.
        max_stages: give up after this many.
    """

    num_samples: int = 2048
    variation: float = 1.0
    move: Move = "crank-nicolson"
    correlation: float = 0.6
    final_correlation: float = 0.2
    max_moves: int = 10
    max_stages: int = 60

    def __post_init__(self) -> None:
        if self.num_samples < 16 or self.max_moves < 1 or self.max_stages < 1:
            raise InputError(
                "tmcmc",
                expected="at least 16 samples, positive numbers of moves and stages",
                got=f"{self.num_samples}, {self.max_moves} and {self.max_stages}",
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
