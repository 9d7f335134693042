r"""Fisher-Kolmogorov growth: cells migrate through tissue and divide until there is no room.

.. math::
    \partial_t u = \nabla\cdot(D(x)\,\nabla u) + \rho\,u\,(1 - u), \qquad D\,\nabla u\cdot n = 0

with :math:`D(x) = D_w\,(p_w(x) + p_g(x) / r)` in brain tissue and zero in cerebrospinal fluid and outside the brain.
In white matter a front travels at :math:`2\sqrt{D_w\rho}` and is :math:`\sqrt{D_w/\rho}` wide.

Source: Ezhov, dissertation (2023), Eqs. 1-2 of the chapter on the geometry-aware solver; after Swanson et al. (2000).
"""

from dataclasses import dataclass

import numpy as np

from gliocast.core import POSITIVE, Anatomy, InputError, Parameter

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

#: A voxel belongs to the domain of growth if at least this share of it is white or gray matter.
TISSUE_FRACTION = 0.5


@dataclass(frozen=True)
class FisherKolmogorov:
    """Isotropic, heterogeneous Fisher-Kolmogorov equation.

    Args:
        diffusivity_ratio: diffusivity in white over gray matter, r [1]; the literature uses 10 to 100.
    """

    diffusivity_ratio: float = 10.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.diffusivity_ratio <= 1e4:  # also false for nan
            raise InputError(
                "diffusivity ratio",
                expected="a number from 0.1 to 10000",
                got=f"{self.diffusivity_ratio}",
                advice="use 10, or up to 100",
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """White-matter diffusivity [mm^2/d] and proliferation rate [1/d]."""
        return WHITE_MATTER_DIFFUSIVITY, PROLIFERATION_RATE

    def mobility(self, anatomy: Anatomy) -> np.ndarray:
        """D(x) / D_w in [0, 1], zero where no cell can go; float32, shape of the anatomy's grid."""
        tissue = anatomy.white_matter + anatomy.gray_matter
        mobility = anatomy.white_matter + anatomy.gray_matter / np.float32(self.diffusivity_ratio)
        return np.where(anatomy.brain & (tissue >= TISSUE_FRACTION), mobility, 0).astype(np.float32)
