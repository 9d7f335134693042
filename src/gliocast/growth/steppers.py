r"""Time stepping: exact reaction and stabilized explicit diffusion, split after Strang.

One step of length :math:`\tau` is  R(tau/2) D(tau) R(tau/2):  the logistic reaction R has an exact solution, and
diffusion D is one step of the second-order Runge-Kutta-Legendre method. Its s stages are stable up to

.. math:: \tau \le (s^2 + s - 2)\,/\,(2\,\lambda_{max})

so the work per unit of time falls like 1/s where plain explicit stepping has no choice. Neighboring half reactions
are taken together.

Source: Meyer, Balsara & Aslam, J. Comput. Phys. 257 (2014), Eqs. 16-18.
"""

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from gliocast.core import ConvergenceError
from gliocast.core.box import Box
from gliocast.growth.kernels import Kernel

#: Cells below this share of the largest density don't make the active box grow [1].
SUPPORT_LEVEL = 1e-5

#: The reach of one step, in diffusion lengths sqrt(2 D tau), that the box keeps free around its support [1].
REACH = 2.0

#: Longest step, in units of the doubling time 1/rho and of the age of the profile [1]; both measured by
#: benchmarks/forward.py to give a relative L2 error near 5e-3 (error falls like their square).
STEP_PER_RATE, STEP_PER_AGE = 0.5, 0.3

#: More steps than this are no growth of a tumor but a mistake in the units [1].
MAX_STEPS = 20_000

#: A step of more stages would carry cells farther than any head is wide [1].
MAX_STAGES = 400


@lru_cache(maxsize=256)
def rkl2_weights(num_stages: int) -> tuple[float, tuple[tuple[float, float, float, float], ...]]:
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
    """Fewest stages, at least three, that keep a step stable."""
    stages = max(3, math.ceil((math.sqrt(9 + 8 * step * spectral_radius) - 1) / 2))
    if stages > MAX_STAGES:
        raise ConvergenceError(
            "growth",
            expected=f"at most {MAX_STAGES} stages in a time step",
            got=f"{stages}",
            advice="check the units of diffusivity [mm^2/d] and time [d]",
        )
    return stages


def time_steps(start: float, stop: float, *, rate: float, age: float, accuracy: float) -> Iterator[float]:
    """Step lengths from start to stop [d]: short while the profile is young, then limited by the reaction.

    Args:
        start: time at which the interval begins [d].
        stop: time at which it ends [d].
        rate: proliferation rate [1/d].
        age: time that diffusion alone would have needed to make the initial profile [d].
        accuracy: relative L2 error aimed at [1].
    """
    scale = math.sqrt(accuracy / 5e-3)
    lengths, time = [], start
    while time < stop:
        length = min(scale * STEP_PER_AGE * (time + age), stop - start)
        if rate > 0:
            length = min(length, scale * STEP_PER_RATE / rate)
        lengths.append(length)
        time += length
        if len(lengths) > MAX_STEPS:
            raise ConvergenceError(
                "growth",
                expected=f"at most {MAX_STEPS} time steps",
                got=f"{(stop - start):g} d in steps of {length:.3g} d",
                advice="check the units of rate [1/d], diffusivity [mm^2/d] and time [d]",
            )
    stretch = (stop - start) / sum(lengths) if lengths else 1.0
    yield from (length * stretch for length in lengths)


class StrangRKL2:
    """Advances one state; holds the work arrays and the active box.

    Args:
        kernel: the sweeps.
        density: initial density, any array the kernel can load.
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        box: a box that holds the support of the initial density.
    """

    def __init__(self, kernel: Kernel, density: Any, *, diffusivity: float, rate: float, box: Box) -> None:
        self._kernel, self._diffusivity, self._rate = kernel, diffusivity, rate
        self._state = kernel.load(density)
        self._lap, self._a, self._b = (kernel.empty(self._state) for _ in range(3))
        self._shape = tuple(density.shape)
        self._level = SUPPORT_LEVEL * float(density.max())
        self._pending = 0.0
        self.box = box
        #: Voxel updates done so far, the measure of work.
        self.num_updates = 0

    def advance(self, steps: Iterable[float]) -> None:
        """Take steps of the given lengths [d]."""
        for step in steps:
            self._pending += step / 2
            self._react()
            self._diffuse(step)
            self._pending = step / 2
        self._react()

    def density(self) -> Any:
        """The density now; a view that the next step overwrites."""
        return self._kernel.unload(self._state)

    def _react(self) -> None:
        if self._rate > 0 and self._pending > 0:
            self._kernel.logistic(self._state, self.box, math.exp(self._rate * self._pending))
        self._pending = 0.0

    def _diffuse(self, step: float) -> None:
        kernel, scale = self._kernel, self._diffusivity * step
        stages = num_stages(step, self._diffusivity * kernel.conductance.bound)
        self._follow_front(step, stages)
        first, rest = rkl2_weights(stages)
        kernel.first_stage(self._state, self._lap, self._a, self.box, first * scale)
        y, previous, out = self._a, self._state, self._b
        for mu, nu, mu_tilde, gamma_tilde in rest:
            weights = (mu, nu, mu_tilde * scale, gamma_tilde * scale)
            kernel.stage(self._state, self._lap, y, previous, out, self.box, weights)
            y, previous, out = out, y, y
        self._state, self._a, self._b = y, self._state, previous
        self.num_updates += stages * self.box.num_voxels

    def _follow_front(self, step: float, stages: int) -> None:
        """Let the box grow so that what one step moves stays inside."""
        length = REACH * math.sqrt(2 * self._diffusivity * step)
        x, y, z = (min(stages, 2 + math.ceil(length / h)) for h in self._kernel.conductance.spacing)
        support = self._kernel.support(self._state, self.box, self._level)
        self.box = self.box.union(support.grown((x, y, z), self._shape))
