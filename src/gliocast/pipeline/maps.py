"""Tissue maps and densities from files, checked."""

from pathlib import Path

import numpy as np

from gliocast.core import Anatomy, InputError, LabelMap, Volume, bounding_box
from gliocast.data import read_volume

#: Where white and gray matter and fluid together reach this share, the brain begins [1].
_BRAIN_SHARE = 0.5

#: Shares of tissue that add up to more than this aren't of one brain [1]; rounding and smoothing leave less.
_LARGEST_SUM = 1.1

#: How far around a cavity there are cells at least, and how far another patient's may reach unnoticed [mm].
_AROUND_MM = 10.0

#: A fraction may exceed one by a rounding step of files that store bytes [1].
_LARGEST_FRACTION = 1.001


def read_anatomy(white_matter: Path, gray_matter: Path, csf: Path | None = None) -> Anatomy:
    """Tissue maps from files; fluid is the rest of nothing where it isn't given.

    Raises:
        InputError: as `read_volume`, values outside of [0, 1], grids that differ, or maps that are no brain together.
    """
    white, gray = read_volume(white_matter, "white matter"), read_volume(gray_matter, "gray matter")
    fluid = read_volume(csf, "csf") if csf is not None else Volume(np.zeros_like(white.data), white.grid)
    for name, volume in (("white matter", white), ("gray matter", gray), ("csf", fluid)):
        require_fractions(volume, name)
        white.grid.require_same(volume.grid, name)
    total = white.data + gray.data + fluid.data
    brain = total >= _BRAIN_SHARE
    if not brain.any() or float(total.max()) > _LARGEST_SUM:
        raise InputError(
            "tissue maps",
            expected="shares of white matter, gray matter and fluid that add up to 1 in the brain",
            got=f"at most {float(total.max()):.2g}",
            advice="pass three different maps of one brain, as run writes them",
        )
    return Anatomy(white.data, gray.data, fluid.data, brain, white.grid)


def require_fractions(volume: Volume, subject: str) -> None:
    """Raise InputError unless all values lie in [0, 1]."""
    low, high = float(volume.data.min()), float(volume.data.max())
    if low < 0 or high > _LARGEST_FRACTION:
        raise InputError(
            subject, expected="values in [0, 1]", got=f"{low:g} to {high:g}", advice="pass fractions, not intensities"
        )


def require_cells(density: Volume, labels: LabelMap) -> None:
    """Raise InputError unless there are tumor cells in or around what is segmented, or both aren't of one patient.

    In a cavity there are none, so that the box around what is segmented counts, too.
    """
    x, y, z = (int(np.ceil(_AROUND_MM / spacing)) for spacing in labels.grid.spacing)
    near = bounding_box(labels.lesion).grown((x, y, z), labels.grid.shape)
    if not (density.data[near.slices] > 0).any():
        raise InputError(
            "density",
            expected="tumor cells where the tumor is segmented",
            got=f"none within {_AROUND_MM:g} mm",
            advice="pass density and segmentation of one patient and one day",
        )
