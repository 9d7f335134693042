r"""Fisher-Kolmogorov growth with a diffusion tensor: cells migrate along fibers.

.. math::
    \partial_t u = \nabla\cdot(D_w\,T(x)\,\nabla u) + \rho\,u\,(1 - u), \qquad n\cdot T\,\nabla u = 0

with the mobility tensor :math:`T(x)`, off-diagonal entries included, that `anatomy.tensor_mobility` makes of the
diffusion of water. Where T is isotropic this is `FisherKolmogorov`, to the bit of its coefficients.

Source: Jbabdi et al., Magn. Reson. Med. 54 (2005); Clatz et al., IEEE Trans. Med. Imaging 24 (2005).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.anatomy import require_anisotropy, tensor_mobility
from gliocast.anatomy.mobility import fastest_mobility, is_tissue, require_ratio
from gliocast.core import Anatomy, DiffusionTensor, Parameter
from gliocast.growth.kernels.tensor import TensorConductance, tensor_conductance
from gliocast.growth.models.fisher_kolmogorov import PROLIFERATION_RATE, WHITE_MATTER_DIFFUSIVITY
from gliocast.growth.models.logistic import LogisticGrowth

#: Along its fibers a tensor diffuses at most by this factor faster than on average: the others of its three
#: eigenvalues may vanish [1].
LARGEST_EIGENVALUE = 3.0


@dataclass(frozen=True, eq=False)
class TensorFisherKolmogorov:
    """Anisotropic, heterogeneous Fisher-Kolmogorov equation.

    Args:
        water: diffusion tensor of water on the anatomy's grid, any unit.
        diffusivity_ratio: mean diffusivity in white over gray matter, r [1].
        anisotropy: how much more anisotropic cells migrate than water [1]; 1 leaves the water's.
    """

    water: DiffusionTensor
    diffusivity_ratio: float = 10.0
    anisotropy: float = 1.0
    #: A solve may be cropped to what cells can reach.
    local = True
    #: The neighbors of a voxel depend on its tensor, so members of a stacked batch share their anatomy.
    stacks = "parameters"

    def __post_init__(self) -> None:
        require_ratio(self.diffusivity_ratio)
        require_anisotropy(self.anisotropy)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Mean diffusivity in white matter [mm^2/d] and proliferation rate [1/d]."""
        return WHITE_MATTER_DIFFUSIVITY, PROLIFERATION_RATE

    def tissue(self, anatomy: Anatomy) -> np.ndarray:
        """Voxels where cells can live, bool."""
        return is_tissue(anatomy)

    def speeds(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """Fastest reaction [1/d] and fastest diffusivity [mm^2/d], which set the time steps."""
        return values[1], values[0] * LARGEST_EIGENVALUE * fastest_mobility(self.diffusivity_ratio)

    def medium(self, anatomy: Anatomy, dtype: type) -> TensorConductance:
        """Edge weights of migration; the anatomy may be a part of the one that the water tensor belongs to."""
        relative = tensor_mobility(
            self.water.part(anatomy.grid),
            anatomy,
            diffusivity_ratio=self.diffusivity_ratio,
            anisotropy=self.anisotropy,
        )
        return tensor_conductance(relative.along_voxel_axes(), anatomy.grid.spacing, dtype)

    def bind(self, values: Sequence[Any], medium: TensorConductance, sweeps: Any) -> LogisticGrowth:
        """The equation with numbers, in a medium."""
        diffusivity, rate = values
        return LogisticGrowth(sweeps, sweeps.operator(medium), diffusivity, rate, medium)
