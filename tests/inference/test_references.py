"""What reference tumors say, where it is known, and the network that reads it."""

import numpy as np
import pytest
import torch

from gliocast.core import Anatomy, Grid, InputError
from gliocast.growth import Simulator, SingleScan
from gliocast.inference.morph_infer import (
    Impression,
    ReadingConfig,
    ReadingNetwork,
    ReferenceReader,
    References,
    load_reading,
    save_reading,
)
from gliocast.inference.morph_infer.reading import TURNS, decode, encode
from gliocast.inference.morph_infer.references import NUM_SCALARS, NUM_VECTORS, REFERENCE_WIDTHS_MM
from gliocast.observation import OutlineLikelihood

SIDE, SPACING = 44, 2.0
THRESHOLDS = np.array([0.5, 0.15])
SEED = np.array([44.0, 42.0, 46.0])
FORWARD = SingleScan(Simulator(backend="numba-single", accuracy=2e-2))
#: Place of each reference's scalars: travel, and of whole tumor and core level, deviation and median.
FIRST, PER_REFERENCE = NUM_SCALARS - 7 * len(REFERENCE_WIDTHS_MM), 7


@pytest.fixture(scope="module")
def anatomy():
    """White matter with a slab of gray matter, without any symmetry."""
    grid = Grid((SIDE,) * 3, np.diag([SPACING, SPACING, SPACING, 1.0]))
    gray = np.zeros(grid.shape, np.float32)
    gray[:, 26:30] = 1.0
    gray[12:16, :20, 10:] = 1.0
    return Anatomy(1 - gray, gray, np.zeros_like(gray), np.ones(grid.shape, bool), grid)


def tumor(anatomy, width, travel=48.0):
    """Outlines of a tumor with a front of some width and travel [mm]."""
    number = np.sqrt(travel / (2 * width))
    density = FORWARD((number * width, number, *SEED), anatomy, days=[1.0])[0].data
    return density > THRESHOLDS[0], density > THRESHOLDS[1]


def mirrored(anatomy):
    flip = (slice(None, None, -1),)
    parts = (anatomy.white_matter, anatomy.gray_matter, anatomy.csf, anatomy.brain)
    return Anatomy(*(np.ascontiguousarray(part[flip]) for part in parts), anatomy.grid)


def test_the_wider_a_tumor_the_less_a_wide_reference_is_ragged_against_it(anatomy):
    references, narrower = References(FORWARD, anatomy), []
    for width, travel in ((1.0, 34.0), (2.4, 40.0), (4.0, 56.0)):
        scalars = references.look(*tumor(anatomy, width, travel)).scalars
        scatter = scalars[FIRST:].reshape(-1, PER_REFERENCE)[:, 2]
        narrower.append(scatter[0] - scatter[-1])
    assert narrower[0] + 0.2 < narrower[1] < narrower[2] - 0.2


def test_slopes_point_to_the_side_where_the_seed_lies(anatomy):
    """A tumor that is cut off on one side has its core's middle on the other side of the seed."""
    core, whole = tumor(anatomy, 3.2)
    cut = np.arange(SIDE)[:, None, None] * SPACING > SEED[0] + 8
    seen = References(FORWARD, anatomy).look(core & ~cut, whole & ~cut)
    assert seen.center[0] < SEED[0] - 2
    slopes = seen.vectors[2:].reshape(-1, 2, 3)
    here = References(FORWARD, anatomy).look(core, whole).vectors[2:].reshape(-1, 2, 3)
    # seen from the middle of what is left, the cut surface is too near and the other one too far
    assert (slopes[:3, 0, 0] > here[:3, 0, 0] + 0.2).all()


def test_a_mirrored_tumor_has_the_same_scalars_and_mirrored_vectors(anatomy):
    core, whole = tumor(anatomy, 2.4, 40.0)
    here = References(FORWARD, anatomy).look(core, whole)
    there = References(FORWARD, mirrored(anatomy)).look(core[::-1], whole[::-1])
    # other points of a surface are looked at when it has more than enough of them
    np.testing.assert_allclose(there.scalars, here.scalars, atol=0.12)
    np.testing.assert_allclose(there.vectors * [-1, 1, 1], here.vectors, atol=0.12)
    assert there.radius == pytest.approx(here.radius)


