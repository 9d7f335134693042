"""What reference tumors say, where it is known, and the network that reads it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logit

from gliocast.core import Anatomy, Grid, InputError
from gliocast.growth import Simulator, SingleScan
from gliocast.inference.morph_infer import (
    Impression,
    ReadingConfig,
    ReadingNetwork,
    ReferenceReader,
    References,
    load_reading,
    outlines_of,
    save_reading,
)
from gliocast.inference.morph_infer.impression import decode, encode
from gliocast.inference.morph_infer.levels import Levels
from gliocast.inference.morph_infer.reading import TURNS
from gliocast.inference.morph_infer.references import REFERENCE_RATIOS, REFERENCE_WIDTHS_MM, impression_size
from gliocast.observation import OutlineLikelihood

SIDE, SPACING = 44, 2.0
THRESHOLDS = np.array([0.5, 0.15])
SEED = np.array([44.0, 42.0, 46.0])
FORWARD = SingleScan(Simulator(backend="numba-single", accuracy=2e-2))
#: Place of each reference's scalars: travel, and of whole tumor and core level, deviation and median.
PER_REFERENCE = 7


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


def look(anatomy, core, whole, answer=None):
    return References(FORWARD, anatomy).look(outlines_of(core, whole, anatomy), answer)


def scatters(seen, count):
    """Log standard deviation of each reference on the surface of the whole tumor."""
    return seen.scalars[-count * PER_REFERENCE :].reshape(count, PER_REFERENCE)[:, 2]


def mirrored(anatomy):
    flip = (slice(None, None, -1),)
    parts = (anatomy.white_matter, anatomy.gray_matter, anatomy.csf, anatomy.brain)
    return Anatomy(*(np.ascontiguousarray(part[flip]) for part in parts), anatomy.grid)


def test_the_wider_a_tumor_the_less_a_wide_reference_is_ragged_against_it(anatomy):
    narrower = []
    for width, travel in ((1.0, 34.0), (2.4, 40.0), (4.0, 56.0)):
        scatter = scatters(look(anatomy, *tumor(anatomy, width, travel)), len(REFERENCE_WIDTHS_MM))
        narrower.append(scatter[0] - scatter[-1])
    assert narrower[0] + 0.2 < narrower[1] < narrower[2] - 0.2


def test_slopes_point_to_the_side_where_the_seed_lies(anatomy):
    """A tumor that is cut off on one side has its core's middle on the other side of the seed."""
    core, whole = tumor(anatomy, 3.2)
    cut = np.arange(SIDE)[:, None, None] * SPACING > SEED[0] + 8
    seen = look(anatomy, core & ~cut, whole & ~cut)
    assert seen.center[0] < SEED[0] - 2
    slopes = seen.vectors[2:].reshape(-1, 2, 3)
    here = look(anatomy, core, whole).vectors[2:].reshape(-1, 2, 3)
    # seen from the middle of what is left, the cut surface is too near and the other one too far
    assert (slopes[:3, 0, 0] > here[:3, 0, 0] + 0.2).all()


def test_a_closer_look_around_the_truth_sees_the_truth(anatomy):
    """Levels of a front as wide as the tumor's are the thresholds; from its seed there is no slope."""
    width, travel, count = 2.4, 40.0, len(REFERENCE_RATIOS)
    number = np.sqrt(travel / (2 * width))
    truth = np.array([number * width, number, *SEED, *THRESHOLDS])
    outlines = tumor(anatomy, width, travel)
    seen = look(anatomy, *outlines, truth)
    levels = seen.scalars[-count * PER_REFERENCE :].reshape(count, PER_REFERENCE)[:, [1, 4]]
    gaps = np.log(levels[:, 1] - levels[:, 0])  # of whole tumor and core, smaller the wider a front is
    expected = np.log(logit(THRESHOLDS[0]) - logit(THRESHOLDS[1]))
    assert np.interp(0.0, np.log(REFERENCE_RATIOS), gaps) == pytest.approx(expected, abs=0.1)
    moved = look(anatomy, *outlines, truth + [0, 0, 0, -6, 0, 0, 0])
    slopes, others = (part.vectors[-2 * count :].reshape(count, 2, 3)[1:3, 0] for part in (seen, moved))
    assert (np.linalg.norm(slopes, axis=1) < 0.3 * np.linalg.norm(others, axis=1)).all()
    assert (np.abs(others[:, 1]) > 2 * np.abs(others[:, [0, 2]]).max(axis=1)).all()  # along the way it was moved


