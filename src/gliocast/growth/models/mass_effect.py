r"""Growth with mass effect: a tumor that pushes tissue aside, and tissue that carries its cells along.

.. math::
    \partial_t c + \nabla\cdot(c\,v) &= \nabla\cdot(D(m)\,\nabla c) + \rho\,c\,(1 - c) \\
    \partial_t m + \nabla\cdot(m\,v) &= 0, \qquad m = (m_w, m_g, m_f, m_b) \\
    \nabla\cdot\big(\lambda\,(\nabla\cdot u)\,I + \mu\,(\nabla u + \nabla u^T)\big) &= \gamma\,\nabla c,
    \qquad v = \partial_t u

with white and gray matter, fluid, and what lies outside the brain; u = 0 at the rim of the window, and no flux of cells
through the border of the tissue. The moduli follow the tissue and the cells of the day. Without pressure
(:math:`\gamma = 0`) this is Fisher-Kolmogorov.

**Choices.** Cells and tissue are transported by one conservative finite-volume scheme with the displacements normal to
faces, where the elastic solver puts them, so no cell and no tissue is lost; semi-Lagrangian steps would lose some with
every interpolation. A step migrates for half of its time, carries everything to where the middle of
the step should be, solves for the displacement there, carries on to the end of the step, and migrates again: second
order. What has been carried since the start is always one displacement in equilibrium, so errors don't add up. Where
tissue was squeezed or stretched, its composition m over the sum of m says what it is.

The healthy anatomy is taken to be that without a tumor, so the first cells have pushed already on day 0.

Source: Ezhov, dissertation (2023), Eqs. 3-10 of Chapter 7; Subramanian et al., J. Math. Biol. 79 (2019). Their maps
end at the skull; ours go on into a stiff surrounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from gliocast.anatomy.mobility import TISSUE_FRACTION, fastest_mobility, is_tissue, require_ratio
from gliocast.core import POSITIVE, Anatomy, ConvergenceError, InputError, Parameter
from gliocast.growth.elasticity import Displacement, centered, lame
from gliocast.growth.models.fisher_kolmogorov import PROLIFERATION_RATE, WHITE_MATTER_DIFFUSIVITY

TUMOR_PRESSURE = Parameter(
    name="tumor_pressure",
    symbol="gamma",
    unit="kPa",
    support=POSITIVE,
    typical=(1.0, 25.0),
    source="convention: with the stiffness below, tissue around a tumor of 17 mm radius gives way by 0.2 mm per kPa",
)


#: Where fluid was, linear elasticity lets a tumor squeeze itself without end. Single voxels of fluid hold twice what
#: fits at ordinary pressures; this is no longer a tumor [1].
_MOST_CELLS = 4.0

#: Place of fluid in the stack of tissue.
_FLUID = 2


@dataclass(frozen=True)
class Stiffness:
    """Elastic constants of what fills a head.

    Source: Young's moduli and Poisson's ratios of published mass-effect models (Gooya et al., IEEE Trans. Med. Imaging
    31 (2012), and their successors).

    Args:
        fluid: (Young's modulus [kPa], Poisson's ratio [1]) of cerebrospinal fluid.
        brain: of white and gray matter.
        tumor: of tumor at carrying capacity.
        outside: of what surrounds the brain.
    """

    fluid: tuple[float, float] = (0.1, 0.1)
    brain: tuple[float, float] = (2.1, 0.4)
    tumor: tuple[float, float] = (8.0, 0.45)
    outside: tuple[float, float] = (15.0, 0.45)

    def __post_init__(self) -> None:
        for part in fields(self):
            young, poisson = getattr(self, part.name)
            if not (0 < young < np.inf and 0 <= poisson < 0.5):
                raise InputError(
                    f"stiffness of {part.name}",
                    expected="a positive Young's modulus [kPa] and a Poisson's ratio in [0, 0.5)",
                    got=f"{young}, {poisson}",
                    advice="begin with the defaults",
                )

    def moduli(self, composition: Any, cells: Any) -> tuple[Any, Any]:
        """Lame's moduli [kPa] of a mixture: (4, x, y, z) shares of white, gray, fluid and outside, and cells."""
        white, gray, fluid, outside = composition
        tumor = cells.clip(0, 1)  # squeezed cells exceed one, and moduli beyond the tumor's may be those of no material
        mixed = []
        for n in range(2):  # Young's modulus, Poisson's ratio
            healthy = self.brain[n] * (white + gray) + self.fluid[n] * fluid + self.outside[n] * outside
            mixed.append(healthy + tumor * (self.tumor[n] - healthy))
        return lame(*mixed)


