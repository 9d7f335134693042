"""Where a solve takes place: the part of an anatomy that cells can reach, made ready for a model."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.core import Anatomy, Box, Grid, GrowthModel, InputError, bounding_box

#: Density that a solve whose window stays as it is still wants to hold [1].
_REACH_LEVEL = 1e-6

#: Steepest profile that is tried for a bound of the reach: by a factor e^50 per voxel, none is steeper [1].
_STEEPEST = 50.0


@dataclass(frozen=True, eq=False)
class Domain:
    """An anatomy made ready for many solves.

    Args:
        window: the part of the anatomy's grid that the solve covers.
        grid: the grid of that part.
        tissue: voxels of it where growth is possible, bool.
        medium: what the model makes of the tissue there.
    """

    window: Box
    grid: Grid
    tissue: np.ndarray
    medium: Any

    @classmethod
    def of(cls, model: GrowthModel, anatomy: Anatomy, window: Box, dtype: str) -> "Domain":
        """A part of an anatomy, ready for solves of a model in a floating type."""
        cropped = anatomy.crop(window)
        medium = model.medium(cropped, np.dtype(dtype).type)
        return cls(window, cropped.grid, model.tissue(cropped), medium)


def whole_window(model: GrowthModel, anatomy: Anatomy) -> Box:
    """All that a model looks at: tissue where cells can be, and the whole brain where more than cells moves.

    Raises:
        InputError: no tissue.
    """
    tissue = model.tissue(anatomy)
    if not tissue.any():
        raise InputError("anatomy", expected="some brain tissue", got="none", advice="check the tissue maps")
    return bounding_box(tissue) if model.local else bounding_box(anatomy.brain | tissue)


def margin_of(reach_mm: float, grid: Grid) -> tuple[int, int, int]:
    """How many voxels a reach [mm] is along each axis, at most the whole grid."""
    x, y, z = (min(math.ceil(reach_mm / h), max(grid.shape)) for h in grid.spacing)
    return x, y, z


def reach(rate: float, diffusivity: float, days: float, spacing: float) -> float:
    r"""Where linear growth and diffusion in the fastest tissue leave less than a level [mm].

    On voxels of size h, :math:`e^{\rho t + 2 D t (\cosh(\lambda h) - 1) / h^2 - \lambda x}` bounds the density for
    every slope :math:`\lambda`, and the least bound counts. Small voxels give :math:`\sqrt{4 D t (\rho t - \ln
    \epsilon)}`; on voxels wider than the front cells get farther.

    Args:
        rate: rho, of the fastest reaction [1/d].
        diffusivity: D, the largest [mm^2/d].
        days: t [d].
        spacing: h, of the largest side of a voxel [mm].
    """
    spread, gain = diffusivity * days, rate * days - math.log(_REACH_LEVEL)
    if spread == 0:
        return 0.0
    steepest = min(math.sqrt(gain / spread), _STEEPEST / spacing)
    slopes = steepest * np.geomspace(1 / _STEEPEST, 1, 64)
    carried = 2 * spread * (np.cosh(slopes * spacing) - 1) / spacing**2
    return float(np.min((gain + carried) / slopes))
