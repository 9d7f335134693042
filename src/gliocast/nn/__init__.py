"""Blocks that networks share."""

from gliocast.nn.residual import ResidualConvolutions
from gliocast.nn.squeeze_excitation import SqueezeExcitation

__all__ = ["ResidualConvolutions", "SqueezeExcitation"]
