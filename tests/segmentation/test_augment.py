"""Windows against what they are cut from, against scipy, and labels against the scans that move with them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from gliocast.core import dice
from gliocast.segmentation.augment import Augmentation, _placed, augmented, cut, receive_field
from gliocast.segmentation.intensities import scaled, standardized

from .phantom import brain_classes, gray_values

SHAPE, EDGE = (34, 38, 30), 24
CENTER = np.array([16.5, 18.5, 15.5])  # in the middle of whole voxels for an even edge


@pytest.fixture(scope="module")
def classes():
    return torch.from_numpy(brain_classes(SHAPE))


@pytest.fixture(scope="module")
def scans(classes):
    """Smooth, scaled and in half precision, as they lie on disk."""
    brain = classes > 0
    smooth = [ndimage.gaussian_filter(scan, 1.5) for scan in gray_values(classes.numpy()).values()]
    return scaled(torch.from_numpy(np.stack(smooth)), brain).half()


def only(**wanted):
    """Nothing but what is asked for."""
    return replace(Augmentation.none(), **wanted)


def made(scans, classes, augmentation, seed=0, center=CENTER, edge=EDGE):
    generator = np.random.default_rng(seed)
    return augmented(scans, classes, center=center, edge=edge, augmentation=augmentation, generator=generator)


def cut_out(fields, lower, edge):
    """A cube of fields, by numpy, with zeros far beyond."""
    padded = np.pad(fields, [(0, 0)] * (fields.ndim - 3) + [(edge, edge)] * 3)
    return torch.from_numpy(padded[(..., *(slice(edge + a, 2 * edge + a) for a in lower))])


@pytest.mark.parametrize("lower", [(5, 7, 4), (-9, 20, 0), (12, -3, 17)])
def test_unchanged_window_is_cut_out_and_standardized_in_its_brain(scans, classes, lower):
    window, labels = made(scans, classes, Augmentation.none(), center=np.array(lower) + (EDGE - 1) / 2)
    expected = cut_out(classes.numpy(), lower, EDGE)
    assert torch.equal(labels, expected)
    assert labels.dtype == torch.uint8
    brain = expected > 0
    torch.testing.assert_close(window, standardized(cut_out(scans.float().numpy(), lower, EDGE), brain))
    torch.testing.assert_close(window[:, brain].mean(dim=1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(window[:, brain].std(dim=1), torch.ones(4), atol=1e-4, rtol=0)


def test_cut_beyond_everything_is_empty(scans):
    assert not cut(scans, np.array([100, 0, 0]), 4).any()
    assert not cut(scans, np.array([0, -9, 0]), 4).any()


@pytest.mark.parametrize("edge", [23, 24])
def test_flip_exchanges_left_and_right_of_the_window(scans, classes, edge):
    center = np.array([5, 7, 4]) + (edge - 1) / 2
    plain, labels = made(scans, classes, Augmentation.none(), center=center, edge=edge)
    flipped, mirrored = made(scans, classes, only(flip=1.0), center=center, edge=edge)
    assert torch.equal(mirrored, labels.flip(0))
    torch.testing.assert_close(flipped, plain.flip(1))
    assert not torch.equal(mirrored, labels)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_map_that_changes_nothing_gives_the_window_that_is_cut_out(scans, classes, flip):
    """Interpolated at the voxels themselves, flipped or not."""
    still = only(flip=flip, affine=1.0, scale=(1.0, 1.0), turn=0.0, shift=0.0)
    found, same = made(scans, classes, still)
    expected, labels = made(scans, classes, only(flip=flip))
    assert torch.equal(same, labels)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


# What a map does to places is read off scans that hold coordinates.

LARGE, SMALL_EDGE = 60, 12
MIDDLE = np.array([29.5, 30.5, 28.5])


def places_of(augmentation, seed, edge=SMALL_EDGE):
    """Place in the scans of each voxel of a window, (3, edge, edge, edge)."""
    coordinates = torch.from_numpy(np.indices((LARGE,) * 3)).float()
    whole = torch.ones((LARGE,) * 3, dtype=torch.uint8)
    generator = np.random.default_rng(seed)
    return _placed(coordinates, whole, MIDDLE, edge, augmentation, generator)[0].numpy()


def still_places(edge=SMALL_EDGE):
    return np.indices((edge,) * 3) + (MIDDLE - (edge - 1) / 2)[:, None, None, None]


def map_of(places):
    """Matrix and offset of an affine map from voxels of a window to places, after a check that it is one."""
    voxels = np.indices(places.shape[1:]).reshape(3, -1).T
    known = np.column_stack([voxels, np.ones(len(voxels))])
    found, *_ = np.linalg.lstsq(known, places.reshape(3, -1).T, rcond=None)
    np.testing.assert_allclose(known @ found, places.reshape(3, -1).T, atol=1e-3)
    return found[:3].T, found[3]


@pytest.mark.parametrize("seed", range(8))
def test_affine_map_agrees_with_scipy(seed):
    turning = only(affine=1.0, flip=0.5)
    matrix, offset = map_of(places_of(turning, seed))
    generator = np.random.default_rng(100)
    scan = ndimage.gaussian_filter(generator.standard_normal((LARGE,) * 3), 2).astype(np.float32)
    part = ndimage.gaussian_filter(generator.standard_normal((LARGE,) * 3), 4) > 0
    classes = np.where(part, 3, 4).astype(np.uint8)
    window, labels = _placed(
        torch.from_numpy(scan)[None],
        torch.from_numpy(classes),
        MIDDLE,
        SMALL_EDGE,
        turning,
        np.random.default_rng(seed),
    )
    shape = (SMALL_EDGE,) * 3
    expected = ndimage.affine_transform(scan, matrix, offset, output_shape=shape, order=1)
    np.testing.assert_allclose(window[0], expected, atol=1e-3 * np.abs(scan).max())
    nearest = ndimage.affine_transform(classes, matrix, offset, output_shape=shape, order=0)
    assert (labels.numpy() == nearest).mean() > 0.995  # places halfway between voxels go either way


def test_affine_maps_turn_scale_and_shift_as_far_as_they_may():
    allowed, drawn = Augmentation(), []
    for seed in range(40):
        matrix, offset = map_of(places_of(only(affine=1.0), seed))
        size = np.linalg.det(matrix) ** (1 / 3)  # of a voxel of the window, in those of the scans
        np.testing.assert_allclose(matrix.T @ matrix, size**2 * np.eye(3), atol=1e-3)
        angles = Rotation.from_matrix(matrix / size).as_euler("xyz", degrees=True)
        shift = matrix @ np.full(3, (SMALL_EDGE - 1) / 2) + offset - MIDDLE
        drawn.append([1 / size, *angles, *shift])
    lowest, highest = np.min(drawn, axis=0), np.max(drawn, axis=0)
    limits = [allowed.scale, *[(-allowed.turn, allowed.turn)] * 3, *[(-allowed.shift, allowed.shift)] * 3]
    for (least, most), low, high in zip(limits, lowest, highest, strict=True):
        reach = 0.2 * (most - least)  # none of 40 draws there: 1e-4
        assert least - 1e-3 <= low < least + reach
        assert most - reach < high <= most + 1e-3


def test_flipped_maps_mirror_the_window_and_deformations_their_places():
    """Turned is what was mirrored; a deformation is mirrored with what it deforms."""
    turned, mirrored = (places_of(only(affine=1.0, flip=flip), seed=3) for flip in (0.0, 1.0))
    np.testing.assert_allclose(mirrored, turned[:, ::-1], atol=1e-3)
    bent, mirrored = (places_of(only(elastic=1.0, elastic_size=1.0, flip=flip), seed=3) for flip in (0.0, 1.0))
    np.testing.assert_allclose(mirrored[0], 2 * MIDDLE[0] - bent[0], atol=1e-3)
    np.testing.assert_allclose(mirrored[1:], bent[1:], atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_elastic_displacements_are_bounded_and_nothing_at_the_border(seed):
    """Cubic splines overshoot between control points: by 1.49^3 where all signs conspire."""
    size, edge = 2.0, 31
    moved = places_of(only(elastic=1.0, elastic_size=size), seed, edge) - still_places(edge)
    border = np.ones((edge,) * 3, bool)
    border[1:-1, 1:-1, 1:-1] = False
    np.testing.assert_allclose(moved[:, border], 0, atol=1e-4)
    assert size / 2 < np.abs(moved).max() < 1.49**3 * size
    steps = np.abs(np.diff(moved, axis=1)).max(), np.abs(np.diff(moved, axis=3)).max()
    assert max(steps) < size  # control points lie five voxels apart, so that a way of 2 x 2 takes some


@pytest.mark.parametrize("seed", range(5))
def test_labels_and_scans_move_together(classes, seed):
    """A scan that shows where the core is, cut in the middle between its two values, agrees with the labels."""
    core = ((classes == 1) | (classes == 3)).float()
    moving = only(flip=0.5, affine=1.0, elastic=1.0, elastic_size=3.0)
    window, labels = made(core[None], classes, moving, seed)
    found = window[0] > (window[0].min() + window[0].max()) / 2
    truth = ((labels == 1) | (labels == 3)).numpy()
    assert truth.sum() > 50
    assert dice(found.numpy(), truth) > 0.93  # a border voxel may go either way
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 4}
    _, still = made(core[None], classes, Augmentation.none())
    assert dice(truth, ((still == 1) | (still == 3)).numpy()) < 0.93  # they did move


def test_receive_field_is_positive_and_smooth_and_one_in_the_middle():
    """The logarithm is a polynomial of degree 3 with 19 coefficients of up to 0.3, and none of degree 0."""
    edge, size = 33, 0.3
    field = receive_field(edge, size, np.random.default_rng(0))
    assert field.shape == (edge,) * 3
    assert field[edge // 2, edge // 2, edge // 2].item() == pytest.approx(1)
    logarithm = field[::2, ::2, ::2].double().log()  # where the coarse lattice is
    assert logarithm.std() > 0.05
    assert logarithm.abs().max() <= 19 * size
    for axis in range(3):
        np.testing.assert_allclose(logarithm.diff(n=4, dim=axis), 0, atol=1e-5)
    steps = field.log().diff(dim=0).abs()
    assert steps.max() <= 19 * size * 3 * 2 / (edge - 1)  # of x^3, at the border


def test_receive_fields_differ_and_vanish_with_their_size():
    first, again, other = (receive_field(9, 0.3, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=0.01)
    assert torch.equal(receive_field(9, 0.0, np.random.default_rng(0)), torch.ones(9, 9, 9))


EVERYTHING = Augmentation(affine=1.0, elastic=1.0, elastic_size=2.0, field=1.0, noise=1.0)
IN_PLACE = replace(EVERYTHING, flip=0.0, affine=0.0, elastic=0.0)


def test_a_seed_gives_the_same_bits_and_another_seed_others(scans, classes):
    (window, labels), (again, same), (other, _) = (made(scans, classes, EVERYTHING, seed) for seed in (7, 7, 8))
    assert torch.equal(window, again)
    assert torch.equal(labels, same)
    assert not torch.allclose(window, other, atol=0.1)


@pytest.mark.parametrize("augmentation", [EVERYTHING, IN_PLACE], ids=["moved", "in place"])
@pytest.mark.parametrize("kind", [torch.float16, torch.float32])
def test_scans_stay_as_they_are(scans, classes, augmentation, kind):
    given, kept = scans.to(kind), classes.clone()
    before = given.clone()
    made(given, kept, augmentation)
    assert torch.equal(given, before)
    assert torch.equal(kept, classes)


@pytest.mark.parametrize("augmentation", [Augmentation.none(), EVERYTHING])
def test_a_window_without_brain_is_zero_and_not_nan(scans, classes, augmentation):
    window, labels = made(scans, classes, augmentation, center=np.array([500.0, 20, 20]))
    assert window.shape == (4, EDGE, EDGE, EDGE)
    assert not window.any()
    assert not labels.any()


@pytest.mark.parametrize("seed", range(3))
def test_everything_together_is_finite_and_zero_outside_of_the_brain(scans, classes, seed):
    window, labels = made(scans, classes, EVERYTHING, seed)
    assert torch.isfinite(window).all()
    assert not window[:, labels == 0].any()
    assert window[:, labels > 0].std() > 0.9


def test_bent_contrast_keeps_the_order_of_gray_values(scans, classes):
    plain, labels = made(scans, classes, Augmentation.none())
    bent, _ = made(scans, classes, only(gamma=1.0))
    brain = labels > 0
    for before, after in zip(plain[:, brain], bent[:, brain], strict=True):
        order = before.argsort()
        assert (after[order].diff() >= -1e-6).all()
        assert not torch.allclose(before, after, atol=1e-2)


def test_noise_is_of_the_size_that_is_asked_for_and_in_the_brain_alone(scans, classes):
    plain, labels = made(scans, classes, Augmentation.none())
    brain = labels > 0
    deviations = []
    for seed in range(10):
        noise = made(scans, classes, only(noise=1.0), seed)[0] - plain
        assert not noise[:, ~brain].any()
        deviations += noise[:, brain].std(dim=1).tolist()
    assert max(deviations) < 1.02 * 0.2
    assert np.mean(deviations) == pytest.approx(0.1, abs=4 * 0.2 / np.sqrt(12 * 40))


def test_without_shape_labels_stay_where_they_are(scans, classes):
    _, expected = made(scans, classes, Augmentation.none())
    for seed in range(5):
        assert torch.equal(made(scans, classes, IN_PLACE, seed)[1], expected)


def test_probabilities_are_those_of_the_options(scans, classes):
    """Of 200 windows half are flipped, give or take 4 standard deviations of 7."""
    _, still = made(scans, classes, Augmentation.none(), edge=12)
    flipped = sum(not torch.equal(made(scans, classes, only(flip=0.5), seed, edge=12)[1], still) for seed in range(200))
    assert abs(flipped - 100) < 28


def test_printed_recipe_has_neither_elastic_deformations_nor_receive_fields():
    printed = Augmentation.printed()
    assert (printed.elastic, printed.field, printed.noise) == (0, 0, 0)
    assert (printed.flip, printed.affine, printed.gamma) == (0.5, 1 / 3, 1)
