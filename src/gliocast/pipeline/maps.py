"""Tissue maps and densities from files, checked."""

from pathlib import Path

import numpy as np

from gliocast.core import Anatomy, InputError, Volume
from gliocast.data import read_volume

#: Where white and gray matter and fluid together reach this share, the brain begins [1].
_BRAIN_SHARE = 0.5

#: A fraction may exceed one by a rounding step of files that store bytes [1].
_LARGEST_FRACTION = 1.001


def read_anatomy(white_matter: Path, gray_matter: Path, csf: Path | None = None) -> Anatomy:
    """Tissue maps from files; fluid is the rest of nothing where it isn't given."""
    white, gray = read_volume(white_matter, "white matter"), read_volume(gray_matter, "gray matter")
    fluid = read_volume(csf, "csf") if csf is not None else Volume(np.zeros_like(white.data), white.grid)
    for name, volume in (("white matter", white), ("gray matter", gray), ("csf", fluid)):
        require_fractions(volume, name)
        white.grid.require_same(volume.grid, name)
    brain = white.data + gray.data + fluid.data >= _BRAIN_SHARE
    return Anatomy(white.data, gray.data, fluid.data, brain, white.grid)


def require_fractions(volume: Volume, subject: str) -> None:
    """Raise InputError unless all values lie in [0, 1]."""
    low, high = float(volume.data.min()), float(volume.data.max())
    if low < 0 or high > _LARGEST_FRACTION:
        raise InputError(
            subject, expected="values in [0, 1]", got=f"{low:g} to {high:g}", advice="pass fractions, not intensities"
        )
