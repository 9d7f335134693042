"""Observations as rows of numbers: averages over blocks, and behind them what these don't show."""

import numpy as np

from gliocast.inference.npe.blocks import Blocks
from gliocast.inference.npe.traits import Traits


class Rows:
    """Reduction of observations of one shape to rows.

    Args:
        shape: of one observation.
        traits: what to add behind the averages; None for nothing.
    """

    def __init__(self, shape: tuple[int, ...], traits: Traits | None) -> None:
        self._blocks, self._traits = Blocks(shape), traits
        self.num_traits = traits.count if traits is not None else 0

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """One observation as a row, float32; its last `num_traits` numbers are traits."""
        averages = self._blocks(observation)
        return averages if self._traits is None else np.concatenate([averages, self._traits(observation)])
