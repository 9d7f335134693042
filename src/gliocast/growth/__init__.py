"""Tumors that grow: equations, kernels, time stepping, and the simulator that puts them together."""

from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.simulate import Simulator
from gliocast.growth.single_scan import DIFFUSION_LENGTH, GROWTH_NUMBER, SingleScan
from gliocast.growth.start import SEED, DensityMap, GaussianSeed, PointSeed
from gliocast.growth.stop import DiameterReached, VolumeReached

__all__ = [
    "DIFFUSION_LENGTH",
    "GROWTH_NUMBER",
    "SEED",
    "DensityMap",
    "DiameterReached",
    "FisherKolmogorov",
    "GaussianSeed",
    "PointSeed",
    "Simulator",
    "SingleScan",
    "VolumeReached",
]
