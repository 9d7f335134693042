"""Transitional Markov chain Monte Carlo: samples and evidence, from the prior to the posterior by degrees."""

from gliocast.inference.tmcmc.options import Move, TMCMCOptions
from gliocast.inference.tmcmc.reference import Reference
from gliocast.inference.tmcmc.sampler import tmcmc

__all__ = ["Move", "Reference", "TMCMCOptions", "tmcmc"]
