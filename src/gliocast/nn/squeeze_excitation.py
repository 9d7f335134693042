"""Channels weighed by what the whole field says of them."""

import torch
from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Scales every channel by a number between 0 and 1 that a small network reads off the means of all channels.

    Source: Hu et al., Squeeze-and-Excitation Networks, CVPR 2018.

    Args:
        channels: of input and output.
        reduction: channels in the middle are fewer by this factor.
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, max(1, channels // reduction))
        self.excite = nn.Linear(max(1, channels // reduction), channels)

    def forward(self, fields: Tensor) -> Tensor:
        """(batch, channels, x, y, z) -> the same shape."""
        scale = torch.sigmoid(self.excite(torch.relu(self.squeeze(fields.mean(dim=(2, 3, 4))))))
        return fields * scale[:, :, None, None, None]
