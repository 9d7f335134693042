"""Observations as rows of numbers: images are averaged over blocks."""

import math

import numpy as np

from gliocast.core import block_mean

#: Most numbers that an observation is reduced to by averaging [1]. Outlines of a whole head at 2 mm fit in blocks of
#: 8 mm, about as long as raters' errors are correlated; the share of a block still tells where the outline crosses it.
MAX_NUMBERS = 40_000

#: Images have their three spatial axes last, behind one axis for the channels.
_IMAGE_AXES = 4


class Blocks:
    """Reduction of observations of one shape by averaging over cubes of voxels.

    Args:
        shape: of one observation. Four axes, (channels, x, y, z), are an image's; anything else is left as it is.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.factor = 1
        if len(shape) == _IMAGE_AXES:
            while shape[0] * math.prod(-(-n // self.factor) for n in shape[1:]) > MAX_NUMBERS:
                self.factor += 1

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """One observation as a row, float32; voxels beyond the border count as zero."""
        if self.factor == 1:
            return observation.astype(np.float32).ravel()
        factors = (self.factor,) * 3
        pad = [(0, -n % self.factor) for n in observation.shape[1:]]
        return np.concatenate([block_mean(np.pad(channel, pad), factors).ravel() for channel in observation])
