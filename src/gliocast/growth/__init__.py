"""Tumors that grow: equations, kernels, time stepping, and the simulator that puts them together."""

from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.simulate import Domain, Simulator

__all__ = ["Domain", "FisherKolmogorov", "Simulator"]
