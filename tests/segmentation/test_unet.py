"""Networks in shape, in what they are made of, and in what they leave alone."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from gliocast.core import InputError
from gliocast.nn import SqueezeExcitation
from gliocast.segmentation.unet import DEEPER_CHANNELS, UNet, UNetConfig, cubes_of, voxels_of


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def printed():
    """The network of the paper; don't change it."""
    return UNet(UNetConfig())


def named(network, kind):
    return {name: module for name, module in network.named_modules() if isinstance(module, kind)}


@pytest.mark.parametrize("patch", [1, 2])
def test_answers_have_the_resolution_of_the_scans(patch):
    config = UNetConfig(channels=(8, 16, 24), num_classes=5, patch=patch)
    assert config.multiple == 4 * patch
    sizes = [config.multiple * size for size in (2, 3, 1)]
    scans = torch.randn(2, 4, *sizes)
    network = UNet(config)
    assert network(scans).shape == (2, 5, *sizes)
    assert network.bottleneck(scans).shape == (2, 24, 2, 3, 1)


@pytest.mark.parametrize("edge", [1, 2, 3])
def test_cubes_and_voxels_are_inverse_to_the_bit(edge):
    fields = torch.randn(2, 3, edge * 2, edge * 3, edge * 4)
    assert cubes_of(fields, edge).shape == (2, 3 * edge**3, 2, 3, 4)
    assert torch.equal(voxels_of(cubes_of(fields, edge), edge), fields)


def test_channels_of_a_cube_are_its_voxels():
    fields = torch.arange(2 * 3 * 4 * 6 * 8).reshape(2, 3, 4, 6, 8)
    cubes = cubes_of(fields, 2)
    for channel in range(3):
        for x, y, z in [(0, 0, 0), (1, 0, 2), (1, 2, 3), (0, 1, 1)]:
            voxels = fields[1, channel, 2 * x : 2 * x + 2, 2 * y : 2 * y + 2, 2 * z : 2 * z + 2]
            assert torch.equal(cubes[1, 8 * channel : 8 * channel + 8, x, y, z], voxels.flatten())


def test_printed_network_has_five_levels_that_double_in_channels(printed):
    widths = [16, 32, 64, 128, 256]
    convolutions = [[layer for layer in block.layers if isinstance(layer, nn.Conv3d)] for block in printed.encoder]
    assert [[layer.out_channels for layer in block] for block in convolutions] == [[width] * 2 for width in widths]
    assert [(down.in_channels, down.out_channels, down.stride) for down in printed.down] == [
        (fine, coarse, (2, 2, 2)) for fine, coarse in pairwise(widths)
    ]
    assert [(up.in_channels, up.out_channels) for up in printed.up] == [(256, 128), (128, 64), (64, 32), (32, 16)]
    assert len(printed.decoder) == 4
    assert printed.config.multiple == 16


def test_printed_network_normalizes_by_eight_groups_and_never_over_a_batch(printed):
    groups = named(printed, nn.GroupNorm)
    assert len(groups) == 2 * (5 + 4)
    assert {norm.num_groups for norm in groups.values()} == {8}
    assert not named(printed, nn.modules.batchnorm._NormBase)  # of batches and of instances
    blocks = [*printed.encoder, *printed.decoder]
    assert all([type(layer) for layer in block.layers] == [nn.Conv3d, nn.GroupNorm, nn.ReLU] * 2 for block in blocks)


def test_printed_network_weighs_channels_at_crossings_the_deepest_block_and_decoder(printed):
    found = {name: module.excite.out_features for name, module in named(printed, SqueezeExcitation).items()}
    assert found == {
        **{f"crossing.{level}": width for level, width in enumerate((16, 32, 64, 128))},
        "deepest": 256,
        **{f"after.{level}": width for level, width in enumerate((128, 64, 32, 16))},
    }


def test_patients_of_a_batch_dont_see_each_other():
    network = UNet(UNetConfig(channels=(8, 16))).eval()
    scans = torch.randn(2, 4, 8, 8, 8)
    torch.testing.assert_close(network(scans)[:1], network(scans[:1]), atol=1e-5, rtol=1e-5)


def test_deeper_network_has_320_channels_below():
    network = UNet(UNetConfig(channels=DEEPER_CHANNELS))
    assert [block.layers[0].out_channels for block in network.encoder] == [16, 32, 64, 128, 256, 320]
    assert network.config.multiple == 32


