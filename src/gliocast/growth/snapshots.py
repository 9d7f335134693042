"""What a solve hands out: its fields on the anatomy's grid, along the axes of the world."""

from typing import Any

import numpy as np

from gliocast.core import Density, Grid, Snapshot
from gliocast.growth.domain import Domain
from gliocast.growth.splitting import Dynamics


def numbers_of(dynamics: Dynamics, field: Any) -> np.ndarray:
    """A field of the sweeps as an array."""
    return np.asarray(dynamics.sweeps.unload(field))


def take_snapshot(dynamics: Dynamics, state: Any, domain: Domain, grid: Grid, day: float) -> Snapshot:
    """The state on the anatomy's grid.

    Args:
        dynamics: that the state belongs to.
        state: of the solve.
        domain: that it covers.
        grid: of the anatomy.
        day: that it is of [d].
    """

    def embed(data: np.ndarray) -> np.ndarray:
        full = np.zeros((*data.shape[:-3], *grid.shape), dtype=np.float32)
        full[(..., *domain.window.slices)] = data
        return full

    # one is overshot by rounding, and where mass effect squeezes cells
    density = embed(np.clip(numbers_of(dynamics, dynamics.density(state)), 0, 1))
    fields = {name: numbers_of(dynamics, data) for name, data in dynamics.fields(state).items()}
    # vectors lie along the axes of the grid while it is computed, and along those of the world in what is handed out
    turn = grid.affine[:3, :3] / grid.spacing
    for name, data in fields.items():
        fields[name] = embed(np.einsum("ij,jxyz->ixyz", turn, data) if data.ndim == 4 else data)
    return Snapshot(Density(density, grid, day), fields)
