"""One species of cells with logistic growth, whatever moves it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

#: The state of a one-species equation.
Cells = tuple[Any]


@dataclass(frozen=True, eq=False)
class LogisticGrowth:
    """Dynamics of  du/dt = D L u + rho u (1 - u).

    Args:
        sweeps: arithmetic on fields.
        operator: L, from the sweeps.
        diffusivity: D [mm^2/d] (or 1 where L contains it).
        rate: rho [1/d]; a number, one per batch item, or one per voxel.
        coefficients: what L was made of; needed to close voxels.
    """

    sweeps: Any
    operator: Any
    diffusivity: Any
    rate: Any
    coefficients: Any = None

    def begin(self, cells: Any) -> Cells:
        """The state of the first cells, a field of the sweeps."""
        return (cells,)

    def copy(self, state: Cells) -> Cells:
        """A state that stays as it is while the other goes on."""
        return (self.sweeps.copy(state[0]),)

    def react(self, state: Cells, time: Any) -> Cells:
        """Exact growth without migration over a time [d]."""
        return (self.sweeps.logistic(state[0], self.rate, time),)

    def move(self, state: Cells, time: Any) -> Cells:
        """Migration without growth over a time [d]."""
        return (self.sweeps.diffuse(state[0], self.operator, self.diffusivity * time),)

    def kill(self, state: Cells, survivors: Any) -> Cells:
        """A share of the cells survives [1]: a number, or one per voxel."""
        return (self.sweeps.scale(state[0], survivors),)

    def remove(self, state: Cells, survivors: np.ndarray) -> Cells:
        """A share of the cells is left by surgery [1], one per voxel."""
        return self.kill(state, survivors)

    def close(self, state: Cells, cavity: np.ndarray) -> tuple["LogisticGrowth", Cells]:
        """Empty some voxels (bool); the dynamics that let no cell enter them again, and the state."""
        coefficients = self.coefficients.closed(cavity)
        shut = replace(self, operator=self.sweeps.operator(coefficients), coefficients=coefficients)
        return shut, self.kill(state, np.where(cavity, 0.0, 1.0))

    def density(self, state: Cells) -> Any:
        """All cells, a field."""
        return state[0]

    def fields(self, state: Cells) -> dict[str, Any]:
        """What else the state holds, by name."""
        return {}
