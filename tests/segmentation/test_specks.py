"""Small false parts go, true ones stay, and the sizes are chosen by what is held back."""

import numpy as np
import pytest

from gliocast.core import InputError
from gliocast.segmentation.specks import Specks, choose_specks

SHAPE = (40, 40, 40)


def tumor(enhancing=True):
    """A cube of edema around one of necrosis and enhancing tumor, in healthy brain."""
    classes = np.full(SHAPE, 4, np.uint8)
    classes[10:26, 10:26, 10:26] = 2
    classes[14:22, 14:22, 14:22] = 3 if enhancing else 1
    classes[16:20, 16:20, 16:20] = 1
    return classes


def test_nothing_is_left_out_unless_asked_for():
    classes = tumor()
    classes[0, 0, 0] = 3
    np.testing.assert_array_equal(Specks().removed(classes, 1.0), classes)


def test_parts_far_off_go_and_the_largest_stays_whatever_its_size():
    clean, seen = tumor(), tumor()
    seen[:3, :3, :3] = 2
    expected = clean.copy()
    expected[:3, :3, :3] = 0
    np.testing.assert_array_equal(Specks(tumor_ml=0.028).removed(seen, 1.0), expected)
    np.testing.assert_array_equal(Specks(tumor_ml=0.027).removed(seen, 1.0), seen)  # it has 27 voxels
    np.testing.assert_array_equal(Specks(tumor_ml=0.1).removed(seen, 8.0), seen)
    np.testing.assert_array_equal(Specks(tumor_ml=1e3).removed(clean, 1.0), clean)


def test_a_few_voxels_of_enhancement_are_necrosis_and_many_are_not():
    seen = tumor(enhancing=False)
    seen[14, 14, 14:19] = 3
    found = Specks(enhancing_ml=0.006).removed(seen, 1.0)
    np.testing.assert_array_equal(found, tumor(enhancing=False))
    np.testing.assert_array_equal(Specks(enhancing_ml=0.005).removed(seen, 1.0), seen)
    np.testing.assert_array_equal(Specks(enhancing_ml=0.4).removed(tumor(), 1.0), tumor())  # 448 voxels


def test_no_tumor_stays_none():
    nothing = np.zeros(SHAPE, np.uint8)
    np.testing.assert_array_equal(Specks(1.0, 1.0).removed(nothing, 1.0), nothing)


def test_sizes_are_chosen_that_leave_out_what_is_false_and_no_more():
    false = tumor(enhancing=False)
    false[14, 14, 14:18] = 3  # 4 voxels of 1 mm^3 would count as 0 of enhancement
    false[:2, :3, :3] = 2
    chosen = choose_specks([(false, tumor(enhancing=False), 1.0), (tumor(), tumor(), 1.0)])
    assert chosen == Specks(tumor_ml=0.1, enhancing_ml=0.03)
    assert choose_specks([(tumor(), tumor(), 1.0)]) == Specks(tumor_ml=0.1)
    assert choose_specks([]) == Specks(tumor_ml=0.1)


def test_true_enhancement_that_is_small_is_kept():
    small = tumor(enhancing=False)
    small[14, 14, 14:18] = 3
    assert choose_specks([(small, small, 1.0)]) == Specks(tumor_ml=0.1)


@pytest.mark.parametrize("sizes", [(-1.0, 0.0), (0.0, float("nan"))])
def test_sizes_that_are_none_are_refused(sizes):
    with pytest.raises(InputError, match="0 ml or more"):
        Specks(*sizes)