class State(NamedTuple):
    """State of the equation.

    Args:
        cells: density [1].
        tissue: white and gray matter, fluid and outside [1], (4, x, y, z); conserved, so squeezed tissue exceeds one.
        moved: displacement that everything has been moved by [mm].
        middle: displacement in equilibrium in the middle of the last step [mm].
        last_step: its length [d]; 0 before the first.
    """

    cells: Any
    tissue: Any
    moved: Displacement
    middle: Displacement
    last_step: Any


@dataclass(frozen=True)
class MassEffect:
    """The reaction-advection-diffusion equation with linear elasticity.

    Args:
        diffusivity_ratio: diffusivity in white over gray matter, r [1].
        stiffness: elastic constants.
        elastic_tolerance: relative residual at which elastic solves end [1]; the displacement's error is some ten times
            smaller.
    """

    diffusivity_ratio: float = 10.0
    stiffness: Stiffness = Stiffness()
    elastic_tolerance: float = 5e-3
    #: Elasticity reaches as far as the head, so a solve can't be cropped to what cells can reach.
    local = False
    #: Every member has its own elastic solves, so nothing is gained by stacking.
    stacks = "nothing"

    def __post_init__(self) -> None:
        require_ratio(self.diffusivity_ratio)
        if not 0 < self.elastic_tolerance < 1:
            raise InputError(
                "elastic tolerance", expected="a number in (0, 1)", got=f"{self.elastic_tolerance}", advice="use 5e-3"
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """White-matter diffusivity [mm^2/d], proliferation rate [1/d], pressure at carrying capacity [kPa]."""
        return WHITE_MATTER_DIFFUSIVITY, PROLIFERATION_RATE, TUMOR_PRESSURE

    def tissue(self, anatomy: Anatomy) -> np.ndarray:
        """Voxels where cells can live at first, bool."""
        return is_tissue(anatomy)

    def speeds(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """Fastest reaction [1/d] and fastest diffusivity [mm^2/d], which set the time steps."""
        return values[1], values[0] * fastest_mobility(self.diffusivity_ratio)

    def medium(self, anatomy: Anatomy, dtype: type) -> np.ndarray:
        """White and gray matter, fluid and outside, (4, x, y, z), of sum 1."""
        inside = [part * anatomy.brain for part in (anatomy.white_matter, anatomy.gray_matter, anatomy.csf)]
        maps: np.ndarray = np.stack([*inside, np.zeros_like(inside[0])]).astype(dtype)
        total = maps.sum(axis=0)
        maps[3] = np.maximum(1 - total, 0)
        return maps

    def bind(self, values: Sequence[Any], medium: np.ndarray, sweeps: Any) -> "PushingGrowth":
        """The equation with numbers, in a medium."""
        diffusivity, rate, pressure = values
        return PushingGrowth(self, sweeps, medium, diffusivity, rate, pressure)


@dataclass(frozen=True, eq=False)
class PushingGrowth:
    """Dynamics of `MassEffect`.

    Args:
        model: the equation's constants.
        sweeps: arithmetic on fields.
        medium: the tissue at first.
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        pressure: gamma [kPa].
    """

    model: MassEffect
    sweeps: Any
    medium: np.ndarray
    diffusivity: Any
    rate: Any
    pressure: Any

    def begin(self, cells: Any) -> State:
        """Cells, and the tissue that they have pushed already."""
        rest = self.sweeps.rest()
        return self._settle(State(cells, self.sweeps.load(self.medium), rest, rest, 0.0))

    def copy(self, state: State) -> State:
        """A state that stays as it is while the other goes on."""
        return state._replace(cells=self.sweeps.copy(state.cells), tissue=self.sweeps.copy(state.tissue))

    def react(self, state: State, time: Any) -> State:
        """Growth without migration over a time [d]."""
        return state._replace(cells=self.sweeps.logistic(state.cells, self.rate, time))

    def move(self, state: State, time: Any) -> State:
        """Migration, push and transport over a time [d]."""
        state = self._migrate(state, time / 2)
        state = self._carry(state, self._guess(state, time))
        middle = self._equilibrium(state)
        # on to the end of the step, at the speed between the last two middles
        goal = middle + time / (time + state.last_step) * (middle - state.middle)
        state = self._carry(state, goal)._replace(middle=middle, last_step=time)
        return self._migrate(state, time / 2)

    def kill(self, state: State, survivors: Any) -> State:
        """A share of the cells survives [1]; where that changes from voxel to voxel, tissue sinks back at once."""
        state = state._replace(cells=self.sweeps.scale(state.cells, survivors))
        return self._settle(state) if getattr(survivors, "ndim", 0) else state

    def remove(self, state: State, survivors: np.ndarray) -> State:
        """A share of the cells is left by surgery [1], one per voxel."""
        return self.kill(state, survivors)

    def close(self, state: State, cavity: np.ndarray) -> tuple["PushingGrowth", State]:
        """Empty some voxels (bool), fill them with fluid, and let the tissue around sink in with its cells."""
        hole = self.sweeps.load(cavity.astype(float))
        tissue = state.tissue * (1 - hole)
        tissue[_FLUID] = tissue[_FLUID] + state.tissue.sum(0) * hole
        emptied = self.sweeps.scale(state.cells, np.where(cavity, 0.0, 1.0))
        return self, self._settle(state._replace(cells=emptied, tissue=tissue))

    def density(self, state: State) -> Any:
        """All cells, a field."""
        return state.cells

    def fields(self, state: State) -> dict[str, Any]:
        """`white_matter`, `gray_matter` and `csf` of the day [1]; `displacement` along the axes of the grid [mm]."""
        white, gray, fluid, _ = self._composition(state.tissue)
        return {"white_matter": white, "gray_matter": gray, "csf": fluid, "displacement": centered(state.moved)}

    def _migrate(self, state: State, time: float) -> State:
        white, gray, _, _ = self._composition(state.tissue)
        open_tissue = white + gray >= TISSUE_FRACTION
        operator = self.sweeps.from_mobility((white + gray / self.model.diffusivity_ratio) * open_tissue)
        return state._replace(cells=self.sweeps.diffuse(state.cells, operator, self.diffusivity * time))

    def _equilibrium(self, state: State) -> Displacement:
        """What the cells of a state push everything to."""
        body = self.sweeps.elasticity(*self.model.stiffness.moduli(self._composition(state.tissue), state.cells))
        tolerance = self.model.elastic_tolerance
        return body.solve(self.pressure * state.cells, start=state.moved, tolerance=tolerance)

    def _guess(self, state: State, time: Any) -> Displacement:
        """The displacement of the middle of the next step, as far ahead as the middle of the last one lies back."""
        if isinstance(state.last_step, float) and state.last_step == 0:
            return state.moved
        return state.moved + time / state.last_step * (state.moved - state.middle)

    def _settle(self, state: State) -> State:
        """The state in equilibrium, with no memory of how fast things moved."""
        settled = self._equilibrium(state)
        return self._carry(state, settled)._replace(middle=settled, last_step=0.0)

    def _carry(self, state: State, goal: Displacement) -> State:
        """Cells and tissue at another displacement.

        Raises:
            ConvergenceError: cells are squeezed beyond what linear elasticity can describe.
        """
        cells, tissue = self.sweeps.transport(state.cells, state.tissue, goal - state.moved)
        densest = cells.max().item()
        if not densest <= _MOST_CELLS:  # also true for nan
            raise ConvergenceError(
                "mass effect",
                expected=f"cells squeezed to at most {_MOST_CELLS:g} times the carrying capacity",
                got=f"{densest:.3g}",
                advice="lower the tumor's pressure, gamma, or stop earlier",
            )
        return state._replace(cells=cells, tissue=tissue, moved=goal)

    @staticmethod
    def _composition(tissue: Any) -> Any:
        """Shares of white, gray, fluid and outside of what is in a voxel now."""
        return tissue / tissue.sum(0)