def test_a_closer_look_says_what_it_went_out_from(anatomy):
    answer = np.array([9.0, 3.5, 43.0, 43.0, 43.0, *THRESHOLDS])
    seen = look(anatomy, *tumor(anatomy, 2.4, 40.0), answer)
    assert (seen.scalars.shape, seen.vectors.shape[0]) == ((impression_size(True)[0],), impression_size(True)[1])
    np.testing.assert_allclose(decode(np.zeros(7), seen), answer)
    np.testing.assert_allclose(encode(seen, answer), 0, atol=1e-12)


def test_a_closer_look_from_an_answer_that_is_no_tumors_ends(anatomy):
    answer = np.array([0.01, 400.0, 43.0, 43.0, 430.0, 0.999, 0.998])
    assert np.isfinite(look(anatomy, *tumor(anatomy, 2.4, 40.0), answer).scalars).all()


def test_a_mirrored_tumor_has_the_same_scalars_and_mirrored_vectors(anatomy):
    core, whole = tumor(anatomy, 2.4, 40.0)
    here = look(anatomy, core, whole)
    there = look(mirrored(anatomy), core[::-1], whole[::-1])
    # other points of a surface are looked at when it has more than enough of them
    np.testing.assert_allclose(there.scalars, here.scalars, atol=0.12)
    np.testing.assert_allclose(there.vectors * [-1, 1, 1], here.vectors, atol=0.12)
    assert there.radius == pytest.approx(here.radius)


def test_outlines_without_voxels_and_growth_of_other_parameters_are_refused(anatomy):
    core, whole = tumor(anatomy, 3.2)
    with pytest.raises(InputError, match="outline without voxels"):
        look(anatomy, np.zeros_like(core), whole)
    with pytest.raises(InputError, match="seen through one scan"):
        References(Simulator(), anatomy)
    nothing = np.zeros(anatomy.grid.shape, np.float32)
    fluid = Anatomy(nothing, nothing, nothing + 1, anatomy.brain, anatomy.grid)
    with pytest.raises(InputError, match="brain tissue"):
        look(fluid, core, whole)


#: Of fronts whose logit falls by one over a width, on two spheres, as if they had traveled 1.2 radii of the outer one.
WIDTHS, RADII = np.array([1.5, 2.4, 3.75, 6.0]), np.array([16.0, 22.0])
LEVELS = Levels(
    np.log(WIDTHS),
    np.full(4, np.log(1.2)),
    (1.2 * 22.0 - RADII[:, None]) / WIDTHS,
    np.ones((2, 1)) * 1.2 * 22.0 / WIDTHS,
    np.array([0.1, 0.1]),
    4 * np.pi * RADII**2,
)


def impression(generator, closer=False):
    num_scalars, num_vectors = impression_size(closer)
    scalars, vectors = generator.standard_normal(num_scalars), generator.standard_normal((num_vectors, 3))
    origin = generator.standard_normal(7) / 10 if closer else np.zeros(7)
    center = np.array([3.0, -4.0, 5.0])
    return Impression(scalars.astype(np.float32), vectors.astype(np.float32), center, 22.0, origin, LEVELS)


def network_of(closer):
    torch.manual_seed(0)
    network = ReadingNetwork(ReadingConfig(closer, hidden=16)).eval()
    torch.nn.init.normal_(network.direct.weight, std=0.1)
    torch.nn.init.normal_(network.precision.weight, std=0.1)
    num_scalars, num_vectors = impression_size(closer)
    network.learn_scales(torch.randn(50, num_scalars), torch.randn(50, num_vectors, 3), 0.1 * torch.randn(50, 7))
    return network


@pytest.fixture(scope="module")
def network():
    return network_of(closer=False)


@pytest.fixture(scope="module")
def both(network):
    return network, network_of(closer=True)


def test_coordinates_and_their_inverse_cancel():
    seen = impression(np.random.default_rng(0), closer=True)
    point = np.array([6.0, 3.5, 10.0, -20.0, 30.0, *THRESHOLDS])
    np.testing.assert_allclose(decode(encode(seen, point), seen), point, rtol=1e-12)


def test_an_answer_turns_with_the_head(network):
    """Any of the 48 turns: growth and thresholds stay, the seed's offset and its covariance turn along."""
    seen = impression(np.random.default_rng(1))
    mean, covariance = network.read(seen)
    for turn in TURNS[[5, 17, 40]]:
        vectors = (seen.vectors @ turn.T).astype(np.float32)
        there, spread = network.read(replace(seen, vectors=vectors))
        full = np.eye(7)
        full[2:5, 2:5] = turn
        np.testing.assert_allclose(there, full @ mean, atol=1e-5)
        np.testing.assert_allclose(spread, full @ covariance @ full.T, atol=1e-5)


