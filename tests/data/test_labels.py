import numpy as np
import pytest

from gliocast.core import SCHEMAS, Grid, InputError, LabelMap, Volume
from gliocast.data import read_labels, read_volume, swap_warning

SHAPE = (20, 20, 20)


@pytest.fixture
def segmentation(tmp_path, save_nifti):
    """A function that writes a segmentation with a slab of each given label."""

    def write(*values, dtype=np.uint8):
        array = np.zeros(SHAPE, dtype)
        for index, value in enumerate(values):
            array[index + 2, 3:8, 3:8] = value
        return save_nifti(tmp_path / "x_seg.nii.gz", array)

    return write


def refusal(path, schema=None):
    with pytest.raises(InputError) as caught:
        read_labels(path, schema)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "guess"),
    [
        ((1, 2), "brats-2021"),
        ((1, 2, 4), "brats-2021"),
        ((2,), "brats-2021"),
        ((1, 2, 3), "brats-2023"),
        ((2, 3), "brats-2023"),
        ((1, 2, 3, 4), "brats-2024"),
        ((3, 4), "brats-2024"),
    ],
)
def test_schema_is_guessed_from_the_numbers_with_a_warning(segmentation, values, guess):
    labels, warnings = read_labels(segmentation(*values))
    assert labels.schema is SCHEMAS[guess]
    assert len(warnings) == 1
    assert guess in warnings[0]
    assert "--labels" in warnings[0]


def test_named_schema_is_obeyed_in_silence(segmentation):
    labels, warnings = read_labels(segmentation(1, 2, 4), "swapped")
    assert warnings == ()
    assert labels.enhancing[2, 4, 4]
    assert labels.data.dtype == np.uint8


@pytest.mark.parametrize("name", [None, "brats-2021", "brats-2023"])
def test_unknown_labels_are_listed_with_the_schemas_that_exist(segmentation, name):
    message = refusal(segmentation(1, 2, 5, -1, dtype=np.int16), name)
    assert "got also -1, 5" in message
    assert all(schema in message for schema in SCHEMAS)


def test_label_that_only_another_schema_knows_is_refused(segmentation):
    assert "got also 4" in refusal(segmentation(1, 2, 4), "brats-2023")


def test_scan_in_place_of_a_segmentation_is_refused_in_one_short_line(tmp_path, save_nifti):
    scan = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    assert len(refusal(save_nifti(tmp_path / "seg.nii.gz", scan))) < 600


def test_unknown_schema_is_refused(segmentation):
    assert "got brats-1066" in refusal(segmentation(1), "brats-1066")


def test_empty_segmentation_is_refused(segmentation):
    assert "only background" in refusal(segmentation())


def test_fractional_labels_are_refused(segmentation):
    assert "whole numbers, got 1.5" in refusal(segmentation(1, 1.5, dtype=np.float32))


def test_labels_stored_as_floats_are_read(segmentation):
    labels, _ = read_labels(segmentation(1, 2, 4, dtype=np.float64))
    assert labels.volumes()["enhancing"] == 25 * labels.grid.voxel_volume


def shell(*, inner, outer, bright, spacing=(1, 1, 1)):
    """A ball of label `inner` inside a shell of label `outer`, and a T1c on which `bright` is brighter."""
    index = np.stack(np.meshgrid(*(np.arange(20) - 9.5,) * 3, indexing="ij"))
    radius = np.sqrt((index**2).sum(0))
    data = np.select([radius < 5, radius < 8], [inner, outer], 0).astype(np.uint8)
    grid = Grid(SHAPE, np.diag([*spacing, 1.0]))
    t1c = np.random.default_rng(0).normal(300, 10, SHAPE) + 100 * (data == bright)
    return LabelMap(data, grid, SCHEMAS["brats-2021"]), Volume(t1c.astype(np.float32), grid)


def test_bright_rim_is_no_swap():
    assert swap_warning(*shell(inner=1, outer=4, bright=4)) is None


def test_bright_necrosis_is_a_swap():
    warning = swap_warning(*shell(inner=4, outer=1, bright=1))
    assert warning is not None
    assert "necrosis (label 1) is brighter on T1c" in warning


def test_contrast_outweighs_geometry():
    assert swap_warning(*shell(inner=4, outer=1, bright=4)) is None


def test_enhancing_inside_necrosis_is_a_swap_where_t1c_cannot_tell():
    warning = swap_warning(*shell(inner=4, outer=1, bright=0, spacing=(1, 1, 3)))
    assert warning is not None
    assert "lies around" in warning
    assert swap_warning(*shell(inner=1, outer=4, bright=0)) is None


def test_tumor_without_one_of_the_two_is_no_swap():
    assert swap_warning(*shell(inner=1, outer=2, bright=1)) is None


@pytest.mark.parametrize("patient", ["tcga-fg-6692", "tcga-du-7294"])
def test_real_segmentations_do_not_look_swapped(shared_data, patient):
    labels, _ = read_labels(shared_data / patient / "seg.nii.gz")
    assert swap_warning(labels, read_volume(shared_data / patient / "t1c.nii.gz", "t1c")) is None


def test_real_segmentation_with_swapped_labels_looks_swapped(shared_data):
    folder = shared_data / "tcga-fg-6692"
    labels, _ = read_labels(folder / "seg.nii.gz")
    swapped = LabelMap(np.array([0, 4, 2, 0, 1], np.uint8)[labels.data], labels.grid, labels.schema)
    t1c = read_volume(folder / "t1c.nii.gz", "t1c")
    assert swap_warning(swapped, t1c) is not None
    assert swap_warning(LabelMap(swapped.data, labels.grid, SCHEMAS["swapped"]), t1c) is None
