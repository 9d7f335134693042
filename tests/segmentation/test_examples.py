"""Who learns and who is held back, and patients as they lie on disk."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gliocast.core import InputError
from gliocast.segmentation.augment import Augmentation, augmented
from gliocast.segmentation.examples import Example, ExampleFolder
from gliocast.segmentation.split import patient_of, require_apart, split_patients

from .phantom import FRAME_AFFINE, SHAPE, brain_classes, gray_values, turned, visit_of

#: Twenty patients, every third with a second visit.
NAMES = [
    f"BraTS-GLI-{person:05d}-{visit:03d}" for person in range(20) for visit in range(2) if visit == 0 or person % 3 == 0
]


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("BraTS-GLI-00001-000", "BraTS-GLI-00001"),
        ("BraTS-GLI-00001-001", "BraTS-GLI-00001"),
        ("BraTS-GLI-01000-101", "BraTS-GLI-01000"),
        ("BraTS2021_00001", "BraTS2021_00001"),
        ("BraTS20_Training_001", "BraTS20_Training_001"),
        ("patient-small", "patient-small"),
        ("0001-000", "0001-000"),
    ],
)
def test_visits_have_the_name_of_their_patient(name, patient):
    assert patient_of(name) == patient


@pytest.mark.parametrize("seed", range(5))
def test_visits_of_a_patient_are_never_on_both_sides(seed):
    taught, held = split_patients(NAMES, 0.3, seed)
    assert sorted(taught + held) == NAMES
    assert not {patient_of(name) for name in taught} & {patient_of(name) for name in held}
    assert len({patient_of(name) for name in held}) == 6
    require_apart(taught, held)


def test_a_split_is_that_of_its_seed_whatever_the_order():
    expected = split_patients(NAMES, 0.2, 3)
    assert split_patients(NAMES, 0.2, 3) == expected
    again = split_patients(NAMES[::-1], 0.2, 3)
    assert [sorted(side) for side in again] == [sorted(side) for side in expected]
    assert split_patients(NAMES, 0.2, 4) != expected


@pytest.mark.parametrize(("share", "held"), [(0.001, 1), (0.2, 4), (0.5, 10), (0.999, 19)])
def test_both_sides_have_someone_whatever_the_share(share, held):
    sides = split_patients(NAMES, share, 0)
    assert [len({patient_of(name) for name in side}) for side in sides] == [20 - held, held]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_shares_of_nobody_or_everybody_are_refused(share):
    with pytest.raises(InputError, match="a share between 0 and 1"):
        split_patients(NAMES, share, 0)


def test_visits_of_one_patient_cant_be_split():
    with pytest.raises(InputError, match="two patients or more"):
        split_patients(["BraTS-GLI-00001-000", "BraTS-GLI-00001-001"], 0.5, 0)


def test_a_leak_is_refused_by_name():
    with pytest.raises(InputError, match=r"got BraTS-GLI-00003; take"):
        require_apart(["BraTS-GLI-00003-000", "BraTS-GLI-00001-000"], ["BraTS-GLI-00003-001", "BraTS-GLI-00002-000"])
    with pytest.raises(InputError, match="BraTS-GLI-00002 and 17 more"):
        require_apart(NAMES, NAMES)
    require_apart(NAMES, ["BraTS-GLI-00020-000"])


@pytest.fixture(scope="module")
def example(classes, scans):
    return Example.of(visit_of(classes, scans))


def test_an_example_is_the_brain_in_the_frame(classes, scans, example):
    inside = np.argwhere(classes > 0)
    lower, upper = inside.min(axis=0), inside.max(axis=0) + 1
    assert (example.lower, example.shape) == (tuple(lower), SHAPE)
    box = tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))
    np.testing.assert_array_equal(example.classes, classes[box])
    assert (example.scans.dtype, example.classes.dtype) == (torch.float16, torch.uint8)
    for number, (scan, found) in enumerate(zip(scans.values(), example.scans.float().numpy(), strict=True)):
        brightest = np.quantile(scan[classes > 0], 0.995)
        np.testing.assert_allclose(found, scan[box] / brightest, rtol=1e-3, atol=1e-4, err_msg=str(number))


def test_an_example_is_the_same_whatever_the_orientation_and_the_schema(classes, scans, example):
    axes, flips = (2, 0, 1), (True, False, True)
    other, affine = turned(classes, FRAME_AFFINE, axes, flips)
    moved = {name: turned(scan, FRAME_AFFINE, axes, flips)[0] for name, scan in scans.items()}
    found = Example.of(visit_of(other, moved, affine, schema="swapped"))
    assert torch.equal(found.classes, example.classes)
    torch.testing.assert_close(found.scans, example.scans)
    assert (found.lower, found.shape) == (example.lower, example.shape)


@pytest.mark.parametrize("edge", [16, 15])
def test_the_middle_is_that_of_the_whole_frame(edge):
    """A window around it is the one that is cut out of the whole, where both have a common middle voxel or edge."""
    shape = tuple(size + (size - edge) % 2 for size in SHAPE)
    whole = brain_classes(shape)
    example = Example.of(visit_of(whole, gray_values(whole)))
    lower = [(size - edge) // 2 for size in shape]
    np.testing.assert_array_equal(example.middle + example.lower, (np.array(shape) - 1) / 2)
    _, labels = augmented(
        example.scans,
        example.classes,
        center=example.middle,
        edge=edge,
        augmentation=Augmentation.none(),
        generator=np.random.default_rng(0),
    )
    np.testing.assert_array_equal(labels, whole[tuple(slice(a, a + edge) for a in lower)])


@pytest.mark.parametrize("edge", [8, 24, 64])
def test_windows_anywhere_lie_in_the_brain_or_around_it(example, edge):
    generator = np.random.default_rng(0)
    lower = np.array([example.place(edge, generator) - (edge - 1) / 2 for _ in range(400)])
    room = np.array(example.classes.shape) - edge
    np.testing.assert_array_equal(lower, np.rint(lower))
    np.testing.assert_array_equal(lower.min(axis=0), np.minimum(room, 0))
    np.testing.assert_array_equal(lower.max(axis=0), np.maximum(room, 0))


# On disk


@pytest.fixture
def folder(tmp_path):
    return ExampleFolder(tmp_path)


def test_an_example_comes_back_from_disk_as_it_was(folder, example):
    assert not folder.has("one")
    folder.write("one", example)
    assert folder.has("one")
    assert [path.name for path in folder.folder.iterdir()] == ["one.safetensors"]
    found = folder.read("one")
    assert torch.equal(found.scans, example.scans)
    assert torch.equal(found.classes, example.classes)
    assert (found.lower, found.shape) == (example.lower, example.shape)
    np.testing.assert_array_equal(found.middle, example.middle)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def overwrite(path):
    path.write_text("no example at all")


def remove(path):
    path.unlink()


def write_other(metadata):
    def spoil(path):
        save_file({"scans": torch.zeros(1)}, path, metadata=metadata)

    return spoil


CURRENT = {"format": "gliocast segmentation example 1", "lower": [0, 0, 0], "shape": [1, 1, 1]}
SPOILED = {
    "truncated": truncate,
    "text": overwrite,
    "absent": remove,
    "of others": write_other(None),
    "of another format": write_other({"gliocast": json.dumps({**CURRENT, "format": "of the past"})}),
    "without a place": write_other({"gliocast": json.dumps({"format": CURRENT["format"]})}),
    "without classes": write_other({"gliocast": json.dumps(CURRENT)}),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_damaged_example_is_refused_in_one_line(folder, example, spoil):
    folder.write("one", example)
    spoil(folder.folder / "one.safetensors")
    with pytest.raises(InputError, match=r"example one\.safetensors: expected one .*; remove it") as refusal:
        folder.read("one")
    assert "\n" not in str(refusal.value)


def test_an_example_that_cant_be_written_leaves_the_one_before(folder, example):
    folder.write("one", example)
    before = (folder.folder / "one.safetensors").read_bytes()
    unnamed = Example(example.scans, example.classes, (0, 0, object()), example.shape)
    with pytest.raises(TypeError, match="JSON"):
        folder.write("one", unnamed)
    assert (folder.folder / "one.safetensors").read_bytes() == before
    assert len(list(folder.folder.iterdir())) == 1
