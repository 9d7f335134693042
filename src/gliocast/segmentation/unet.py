"""The 3D U-Net that segments: residual blocks, squeeze and excitation, resolution and channels changed at once.

Five levels of two convolutions each, every one followed by group normalization and a ReLU. A convolution of stride 2
leads down, a transposed one up, so that a block receives the channels that it gives and its input can be carried around
it. Channels are weighed by squeeze and excitation before they cross from encoder to decoder, and after each block of
the decoder and the deepest one.

Beside the network as printed there is one for machines without a GPU: with a patch of 2 it begins with cubes of eight
voxels as channels, works on half the resolution, and ends with eight voxels for each place (sub-pixel convolution, Shi
et al., CVPR 2016). That is an eighth of the work on the finest level, and labels keep the resolution of the scans.

Source: Colle, Brain Tumor Segmentation and Survival Prediction, Section 3.2 and Table 3; Cicek et al., MICCAI 2016.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from gliocast.core import InputError
from gliocast.nn import SqueezeExcitation

#: Channels of the levels as printed, and of the deeper variant.
PRINTED_CHANNELS, DEEPER_CHANNELS = (16, 32, 64, 128, 256), (16, 32, 64, 128, 256, 320)


@dataclass(frozen=True)
class UNetConfig:
    """Size and kind of a network.

    Args:
        num_inputs: scans that it sees.
        num_classes: that it tells apart, background included.
        channels: of each level, from fine to coarse.
        groups: of the normalization; every number of channels is a multiple of it.
        residual: whether the input of a block is added to its output.
        squeeze_excitation: whether channels are weighed.
        reduction: of squeeze and excitation.
        patch: edge of the cubes of voxels that the first level takes as one [voxels].
    """

    num_inputs: int = 4
    num_classes: int = 4
    channels: tuple[int, ...] = PRINTED_CHANNELS
    groups: int = 8
    residual: bool = True
    squeeze_excitation: bool = True
    reduction: int = 8
    patch: int = 1

    def __post_init__(self) -> None:
        sizes = (self.num_inputs, self.num_classes - 1, len(self.channels), self.groups, self.reduction, self.patch)
        if min(sizes) < 1 or any(number < 1 or number % self.groups for number in self.channels):
            raise InputError(
                "network",
                expected=f"positive sizes, and channels in multiples of the {self.groups} groups",
                got=f"{self}",
                advice="use the defaults",
            )

    @property
    def multiple(self) -> int:
        """Edges of what the network sees are multiples of this [voxels]."""
        return self.patch * 2 ** (len(self.channels) - 1)


class UNet(nn.Module):
    """Standardized scans to logits of classes.

    Args:
        config: size and kind.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, cube = config.channels, config.patch**3
        self.stem = nn.Conv3d(config.num_inputs * cube, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv3d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths))
        self.encoder = nn.ModuleList(_Block(width, config) for width in widths)
        self.crossing = nn.ModuleList(_weighed(width, config) for width in widths[:-1])
        self.deepest = _weighed(widths[-1], config)
        pairs = list(zip(widths[-2::-1], widths[:0:-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose3d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.join = nn.ModuleList(nn.Conv3d(2 * fine, fine, 1) for fine, _ in pairs)
        self.decoder = nn.ModuleList(_Block(fine, config) for fine, _ in pairs)
        self.after = nn.ModuleList(_weighed(fine, config) for fine, _ in pairs)
        self.head = nn.Conv3d(widths[0], config.num_classes * cube, 1)

    def forward(self, scans: Tensor) -> Tensor:
        """(batch, num_inputs, x, y, z), edges multiples of `config.multiple` -> (batch, num_classes, x, y, z)."""
        fields, skips = self._encoded(scans)
        for up, join, block, weigh, skip in zip(
            self.up, self.join, self.decoder, self.after, reversed(skips), strict=True
        ):
            fields = weigh(block(join(torch.cat([skip, up(fields)], dim=1))))
        return voxels_of(self.head(fields), self.config.patch)

    def bottleneck(self, scans: Tensor) -> Tensor:
        """The deepest features, right before they are led up: (batch, channels[-1], x', y', z')."""
        return self._encoded(scans)[0]

    def _encoded(self, scans: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The deepest features, and those that cross at each finer level."""
        for size in scans.shape[2:]:
            _whole(size, self.config.multiple)
        fields, skips = self.encoder[0](self.stem(cubes_of(scans, self.config.patch))), []
        for down, cross, block in zip(self.down, self.crossing, self.encoder[1:], strict=True):
            skips.append(cross(fields))
            fields = block(down(fields))
        return self.deepest(fields), skips


class _Block(nn.Module):
    """Two convolutions, each with normalization and ReLU; the input is carried around them."""

    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()
        self.residual = config.residual
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.Conv3d(channels, channels, 3, padding=1),
                nn.GroupNorm(config.groups, channels),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, fields: Tensor) -> Tensor:
        convolved: Tensor = self.layers(fields)
        return fields + convolved if self.residual else convolved


def _weighed(channels: int, config: UNetConfig) -> nn.Module:
    return SqueezeExcitation(channels, config.reduction) if config.squeeze_excitation else nn.Identity()


def cubes_of(fields: Tensor, edge: int) -> Tensor:
    """Cubes of voxels as channels: (batch, channels, x, y, z) -> (batch, channels * edge^3, x / edge, ...)."""
    if edge == 1:
        return fields
    batch, channels, *shape = fields.shape
    x, y, z = (_whole(size, edge) for size in shape)
    cut = fields.reshape(batch, channels, x, edge, y, edge, z, edge)
    return cut.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, channels * edge**3, x, y, z)


def voxels_of(fields: Tensor, edge: int) -> Tensor:
    """The inverse of `cubes_of`."""
    if edge == 1:
        return fields
    batch, channels, x, y, z = fields.shape
    cut = fields.reshape(batch, channels // edge**3, edge, edge, edge, x, y, z)
    return cut.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, channels // edge**3, *_sizes((x, y, z), edge))


def _sizes(shape: Sequence[int], edge: int) -> tuple[int, ...]:
    return tuple(edge * size for size in shape)


def _whole(size: int, edge: int) -> int:
    if size % edge:
        raise InputError("network", expected=f"edges in multiples of {edge}", got=f"{size}", advice="pad the scans")
    return size // edge
