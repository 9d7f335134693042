"""Residual blocks of three-dimensional convolutions."""

import torch
from torch import Tensor, nn


class ResidualConvolutions(nn.Module):
    """Convolutions of kernel 3, each with a ReLU, around which the input is carried (He et al., 2016).

    Args:
        channels: of input and output.
        depth: number of convolutions.
    """

    def __init__(self, channels: int, depth: int = 4) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv3d(channels, channels, 3, padding=1) for _ in range(depth))

    def forward(self, fields: Tensor) -> Tensor:
        """(batch, channels, x, y, z) -> the same shape."""
        residual = fields
        for convolution in self.convolutions:
            residual = torch.relu(convolution(residual))
        return fields + residual