def test_channels_are_left_as_they_are_without_squeeze_and_excitation():
    network = UNet(UNetConfig(channels=(8, 16), squeeze_excitation=False))
    assert not named(network, SqueezeExcitation)
    assert network(torch.randn(1, 4, 4, 4, 4)).shape == (1, 4, 4, 4, 4)


@pytest.mark.parametrize("residual", [True, False])
def test_block_without_weights_is_the_identity_with_a_residual_and_nothing_without(residual):
    network = UNet(UNetConfig(channels=(8, 16), residual=residual))
    fields = torch.randn(2, 8, 4, 4, 4)
    for block in (network.encoder[0], network.decoder[0]):
        for layer in block.layers:
            if isinstance(layer, nn.Conv3d):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
        assert torch.equal(block(fields), fields if residual else torch.zeros_like(fields))


def test_what_crosses_is_weighed_and_what_goes_down_is_not():
    network = UNet(UNetConfig(channels=(8, 16)))
    scans = torch.randn(1, 4, 8, 8, 8)
    answer, deepest = network(scans), network.bottleneck(scans)
    nn.init.constant_(network.crossing[0].excite.bias, -20.0)
    assert torch.equal(network.bottleneck(scans), deepest)
    assert not torch.allclose(network(scans), answer)


def test_squeeze_and_excitation_scales_each_channel_by_a_number_that_means_decide():
    module = SqueezeExcitation(16, reduction=4)
    fields = torch.randn(2, 16, 3, 4, 5) + torch.randn(2, 16, 1, 1, 1)
    found = module(fields)
    scale = found / fields
    torch.testing.assert_close(scale, scale[..., :1, :1, :1].expand_as(scale))
    assert ((scale > 0) & (scale < 1)).all()
    assert scale[0, 0, 0, 0, 0] != scale[0, 1, 0, 0, 0]
    order = torch.randperm(60)
    shuffled = fields.flatten(2)[..., order].reshape(fields.shape)
    torch.testing.assert_close(module(shuffled), found.flatten(2)[..., order].reshape(fields.shape))
    assert not torch.allclose(module(fields + 1) / (fields + 1), scale)


def test_squeeze_and_excitation_computes_what_the_paper_says():
    module = SqueezeExcitation(2, reduction=8)  # one channel in the middle
    assert module.squeeze.out_features == 1
    with torch.no_grad():
        for layer, weight, bias in (
            (module.squeeze, [[1.0, -2.0]], [0.5]),
            (module.excite, [[1.0], [-1.0]], [0.0, 2.0]),
        ):
            layer.weight.copy_(torch.tensor(weight))
            layer.bias.copy_(torch.tensor(bias))
    fields = torch.stack([torch.full((2, 2, 2), 3.0), torch.full((2, 2, 2), 1.0)])[None]
    found = module(fields)[0, :, 0, 0, 0]  # relu(3 - 2 + 0.5) = 1.5
    expected = torch.tensor([3.0, 1.0]) * torch.sigmoid(torch.tensor([1.5, 2.0 - 1.5]))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("patch", [1, 2])
def test_gradients_reach_every_parameter(patch):
    """Two channels in a group: alone in its group a channel's bias would be normalized away."""
    network = UNet(UNetConfig(channels=(16, 32, 48), reduction=2, patch=patch))
    network(torch.randn(1, 4, *[2 * network.config.multiple] * 3)).square().sum().backward()
    unreached = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert unreached == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": ()},
        {"channels": (12,)},
        {"channels": (16, 0)},
        {"channels": (-8,)},
        {"groups": 0},
        {"num_inputs": 0},
        {"num_classes": 1},
        {"reduction": 0},
        {"patch": 0},
    ],
)
def test_senseless_networks_are_refused(wrong):
    with pytest.raises(InputError, match="multiples of the"):
        UNetConfig(**wrong)


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("part", ["forward", "bottleneck"])
def test_scans_whose_edges_dont_fit_are_refused(patch, part):
    network = UNet(UNetConfig(channels=(8, 8, 8), patch=patch))
    multiple = network.config.multiple
    with pytest.raises(InputError, match=f"multiples of {multiple}, got {multiple + patch}; pad"):
        getattr(network, part)(torch.zeros(1, 4, multiple, multiple, multiple + patch))
