r"""Proliferating and necrotic cells with a nutrient: a core dies where cells use up more than vessels bring.

.. math::
    \partial_t p &= \nabla\cdot\big(D(x)\,(1 - n)\,\nabla\tfrac{p}{1 - n}\big)
                    + \rho\,s\,p\,(1 - p - n) - \delta\,h(s)\,p \\
    \partial_t n &= \delta\,h(s)\,p \\
    \partial_t s &= \nabla\cdot(D_s\,\chi(x)\,\nabla s) + \beta\,(1 - p - n)\,(1 - s) - \sigma\,s\,p

with the switch :math:`h(s) = 1 / (1 + (s / s_h)^4)`, the indicator :math:`\chi` of tissue, and no flux through its
border. Healthy tissue has s = 1, and vessels work in what the tumor leaves free. The rim of living cells is about
:math:`\sqrt{D_s/\sigma}` wide. Without necrosis (:math:`\delta = 0`) and uptake (:math:`\sigma = 0`) this is
Fisher-Kolmogorov.

Cells migrate along the gradient of p over the room 1 - n that dead cells leave. A plain :math:`\nabla\cdot(D\nabla p)`,
as in the two-component models of the sources, would push cells into full voxels; this flux keeps p + n <= 1.

Source: the proliferation-invasion-hypoxia-necrosis-angiogenesis model of Swanson et al., Cancer Res. 71 (2011), reduced
to one nutrient: normoxic and hypoxic cells are one species whose growth follows s, and vessels are its supply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gliocast.anatomy.mobility import fastest_mobility, is_tissue, mobility, require_ratio
from gliocast.core import POSITIVE, UNIT_INTERVAL, Anatomy, Parameter
from gliocast.growth.kernels.conductance import Conductance, conductance
from gliocast.growth.models.fisher_kolmogorov import PROLIFERATION_RATE, WHITE_MATTER_DIFFUSIVITY

NECROSIS_RATE = Parameter(
    name="necrosis_rate",
    symbol="delta",
    unit="1/d",
    support=POSITIVE,
    typical=(0.02, 0.2),
    source="cells without nutrient die within days to weeks; of the order of the rate of proliferation",
)
NECROSIS_THRESHOLD = Parameter(
    name="necrosis_threshold",
    symbol="s_h",
    unit="1",
    support=UNIT_INTERVAL,
    typical=(0.1, 0.5),
    source="convention: nutrient, as a share of that in healthy tissue, at which necrosis runs at half of its rate",
)
NUTRIENT_DIFFUSIVITY = Parameter(
    name="nutrient_diffusivity",
    symbol="D_s",
    unit="mm^2/d",
    support=POSITIVE,
    typical=(0.5, 10.0),
    source="with the uptake a living rim of some millimeters, as scans show; effective at the size of a voxel, where "
    "vessels spread what molecules alone would carry a tenth of a millimeter",
)
NUTRIENT_UPTAKE = Parameter(
    name="nutrient_uptake",
    symbol="sigma",
    unit="1/d",
    support=POSITIVE,
    typical=(0.1, 1.0),
    source="as for the nutrient's diffusivity",
)
NUTRIENT_SUPPLY = Parameter(
    name="nutrient_supply",
    symbol="beta",
    unit="1/d",
    support=POSITIVE,
    typical=(0.1, 1.0),
    source="of the order of the uptake, so that nutrient falls where cells fill half of a voxel",
)

#: Steps must resolve how nutrient spreads over this length [mm], or splitting leaves it where cells use it up. Measured
#: at the ends of the typical ranges: 2 mm keep the density's error at the accuracy asked for, 4 mm give five times that
#: and no limit twenty times.
NUTRIENT_LENGTH_MM = 2.0


class Fields(NamedTuple):
    """State of the equation.

    Args:
        proliferating: living cells, p [1].
        necrotic: dead cells, n [1].
        deficit: of the nutrient, 1 - s [1], which is zero far from the tumor.
    """

    proliferating: Any
    necrotic: Any
    deficit: Any


@dataclass(frozen=True, eq=False)
class Medium:
    """Where cells and nutrient can go.

    Args:
        mobility: of cells, D(x) / D_w.
        supplied: face coefficients of tissue as such, for the nutrient.
    """

    mobility: np.ndarray
    supplied: Conductance

    @classmethod
    def stack(cls, parts: Sequence["Medium"]) -> "Medium":
        """Several media as one, with a leading axis for the medium."""
        return cls(np.stack([part.mobility for part in parts]), Conductance.stack([part.supplied for part in parts]))


@dataclass(frozen=True)
class ProliferativeNecrotic:
    """The two-species equation with a nutrient.

    Args:
        diffusivity_ratio: diffusivity in white over gray matter, r [1].
    """

    diffusivity_ratio: float = 10.0
    #: A solve may be cropped to what cells can reach.
    local = True
    #: Members of a stacked batch may differ in their anatomies, too.
    stacks = "anatomies"

    def __post_init__(self) -> None:
        require_ratio(self.diffusivity_ratio)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Of cells: D_w, rho, delta, s_h; of the nutrient: D_s, sigma, beta."""
        return (
            WHITE_MATTER_DIFFUSIVITY,
            PROLIFERATION_RATE,
            NECROSIS_RATE,
            NECROSIS_THRESHOLD,
            NUTRIENT_DIFFUSIVITY,
            NUTRIENT_UPTAKE,
            NUTRIENT_SUPPLY,
        )

    def tissue(self, anatomy: Anatomy) -> np.ndarray:
        """Voxels where cells can live, bool."""
        return is_tissue(anatomy)

    def speeds(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """Fastest reaction, or spread of the nutrient, [1/d] and fastest diffusivity of cells [mm^2/d]."""
        diffusivity, rate, death, _, spread, uptake, _ = values
        nutrient = np.maximum(uptake, spread / NUTRIENT_LENGTH_MM**2)
        fastest = np.maximum(np.maximum(rate, death), nutrient)
        return fastest, diffusivity * fastest_mobility(self.diffusivity_ratio)

    def medium(self, anatomy: Anatomy, dtype: type) -> Medium:
        """What the tissue makes of migration and of the nutrient."""
        relative = mobility(anatomy, self.diffusivity_ratio)
        return Medium(relative.astype(dtype), conductance(relative > 0, anatomy.grid.spacing, dtype))

    def bind(self, values: Sequence[Any], medium: Medium, sweeps: Any) -> "Necrosis":
        """The equation with numbers, in a medium."""
        diffusivity, rate, death, threshold, spread, uptake, supply = values
        return Necrosis(sweeps, medium, diffusivity, spread, (rate, death, threshold, uptake, supply))


class Necrosis:
    """Dynamics of `ProliferativeNecrotic`.

    Args:
        sweeps: arithmetic on fields.
        medium: where cells and nutrient can go.
        diffusivity: of cells, D_w [mm^2/d].
        spread: diffusivity of the nutrient, D_s [mm^2/d].
        rates: rho, delta [1/d], s_h [1], sigma, beta [1/d].
    """

    def __init__(self, sweeps: Any, medium: Medium, diffusivity: Any, spread: Any, rates: tuple[Any, ...]) -> None:
        self.sweeps = sweeps
        self._medium, self._diffusivity, self._spread, self._rates = medium, diffusivity, spread, rates
        self._migration = sweeps.crowded(medium.mobility)
        self._supply = sweeps.operator(medium.supplied)

    def begin(self, cells: Any) -> Fields:
        """Living cells only, in tissue with all of its nutrient."""
        return Fields(cells, self.sweeps.empty(), self.sweeps.empty())

    def copy(self, state: Fields) -> Fields:
        """A state that stays as it is while the other goes on."""
        return Fields(*(self.sweeps.copy(field) for field in state))

    def react(self, state: Fields, time: Any) -> Fields:
        """Nutrient, necrosis and growth inside voxels over a time [d]."""
        return Fields(*self.sweeps.starve(tuple(state), time, self._rates))

    def move(self, state: Fields, time: Any) -> Fields:
        """Migration of cells and spread of the nutrient over a time [d]; dead cells stay."""
        cells = self.sweeps.migrate(state.proliferating, state.necrotic, self._migration, self._diffusivity * time)
        return Fields(cells, state.necrotic, self.sweeps.diffuse(state.deficit, self._supply, self._spread * time))

    def kill(self, state: Fields, survivors: Any) -> Fields:
        """A share of the living cells survives [1]; the others are cleared away."""
        return state._replace(proliferating=self.sweeps.scale(state.proliferating, survivors))

    def remove(self, state: Fields, survivors: np.ndarray) -> Fields:
        """A share of living and dead cells is left by surgery [1], one per voxel."""
        living, dead = (self.sweeps.scale(field, survivors) for field in (state.proliferating, state.necrotic))
        return Fields(living, dead, state.deficit)

    def close(self, state: Fields, cavity: np.ndarray) -> tuple["Necrosis", Fields]:
        """Empty some voxels (bool); the dynamics that let nothing enter them again, and the state."""
        blocked = np.where(cavity, 0, self._medium.mobility).astype(self._medium.mobility.dtype)
        medium = Medium(blocked, self._medium.supplied.closed(cavity))
        shut = Necrosis(self.sweeps, medium, self._diffusivity, self._spread, self._rates)
        return shut, Fields(*(self.sweeps.scale(field, np.where(cavity, 0.0, 1.0)) for field in state))

    def density(self, state: Fields) -> Any:
        """Living and dead cells, p + n."""
        return state.proliferating + state.necrotic

    def fields(self, state: Fields) -> dict[str, Any]:
        """`necrotic` cells and the `nutrient_deficit`, both [1]."""
        return {"necrotic": state.necrotic, "nutrient_deficit": state.deficit}