def test_posterior_is_the_normal_distribution_of_the_last_answer(both, anatomy):
    core, whole = tumor(anatomy, 3.2)
    parameters = (*FORWARD.parameters, *OutlineLikelihood(core, whole, anatomy.grid).parameters)
    references, outlines = References(FORWARD, anatomy), outlines_of(core, whole, anatomy)
    reader, drawn = ReferenceReader(both), {"generator": np.random.default_rng(0), "num_samples": 20_000}
    posterior = reader.condition(references, outlines, parameters, **drawn)
    mean, covariance, closer = reader.answer(references, outlines)
    width = np.log(posterior.samples[:, 0] / posterior.samples[:, 1])
    assert width.mean() == pytest.approx(closer.origin[1] + mean[1], abs=4 * width.std() / np.sqrt(20_000))
    assert width.std() == pytest.approx(np.sqrt(covariance[1, 1]), rel=0.03)
    np.testing.assert_allclose(posterior.mode, decode(mean, closer))
    with pytest.raises(InputError, match="7 parameters"):
        reader.condition(references, outlines, parameters[:5], generator=np.random.default_rng(0))


def test_every_look_goes_out_from_the_answer_before(both, anatomy):
    references, outlines = References(FORWARD, anatomy), outlines_of(*tumor(anatomy, 3.2), anatomy)
    afar, _, first = ReferenceReader(both[:1]).read(references, outlines)
    near, _, second = ReferenceReader(both).read(references, outlines)
    nearer, _ = both[1].read(references.look(outlines, decode(near, second)))
    _, _, last = ReferenceReader(both).answer(references, outlines)
    np.testing.assert_allclose(first.origin, 0)
    np.testing.assert_allclose(second.origin, afar, rtol=1e-9)
    np.testing.assert_allclose(last.origin, second.origin + near + nearer, rtol=1e-9)


@pytest.mark.parametrize("width", [1.8, 3.1, 5.0])
def test_levels_lead_along_what_they_leave_open_to_where_both_relations_hold(width):
    """Fronts of any width, whose travel and thresholds a normal answer knows badly; the width it knows."""
    thresholds = (1.15 * 22.0 - RADII) / width
    truth = np.array([np.log(1.15), np.log(width), 0, 0, 0, *thresholds])
    mean = truth + np.array([0.04, 0.0, 0, 0, 0, -0.3, 0.3])
    covariance = np.diag([0.1, 0.001, 0.05, 0.05, 0.05, 0.4, 0.4]) ** 2
    given = LEVELS.agree(mean, covariance)
    slack = [(np.exp(given[0]) * 22.0 - radius) / np.exp(given[1]) - given[5 + k] for k, radius in enumerate(RADII)]
    assert np.abs(slack).max() < 0.1  # the references are at 1.2 radii and rise linearly from there
    np.testing.assert_array_equal(given[2:5], mean[2:5])


def test_an_answer_far_from_the_references_stays_where_it_is():
    mean, covariance = np.array([2.0, 4.0, 0, 0, 0, 8.0, -8.0]), np.diag([3.0, 3.0, 0.1, 0.1, 0.1, 3.0, 3.0]) ** 2
    given = LEVELS.agree(mean, covariance)
    assert np.isfinite(given).all()
    assert (np.abs(given - mean) <= 3.001 * np.sqrt(np.diag(covariance))).all()


def test_uncertain_levels_change_nothing():
    loose = replace(LEVELS, scatters=np.array([1e4, 1e4]))
    mean, covariance = np.array([0.1, 0.9, 0, 0, 0, 0.3, -1.2]), 0.01 * np.eye(7)
    np.testing.assert_allclose(loose.agree(mean, covariance), mean, atol=1e-6)


def test_weights_come_back_as_they_were_written_and_others_are_refused(both, tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="train them"):
        load_reading(path)
    save_reading(path, both)
    for network, found in zip(both, load_reading(path), strict=True):
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(found.state_dict()[name], tensor.half().float())
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes(8))
    with pytest.raises(InputError, match="hash"):
        load_reading(path)
    path.write_bytes(content.replace(b"references 2", b"references 0"))
    with pytest.raises(InputError, match="format"):
        load_reading(path)
    save_reading(path, both[::-1])
    with pytest.raises(InputError, match="a first look"):
        load_reading(path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="something else"):
        load_reading(path)
