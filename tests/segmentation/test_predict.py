"""Whole scans through networks that are known: one that reads each voxel for itself, and one that looks aside."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import nn

from gliocast.core import MODALITIES, SCHEMAS, InputError, dice
from gliocast.segmentation.predict import Segmenter
from gliocast.segmentation.unet import UNet, UNetConfig

from .phantom import FRAME_AFFINE, GRAY, ORIENTATIONS, SHAPE, brain_classes, gray_values, study_of, turned

#: Far apart enough for probabilities to be 0 and 1.
CERTAIN = 30.0


class Voxelwise(nn.Module):
    """Reads the class of every voxel off the gray value of its T1c.

    Args:
        classes: of the study, which says what standardized gray values are.
        answers: classes for background, necrosis, edema, enhancing, brain.
    """

    def __init__(self, classes, answers=(0, 1, 2, 3, 0), num_classes=4):
        super().__init__()
        self.config = UNetConfig(channels=(8,), groups=8, num_classes=num_classes)
        inside = GRAY[classes[classes > 0]]
        seen = (GRAY[[4, 1, 2, 3]] - inside.mean()) / inside.std(ddof=1)
        self.between = torch.from_numpy((seen[1:] + seen[:-1]) / 2).float()
        self.answers = torch.tensor(answers)[[4, 1, 2, 3]]

    def forward(self, scans):
        found = self.answers[torch.bucketize(scans[:, MODALITIES.index("t1c")].contiguous(), self.between)]
        return CERTAIN * nn.functional.one_hot(found, self.config.num_classes).movedim(-1, 1).float()


@pytest.fixture(scope="module")
def study(classes, scans):
    return study_of(classes, scans)


def expected_labels(classes, schema="brats-2021"):
    schema = SCHEMAS[schema]
    return np.array([0, schema.necrosis, schema.edema, schema.enhancing, 0])[classes]


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS[::3])
def test_labels_lie_where_the_tumor_is_whatever_the_orientation(classes, scans, axes, flips):
    other, affine = turned(classes, FRAME_AFFINE, axes, flips)
    oblique = np.eye(4)
    oblique[:3, :3] = Rotation.from_euler("xyz", [10, -8, 5], degrees=True).as_matrix()
    moved = {name: turned(scan, FRAME_AFFINE, axes, flips)[0] for name, scan in scans.items()}
    study = study_of(other, moved, oblique @ affine)
    found = Segmenter(Voxelwise(classes), edge=48).segment(study)
    np.testing.assert_array_equal(found.data, expected_labels(other))
    assert found.grid == study.grid


@pytest.mark.parametrize("edge", [8, 13, 24, 48])
@pytest.mark.parametrize("mirrored", [False, True])
def test_neither_windows_nor_mirrors_show_where_voxels_speak_for_themselves(classes, study, edge, mirrored):
    segmenter = Segmenter(Voxelwise(classes), edge=edge, mirrored=mirrored)
    np.testing.assert_array_equal(segmenter.segment(study).data, expected_labels(classes))
    probabilities = segmenter.probabilities(study)
    assert probabilities.shape == (4, *SHAPE)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(probabilities.max(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_labels_are_written_in_the_schema_that_is_asked_for(classes, study, schema):
    found = Segmenter(Voxelwise(classes), edge=48).segment(study, schema=SCHEMAS[schema])
    np.testing.assert_array_equal(found.data, expected_labels(classes, schema))
    assert found.schema is SCHEMAS[schema]
    assert found.data.dtype == np.uint8


def test_healthy_brain_that_a_network_tells_apart_is_no_label(classes, study):
    network = Voxelwise(classes, answers=(0, 1, 2, 3, 4), num_classes=5)
    segmenter = Segmenter(network, edge=16)
    np.testing.assert_array_equal(segmenter.probabilities(study).argmax(axis=0)[study.brain], classes[study.brain])
    np.testing.assert_array_equal(segmenter.segment(study).data, expected_labels(classes))


def test_nothing_is_labeled_outside_of_the_brain(classes, study):
    """Not by a network that sees tumor in everything."""
    found = Segmenter(Voxelwise(classes, answers=(3, 3, 3, 3, 3)), edge=16).segment(study)
    np.testing.assert_array_equal(found.data > 0, study.brain)


def test_tumor_in_thick_slices_is_found_on_their_grid():
    """The network sees slices of 1 mm between those of 3 mm; what it says of these is of the slices it lies in."""
    classes = brain_classes((36, 40, 14))
    study = study_of(classes, gray_values(classes), FRAME_AFFINE @ np.diag([1, 1, 3, 1]))
    found = Segmenter(Voxelwise(classes), edge=24).segment(study)
    assert found.data.shape == classes.shape
    assert not found.data[classes == 0].any()
    assert dice(found.whole, (classes > 0) & (classes < 4)) > 0.9


class Aside(nn.Module):
    """Says enhancing where the neighbor to the right, in the array, is bright."""

    def __init__(self):
        super().__init__()
        self.config = UNetConfig(channels=(8,), groups=8)

    def forward(self, scans):
        bright = scans[:, 1].roll(1, dims=1) > 1
        return CERTAIN * nn.functional.one_hot(3 * bright.long(), 4).movedim(-1, 1).float()


def test_mirrored_views_are_averaged():
    """On a brain that is its own mirror image the average is, too, and half sure where one view alone speaks."""
    left = brain_classes((16, 20, 18))
    classes = np.concatenate([left, left[::-1]])
    scans = gray_values(classes)
    study = study_of(classes, {name: scan + scan[::-1] for name, scan in scans.items()})
    plain, both = (Segmenter(Aside(), edge=32, mirrored=mirrored).probabilities(study)[3] for mirrored in (False, True))
    assert not np.allclose(plain, plain[::-1])
    np.testing.assert_allclose(both, both[::-1], atol=1e-6)
    np.testing.assert_allclose(both, (plain + plain[::-1]) / 2, atol=1e-6)
    assert np.isclose(both, 0.5).sum() > 10


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("edge", [10, 16, 48])
def test_progress_rises_to_one_in_as_many_steps_as_windows(classes, study, edge, mirrored):
    told, looked = [], []
    network = Voxelwise(classes)
    network.register_forward_hook(lambda *_: looked.append(1))
    Segmenter(network, edge=edge, mirrored=mirrored).segment(study, progress=told.append)
    np.testing.assert_allclose(told, np.arange(1, len(looked) + 1) / len(looked))
    assert (len(told) == 1 + mirrored) == (edge == 48)


@pytest.mark.parametrize("patch", [1, 2])
def test_a_network_of_several_levels_sees_edges_of_any_size(study, patch):
    torch.manual_seed(0)
    network = UNet(UNetConfig(channels=(8, 8, 16), patch=patch)).eval()
    segmenter = Segmenter(network, edge=network.config.multiple * 2)
    assert segmenter.segment(study).data.shape == SHAPE
    channels, *deep = segmenter.features(study).shape
    assert channels == 16
    inside = np.argwhere(study.brain)
    extent = np.minimum(inside.max(axis=0) + 3, SHAPE) - np.maximum(inside.min(axis=0) - 2, 0)
    multiple = network.config.multiple
    assert deep == [max(segmenter.edge, -(-size // multiple) * multiple) // multiple for size in extent]


def test_answers_of_a_network_are_those_of_its_training_windows(study):
    """A window as large as all that is seen: no blending, nothing but the network on standardized scans."""
    torch.manual_seed(0)
    network = UNet(UNetConfig(channels=(8, 8))).eval()
    brain = torch.from_numpy(study.brain)
    data = torch.from_numpy(np.stack([study.volumes[name].data for name in MODALITIES]))
    inside = data[:, brain]
    seen = (data - inside.mean(dim=1)[:, None, None, None]) / inside.std(dim=1)[:, None, None, None] * brain
    lower = np.maximum(np.argwhere(study.brain).min(axis=0) - 2, 0)
    window = torch.zeros(1, 4, 36, 36, 36)
    part = seen[:, lower[0] :, lower[1] :, lower[2] :]
    window[0, :, : part.shape[1], : part.shape[2], : part.shape[3]] = part
    with torch.inference_mode():
        expected = network(window)[0].softmax(dim=0).numpy()
    found = Segmenter(network, edge=36, mirrored=False).probabilities(study)
    box = tuple(slice(a, b) for a, b in zip(lower, np.argwhere(study.brain).max(axis=0) + 1, strict=True))
    there = tuple(slice(0, part.stop - part.start) for part in box)
    np.testing.assert_allclose(found[(slice(None), *box)], expected[(slice(None), *there)], atol=1e-4)


def test_a_study_without_a_brain_is_refused(classes, scans):
    nothing = study_of(np.zeros_like(classes), scans)
    with pytest.raises(InputError, match="a brain"):
        Segmenter(Voxelwise(classes), edge=16).segment(nothing)


def test_an_empty_scan_is_refused(classes, scans):
    empty = study_of(classes, {**scans, "flair": np.zeros_like(scans["flair"])})
    with pytest.raises(InputError, match="gray values above zero"):
        Segmenter(Voxelwise(classes), edge=16).segment(empty)
