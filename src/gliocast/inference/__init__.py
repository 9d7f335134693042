"""Inverse methods: functions from a target to a posterior. They know no equation and no image."""

from gliocast.inference.cma import CMAOptions, Mode, cma_search, log_posterior
from gliocast.inference.gauss_newton import GaussNewtonOptions, Linearization, gauss_newton, linearize
from gliocast.inference.laplace import LaplaceOptions, laplace, laplace_around
from gliocast.inference.mode import find_mode
from gliocast.inference.prior import IndependentPrior, UniformPrior, bend, straighten
from gliocast.inference.tmcmc import Reference, TMCMCOptions, tmcmc

__all__ = [
    "CMAOptions",
    "GaussNewtonOptions",
    "IndependentPrior",
    "LaplaceOptions",
    "Linearization",
    "Mode",
    "Reference",
    "TMCMCOptions",
    "UniformPrior",
    "bend",
    "cma_search",
    "find_mode",
    "gauss_newton",
    "laplace",
    "laplace_around",
    "linearize",
    "log_posterior",
    "straighten",
    "tmcmc",
]
