r"""Runge-Kutta-Legendre stepping of  du/dt = L u,  L symmetric and negative semi-definite.

The s stages of the second-order method are stable up to

.. math:: \tau \le (s^2 + s - 2)\,/\,(2\,\lambda_{max})

so the work per unit of time falls like 1/s where plain explicit stepping has no choice.

Source: Meyer, Balsara & Aslam, J. Comput. Phys. 257 (2014), Eqs. 16-18.
"""

import math
from functools import lru_cache

from gliocast.core import ConvergenceError

#: A step of more stages would carry cells farther than any head is wide [1].
MAX_STAGES = 400

#: Weights (mu, nu, mu~, gamma~) of one stage [1].
StageWeights = tuple[float, float, float, float]


@lru_cache(maxsize=256)
def rkl2_weights(num_stages: int) -> tuple[float, tuple[StageWeights, ...]]:
    """Weights of the s-stage method: mu~_1, and (mu_j, nu_j, mu~_j, gamma~_j) for j = 2 to s."""
    s = num_stages
    b = [1 / 3, 1 / 3] + [(j * j + j - 2) / (2 * j * (j + 1)) for j in range(2, s + 1)]
    w = 4 / (s * s + s - 2)
    stages = []
    for j in range(2, s + 1):
        mu = (2 * j - 1) / j * b[j] / b[j - 1]
        nu = -(j - 1) / j * b[j] / b[j - 2]
        stages.append((mu, nu, mu * w, -(1 - b[j - 1]) * mu * w))
    return b[1] * w, tuple(stages)


def num_stages(step: float, spectral_radius: float) -> int:
    """Fewest stages, at least three, that keep a step stable.

    Raises:
        ConvergenceError: so many that a unit must be wrong.
    """
    stages = max(3, math.ceil((math.sqrt(9 + 8 * step * spectral_radius) - 1) / 2))
    if stages > MAX_STAGES:
        raise ConvergenceError(
            "growth",
            expected=f"at most {MAX_STAGES} stages in a time step",
            got=f"{stages}",
            advice="check the units of diffusivity [mm^2/d] and time [d]",
        )
    return stages
