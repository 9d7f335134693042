"""Tumors that grow: equations, kernels, time stepping, and the simulator that puts them together."""

from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.simulate import SEED, Simulator
from gliocast.growth.single_scan import DIFFUSION_LENGTH, GROWTH_NUMBER, SingleScan

__all__ = ["DIFFUSION_LENGTH", "GROWTH_NUMBER", "SEED", "FisherKolmogorov", "Simulator", "SingleScan"]
