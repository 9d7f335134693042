"""The tissue that a tumor grows in."""

from dataclasses import dataclass

import numpy as np

from gliocast.core.box import Box
from gliocast.core.grid import Grid
from gliocast.core.volume import block_mean, require_mask, require_shape


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissue probabilities in [0, 1] and the brain mask, all of shape `grid.shape`.

    Args:
        white_matter: probability of white matter, float32.
        gray_matter: probability of gray matter, float32.
        csf: probability of cerebrospinal fluid, float32.
        brain: inside of the skull, bool.
        grid: where they lie.
    """

    white_matter: np.ndarray
    gray_matter: np.ndarray
    csf: np.ndarray
    brain: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        for name in ("white_matter", "gray_matter", "csf"):
            require_shape(getattr(self, name), self.grid, name)
        require_mask(self.brain, self.grid, "brain mask")

    def crop(self, box: Box) -> "Anatomy":
        """The part inside of a box."""
        parts = (self.white_matter, self.gray_matter, self.csf, self.brain)
        white, gray, csf, brain = (np.ascontiguousarray(part[box.slices]) for part in parts)
        return Anatomy(white, gray, csf, brain, self.grid.crop(box.lower, box.upper))

    def coarsen(self, factors: tuple[int, int, int]) -> "Anatomy":
        """Block means of `factors` voxels; axes that don't divide are padded with background."""
        pad = [(0, -n % f) for n, f in zip(self.grid.shape, factors, strict=True)]
        upper = tuple(n + after for n, (_, after) in zip(self.grid.shape, pad, strict=True))
        white, gray, csf, brain = (
            block_mean(np.pad(part, pad), factors)
            for part in (self.white_matter, self.gray_matter, self.csf, self.brain)
        )
        return Anatomy(white, gray, csf, brain >= 0.5, self.grid.crop((0, 0, 0), upper).coarsen(factors))
