"""Inverse methods: functions from a target to a posterior. They know no equation and no image."""

from gliocast.inference.cma import CMAOptions, Mode, cma_search
from gliocast.inference.laplace import LaplaceOptions, laplace
from gliocast.inference.prior import IndependentPrior

__all__ = ["CMAOptions", "IndependentPrior", "LaplaceOptions", "Mode", "cma_search", "laplace"]
