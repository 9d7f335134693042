"""Blocks that networks share."""

from gliocast.nn.residual import ResidualConvolutions

__all__ = ["ResidualConvolutions"]
