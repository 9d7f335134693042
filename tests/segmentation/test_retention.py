"""What a crop keeps, counted by hand."""

import numpy as np
import pytest
import torch

from gliocast.segmentation.examples import Example
from gliocast.segmentation.retention import retention

SHAPE = (10, 8, 6)

#: Where a crop begins in the frame: in the midst of it, and behind the middle.
CENTRAL, BEHIND = (2, 1, 1), (5, 3, 2)


def example_of(classes, lower=CENTRAL):
    """A crop of a frame of SHAPE."""
    return Example(torch.zeros(4, *classes.shape).half(), torch.from_numpy(classes), lower, SHAPE)


@pytest.fixture(scope="module")
def crops():
    """Of two patients, a random class in every voxel; the second has no enhancing tumor."""
    first, second = np.random.default_rng(0).integers(0, 5, (2, 5, 5, 4), dtype=np.uint8)
    second[second == 3] = 4
    return first, second


def whole_of(classes, lower):
    full = np.zeros(SHAPE, np.uint8)
    full[tuple(slice(a, a + n) for a, n in zip(lower, classes.shape, strict=True))] = classes
    return full


def counted(classes):
    return np.array([(classes == number).sum() for number in range(5)])


@pytest.mark.parametrize("lower", [CENTRAL, BEHIND])
@pytest.mark.parametrize("edge", [2, 4, 5, 6, 7, 8, 9, 20])
def test_a_crop_keeps_what_is_in_the_cube_around_the_middle(crops, edge, lower):
    expected = []
    for crop in crops:
        starts = [(size - edge) // 2 for size in SHAPE]  # a frame that is smaller than the cube is in it as a whole
        cube = tuple(slice(max(0, a), max(0, a) + edge) for a in starts)
        whole = whole_of(crop, lower)
        expected.append((counted(whole), counted(whole[cube])))
    found = retention([example_of(crop, lower) for crop in crops], edge)
    np.testing.assert_array_equal([found.whole, found.cropped], np.mean(expected, axis=0))
    np.testing.assert_allclose(found.retained, found.cropped / found.whole)


def test_numbers_of_one_voxel_here_and_there():
    """A cube of 4 begins at (3, 2, 1) of the frame: at (1, 1, 0) of the crop."""
    classes = np.full((5, 5, 4), 4, np.uint8)
    classes[1, 1, 0] = 1  # the first voxel in the cube
    classes[0, 1, 0] = 1  # right before it
    classes[4, 4, 3] = 2  # the last one in it
    found = retention([example_of(classes)], 4)
    assert found.whole.tolist() == [480 - 100, 2, 1, 0, 97]
    assert found.cropped.tolist() == [0, 1, 1, 0, 62]
    assert found.retained[:3].tolist() == [0, 0.5, 1]
    assert np.isnan(found.retained[3])


def test_a_cube_beyond_the_brain_has_background():
    classes = np.full((2, 2, 2), 4, np.uint8)  # of the frame's voxels 2 to 3, 1 to 2, 1 to 2
    found = retention([example_of(classes)], 4)  # 3 to 6, 2 to 5, 1 to 4
    assert found.cropped.tolist() == [62, 0, 0, 0, 2]
