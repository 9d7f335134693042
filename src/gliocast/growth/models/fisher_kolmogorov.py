r"""Fisher-Kolmogorov growth: cells migrate through tissue and divide until there is no room.

.. math::
    \partial_t u = \nabla\cdot(D(x)\,\nabla u) + \rho\,u\,(1 - u), \qquad D\,\nabla u\cdot n = 0

with :math:`D(x) = D_w\,(p_w(x) + p_g(x) / r)` in brain tissue and zero in cerebrospinal fluid and outside the brain.
In white matter a front travels at :math:`2\sqrt{D_w\rho}` and is :math:`\sqrt{D_w/\rho}` wide.

Source: Ezhov, dissertation (2023), Eqs. 1-2 of the chapter on the geometry-aware solver; after Swanson et al. (2000).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.anatomy.mobility import fastest_mobility, is_tissue, mobility, require_ratio
from gliocast.core import POSITIVE, Anatomy, Parameter
from gliocast.growth.kernels.conductance import Conductance, conductance
from gliocast.growth.models.logistic import LogisticGrowth

WHITE_MATTER_DIFFUSIVITY = Parameter(
    name="white_matter_diffusivity",
    symbol="D_w",
    unit="mm^2/d",
    support=POSITIVE,
    typical=(0.02, 1.5),
    source="proliferation-invasion model fits to patients, Harpold, Alvord & Swanson (2007)",
)
PROLIFERATION_RATE = Parameter(
    name="proliferation_rate",
    symbol="rho",
    unit="1/d",
    support=POSITIVE,
    typical=(0.002, 0.2),
    source="proliferation-invasion model fits to patients, Harpold, Alvord & Swanson (2007)",
)


@dataclass(frozen=True)
class FisherKolmogorov:
    """Isotropic, heterogeneous Fisher-Kolmogorov equation.

    Args:
        diffusivity_ratio: diffusivity in white over gray matter, r [1]; the literature uses 10 to 100.
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
        """White-matter diffusivity [mm^2/d] and proliferation rate [1/d]."""
        return WHITE_MATTER_DIFFUSIVITY, PROLIFERATION_RATE

    def tissue(self, anatomy: Anatomy) -> np.ndarray:
        """Voxels where cells can live, bool."""
        return is_tissue(anatomy)

    def speeds(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """Fastest reaction [1/d] and fastest diffusivity [mm^2/d], which set the time steps."""
        return values[1], values[0] * fastest_mobility(self.diffusivity_ratio)

    def medium(self, anatomy: Anatomy, dtype: type) -> Conductance:
        """What the tissue makes of migration."""
        return conductance(mobility(anatomy, self.diffusivity_ratio), anatomy.grid.spacing, dtype)

    def bind(self, values: Sequence[Any], medium: Conductance, sweeps: Any) -> LogisticGrowth:
        """The equation with numbers, in a medium."""
        diffusivity, rate = values
        return LogisticGrowth(sweeps, sweeps.operator(medium), diffusivity, rate, medium)
