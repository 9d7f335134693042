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

from gliocast.anatomy.diffusion_tensor import TISSUE_FRACTION
from gliocast.core import POSITIVE, Anatomy, InputError, Parameter
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

#: Ratios of diffusivity outside of this range are a mistake [1].
_RATIOS = (0.1, 1e4)


def mobility(anatomy: Anatomy, ratio: float) -> np.ndarray:
    """D(x) / D_w in [0, 1], zero where no cell can go; float32, shape of the anatomy's grid.

    Args:
        anatomy: the tissue.
        ratio: diffusivity in white over gray matter, r [1].

    Raises:
        InputError: a senseless ratio.
    """
    require_ratio(ratio)
    tissue = anatomy.white_matter + anatomy.gray_matter
    relative = anatomy.white_matter + anatomy.gray_matter / np.float32(ratio)
    return np.where(anatomy.brain & (tissue >= TISSUE_FRACTION), relative, 0).astype(np.float32)


def require_ratio(ratio: float) -> None:
    """Raise InputError unless a ratio of diffusivities makes sense."""
    if not _RATIOS[0] <= ratio <= _RATIOS[1]:  # also true for nan
        raise InputError(
            "diffusivity ratio",
            expected=f"a number from {_RATIOS[0]:g} to {_RATIOS[1]:.0f}",
            got=f"{ratio}",
            advice="use 10, or up to 100",
        )


def fastest_mobility(ratio: float) -> float:
    """Diffusivity over D_w in the fastest tissue, which is gray matter where the ratio r is below one [1]."""
    return max(1.0, 1 / ratio)


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
        return mobility(anatomy, self.diffusivity_ratio) > 0

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
