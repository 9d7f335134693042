"""Sweeps over voxels: the face coefficients, and one kernel per way to compute."""

from typing import Any, Protocol

import numpy as np

from gliocast.core.box import Box
from gliocast.growth.kernels.conductance import Conductance, conductance
from gliocast.growth.kernels.numba_kernel import NumbaKernel


class Kernel(Protocol):
    """What a stepper asks of whoever holds the state; the type of the state is the kernel's own affair."""

    @property
    def conductance(self) -> Conductance:
        """The face coefficients that the sweeps use."""
        ...

    def load(self, density: np.ndarray) -> Any:
        """A state of the kernel's own from a density."""
        ...

    def empty(self, state: Any) -> Any:
        """Another state, all zero."""
        ...

    def unload(self, state: Any) -> np.ndarray:
        """The density that a state holds."""
        ...

    def logistic(self, state: Any, box: Box, growth: float) -> None:
        """Exact logistic growth by the factor exp(rho t), in place."""
        ...

    def first_stage(self, y0: Any, lap: Any, out: Any, box: Box, scale: float) -> None:
        """lap <- L y0, out <- y0 + scale lap."""
        ...

    def stage(self, y0: Any, lap: Any, y: Any, previous: Any, out: Any, box: Box, weights: tuple[float, ...]) -> None:
        """out <- the next Runge-Kutta-Legendre stage; out may be previous."""
        ...

    def support(self, state: Any, box: Box, level: float) -> Box:
        """The smallest box that holds every voxel above a level."""
        ...


__all__ = ["Conductance", "Kernel", "NumbaKernel", "conductance"]
