"""Sweeps over voxels: coefficients of the operators, and one set of sweeps per way to compute."""

from gliocast.growth.kernels.conductance import Conductance, conductance
from gliocast.growth.kernels.numba_sweeps import NumbaSweeps

__all__ = ["Conductance", "NumbaSweeps", "conductance"]
