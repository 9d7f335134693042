"""Inverse methods: functions from a target to a posterior. They know no equation and no image."""

from gliocast.inference.cma import CMAOptions, Mode, cma_search, log_posterior
from gliocast.inference.laplace import LaplaceOptions, laplace
from gliocast.inference.prior import IndependentPrior, UniformPrior, bend, straighten
from gliocast.inference.tmcmc import Reference, TMCMCOptions, tmcmc

__all__ = [
    "CMAOptions",
    "IndependentPrior",
    "LaplaceOptions",
    "Mode",
    "Reference",
    "TMCMCOptions",
    "UniformPrior",
    "bend",
    "cma_search",
    "laplace",
    "log_posterior",
    "straighten",
    "tmcmc",
]
