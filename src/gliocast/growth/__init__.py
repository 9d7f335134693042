"""Tumors that grow: equations, kernels, time stepping, and the simulator that puts them together.

Gradients are in `gliocast.growth.adjoint`, laws of volume growth in `gliocast.growth.ode`.
"""

from gliocast.growth.aged_scan import TUMOR_AGE, AgedScan, KnownAge
from gliocast.growth.held import Held
from gliocast.growth.models import (
    FisherKolmogorov,
    MassEffect,
    ProliferativeNecrotic,
    Stiffness,
    TensorFisherKolmogorov,
)
from gliocast.growth.simulate import Simulator
from gliocast.growth.single_scan import DIFFUSION_LENGTH, GROWTH_NUMBER, SingleScan
from gliocast.growth.start import SEED, DensityMap, GaussianSeed, PointSeed, Start
from gliocast.growth.stop import DiameterReached, Stop, VolumeReached

__all__ = [
    "DIFFUSION_LENGTH",
    "GROWTH_NUMBER",
    "SEED",
    "TUMOR_AGE",
    "AgedScan",
    "DensityMap",
    "DiameterReached",
    "FisherKolmogorov",
    "GaussianSeed",
    "Held",
    "KnownAge",
    "MassEffect",
    "PointSeed",
    "ProliferativeNecrotic",
    "Simulator",
    "SingleScan",
    "Start",
    "Stiffness",
    "Stop",
    "TensorFisherKolmogorov",
    "VolumeReached",
]