def test_outlines_without_voxels_and_growth_of_other_parameters_are_refused(anatomy):
    core, whole = tumor(anatomy, 3.2)
    with pytest.raises(InputError, match="outline without voxels"):
        References(FORWARD, anatomy).look(np.zeros_like(core), whole)
    with pytest.raises(InputError, match="seen through one scan"):
        References(Simulator(), anatomy)
    nothing = np.zeros(anatomy.grid.shape, np.float32)
    fluid = Anatomy(nothing, nothing, nothing + 1, anatomy.brain, anatomy.grid)
    with pytest.raises(InputError, match="brain tissue"):
        References(FORWARD, fluid).look(core, whole)


def impression(generator):
    scalars, vectors = generator.standard_normal(NUM_SCALARS), generator.standard_normal((NUM_VECTORS, 3))
    return Impression(scalars.astype(np.float32), vectors.astype(np.float32), np.array([3.0, -4.0, 5.0]), 22.0)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = ReadingNetwork(ReadingConfig(hidden=16)).eval()
    torch.nn.init.normal_(network.direct.weight, std=0.1)
    torch.nn.init.normal_(network.precision.weight, std=0.1)
    network.learn_scales(torch.randn(50, NUM_SCALARS), torch.randn(50, NUM_VECTORS, 3), torch.randn(50, 7))
    return network


def test_coordinates_and_their_inverse_cancel():
    seen = impression(np.random.default_rng(0))
    identifiable = np.array([6.0, 3.5, 10.0, -20.0, 30.0])
    found = decode(encode(seen, identifiable, THRESHOLDS), seen)
    np.testing.assert_allclose(found, [*identifiable, *THRESHOLDS], rtol=1e-12)


def test_an_answer_turns_with_the_head(network):
    """Any of the 48 turns: growth and thresholds stay, the seed's offset and its covariance turn along."""
    seen = impression(np.random.default_rng(1))
    mean, covariance = network.read(seen)
    for turn in TURNS[[5, 17, 40]]:
        vectors = (seen.vectors @ turn.T).astype(np.float32)
        there, spread = network.read(Impression(seen.scalars, vectors, seen.center, seen.radius))
        full = np.eye(7)
        full[2:5, 2:5] = turn
        np.testing.assert_allclose(there, full @ mean, atol=1e-5)
        np.testing.assert_allclose(spread, full @ covariance @ full.T, atol=1e-5)


def test_posterior_is_the_normal_distribution_that_the_network_answers(network, anatomy):
    seen = impression(np.random.default_rng(2))
    core, whole = tumor(anatomy, 3.2)
    parameters = (*FORWARD.parameters, *OutlineLikelihood(core, whole, anatomy.grid).parameters)
    reader = ReferenceReader(network)
    posterior = reader.condition(seen, parameters, generator=np.random.default_rng(0), num_samples=20_000)
    mean, covariance = network.read(seen)
    width = np.log(posterior.samples[:, 0] / posterior.samples[:, 1])
    assert width.mean() == pytest.approx(mean[1], abs=4 * width.std() / np.sqrt(20_000))
    assert width.std() == pytest.approx(np.sqrt(covariance[1, 1]), rel=0.03)
    np.testing.assert_allclose(posterior.mode, reader.point(seen))
    with pytest.raises(InputError, match="7 parameters"):
        reader.condition(seen, parameters[:5], generator=np.random.default_rng(0))


def test_weights_come_back_as_they_were_written_and_others_are_refused(network, tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="train them"):
        load_reading(path)
    save_reading(path, network)
    found = load_reading(path)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor.half().float())
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes(8))
    with pytest.raises(InputError, match="hash"):
        load_reading(path)
    path.write_bytes(content.replace(b"references 1", b"references 0"))
    with pytest.raises(InputError, match="format"):
        load_reading(path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="something else"):
        load_reading(path)
