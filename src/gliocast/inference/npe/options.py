"""What a user may choose of sequential neural posterior estimation."""

from dataclasses import dataclass
from typing import Literal

from gliocast.core import InputError


@dataclass(frozen=True)
class NPEOptions:
    """How to estimate.

    Args:
        variant: "npe-c", the default, or "chapter-6", the method as Ezhov's dissertation prints it.
        num_rounds: rounds of simulation; the first draws from the prior, or around a known mode, each later one from
            the last posterior.
        num_simulations: simulations of a round.
        num_components: Gaussians that each network gives.
        num_networks: networks whose mixtures are averaged; "chapter-6" has one.
        num_samples: samples drawn from the posterior.
        num_replicates: simulations of the posterior that the observation is compared with in the end.
    """

    variant: Literal["npe-c", "chapter-6"] = "npe-c"
    num_rounds: int = 5
    num_simulations: int = 600
    num_components: int = 4
    num_networks: int = 3
    num_samples: int = 2000
    num_replicates: int = 200

    @classmethod
    def chapter_6(cls) -> "NPEOptions":
        """What Chapter 6 prints: one network, four rounds, a thousand simulations in all."""
        return cls("chapter-6", num_rounds=4, num_simulations=250, num_networks=1)

    def __post_init__(self) -> None:
        if self.variant not in ("npe-c", "chapter-6"):
            raise InputError(
                "npe", expected='the variant "npe-c" or "chapter-6"', got=f"{self.variant!r}", advice="choose one"
            )
        counts = (self.num_rounds, self.num_components, self.num_networks, self.num_samples)
        few = self.num_simulations < 20 or self.num_replicates < 100
        if min(counts) < 1 or few or (self.variant == "chapter-6" and self.num_networks > 1):
            raise InputError(
                "npe",
                expected="positive counts, 20 simulations a round and 100 replicates or more, chapter-6 one network",
                got=f"{self}",
                advice="use the defaults, or NPEOptions.chapter_6()",
            )
