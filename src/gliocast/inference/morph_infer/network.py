"""The network that reads growth off two outlines.

Architecture of Learn-Morph-Infer (Ezhov, dissertation, Chapter 7, Fig. 2): a convolution of kernel 7 and stride 2, four
residual blocks of four convolutions of kernel 3, max-pooling after the first three, global average pooling, one linear
layer. Every convolution has a ReLU; the number of channels is the same throughout (64 there).

Departures. The network sees a window around the tumor instead of the whole atlas, and beside the outlines the white and
gray matter in it: what it learns is growth in tissue and not one brain, so that training tumors may be mirrored, and
tens of thousands of examples do where the paper has eighty thousand. The linear layer also sees a few moments of the
outlines, whose logarithms pooling can't take. Beside the answer the network gives the Cholesky factor of its
precision, so that it is a posterior and not a point.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gliocast.core import InputError
from gliocast.nn import ResidualConvolutions

#: Outlines, white matter, gray matter.
NUM_CHANNELS_IN = 3

#: Log-precisions beyond this are no knowledge but rounding [1].
_MAX_LOG_PRECISION = 8.0


@dataclass(frozen=True)
class NetworkConfig:
    """Size of the network.

    Args:
        num_moments: moments of the outlines that the last layer sees.
        num_outputs: parameters that it answers with.
        channels: of every convolution; 64 in the paper.
        num_blocks: residual blocks.
    """

    num_moments: int
    num_outputs: int
    channels: int = 32
    num_blocks: int = 4

    def __post_init__(self) -> None:
        if min(vars(self).values()) < 1:
            raise InputError("network", expected="positive sizes", got=f"{self}", advice="use the defaults")


class InverseNetwork(nn.Module):
    """Outlines and tissue to scaled parameters and their precision.

    Args:
        config: size.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, count = config.channels, config.num_outputs
        self.stem = nn.Conv3d(NUM_CHANNELS_IN, width, 7, stride=2, padding=3)
        self.blocks = nn.ModuleList(ResidualConvolutions(width) for _ in range(config.num_blocks))
        self.answer = nn.Linear(width + config.num_moments, count)
        self.precision = nn.Linear(width + config.num_moments, count * (count + 1) // 2)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        for block in self.blocks:  # a deep stack of He-normal residuals explodes; it begins near the identity
            nn.init.zeros_(block.convolutions[-1].weight)  # type: ignore[index,union-attr]
        nn.init.zeros_(self.precision.weight)

    def forward(self, windows: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled parameters and the Cholesky factor of their precision.

        Args:
            windows: (batch, 3, x, y, z), see `gliocast.inference.morph_infer.window`.
            moments: (batch, num_moments).

        Returns:
            (batch, num_outputs) and lower triangular (batch, num_outputs, num_outputs).
        """
        fields = torch.relu(self.stem(windows))
        for index, block in enumerate(self.blocks):
            fields = block(fields)
            if index + 1 < len(self.blocks):
                fields = nn.functional.max_pool3d(fields, 2)
        pooled = torch.cat([fields.float().mean(dim=(2, 3, 4)), moments.float()], dim=1)
        with torch.autocast(windows.device.type, enabled=False):
            return self.answer(pooled), precision_factor(self.precision(pooled), self.config.num_outputs)


def precision_factor(entries: Tensor, count: int) -> Tensor:
    """Lower triangular factor with a positive diagonal, (batch, count, count), of its entries as a layer gives them."""
    rows, columns = torch.tril_indices(count, count, device=entries.device)
    factor = entries.new_zeros(len(entries), count, count)
    factor[:, rows, columns] = entries
    diagonal = torch.diagonal(factor, dim1=1, dim2=2)
    grown = torch.exp(_MAX_LOG_PRECISION * torch.tanh(diagonal / _MAX_LOG_PRECISION))
    return torch.tril(factor, -1) + torch.diag_embed(grown)


def inverse_loss(answer: Tensor, factor: Tensor, truth: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean squared error of the answer, and negative log-likelihood of its errors under the stated precision.

    The likelihood sees the answer as a constant: uncertainty is learned, but no example is given up for being hard.

    Args:
        answer: scaled parameters, (batch, num_outputs).
        factor: Cholesky factor L of the precision L L^T, (batch, num_outputs, num_outputs).
        truth: scaled parameters, (batch, num_outputs).
        weight: of each parameter's square error [1], (num_outputs,).

    Returns:
        Both losses, scalars.
    """
    error = truth - answer
    squared = (weight * error.square()).mean()
    whitened = torch.einsum("nij,ni->nj", factor, error.detach())
    log_determinant = torch.log(torch.diagonal(factor, dim1=1, dim2=2)).sum(dim=1)
    return squared, (0.5 * whitened.square().sum(dim=1) - log_determinant).mean()
