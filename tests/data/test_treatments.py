import json

import numpy as np
import pytest

from gliocast.core import InputError, weekday_fractions
from gliocast.data import read_treatments

SHAPE = (18, 17, 16)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2.0, 0, -20], [0, 0, 2.0, 5], [0, 0, 0, 1]])

RESECTION = {"kind": "resection", "day": 30, "cavity": "cavity.nii.gz", "residual_fraction": 0.1}
TARGET = {"target": "ctv.nii.gz", "dose_gy": 60}
RADIOTHERAPY = {"kind": "radiotherapy", "start_day": 60, "num_fractions": 30, "dose": "dose.nii.gz", "alpha": 0.06}
CHEMOTHERAPY = {"kind": "chemotherapy", "days": [60, 61.5], "kill_rate": 0.1, "half_life": 0.075}


@pytest.fixture
def folder(tmp_path, save_nifti):
    """Images on one grid, good ones and bad ones."""
    ball = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - 8, axis=-1)
    dose = np.maximum(60 - 8 * ball, 0).astype(np.float32)
    images = {
        "cavity": (ball < 3).astype(np.uint8),
        "ctv": (ball < 6).astype(np.uint8),
        "dose": dose,
        "labels": np.select([ball < 3, ball < 6], [4, 2], 0).astype(np.uint8),
        "half": np.where(ball < 3, 0.5, 0).astype(np.float32),
        "empty": np.zeros(SHAPE, np.uint8),
        "negative": dose - 1,
        "centigray": 100 * dose,
    }
    for name, array in images.items():
        save_nifti(tmp_path / f"{name}.nii.gz", array, AFFINE)
    save_nifti(tmp_path / "shifted.nii.gz", images["cavity"], AFFINE + np.eye(4, k=3))
    (tmp_path / "text.nii.gz").write_text("no image")
    return tmp_path


def write(folder, *entries):
    path = folder / "plan.json"
    path.write_text(json.dumps({"treatments": entries}), encoding="utf-8")
    return path


def without(entry, *keys):
    return {key: value for key, value in entry.items() if key not in keys}


def refusal(path):
    """The one-line message with which a file is refused."""
    with pytest.raises(InputError) as caught:
        read_treatments(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"treatments ({path.name})")
    assert str(path.parent) not in message
    assert len(message) < 500
    return message


def test_list_is_read_as_it_was_written(folder):
    surgery, radiation, drug = read_treatments(write(folder, RESECTION, RADIOTHERAPY, CHEMOTHERAPY))
    assert (surgery.day, surgery.residual_fraction) == (30, 0.1)
    assert surgery.cavity.data.dtype == bool
    assert 0 < surgery.cavity.data.sum() < 200
    np.testing.assert_allclose(surgery.grid.affine, AFFINE)
    assert radiation.days == weekday_fractions(60, 30)
    assert (radiation.alpha, radiation.alpha_beta) == (0.06, 10)
    assert radiation.dose.data.max() == 60
    assert (drug.days, drug.doses, drug.kill_rate, drug.half_life) == ((60, 61.5), (1, 1), 0.1, 0.075)


def test_defaults_and_alternatives_are_read(folder):
    surgery = without(RESECTION, "residual_fraction")
    radiation = without(RADIOTHERAPY, "dose", "start_day", "num_fractions") | TARGET | {"days": [60, 60.25, 61]}
    cycles = without(CHEMOTHERAPY, "days") | {"start_day": 70, "days_on": 2, "num_cycles": 2}
    weekday = RADIOTHERAPY | {"start_day": 300, "first_weekday": "friday", "num_fractions": 2, "alpha_beta": 5}
    plan = tuple(
        read_treatments(write(folder, surgery, radiation, CHEMOTHERAPY | {"doses": [1, 0.5]}, cycles, weekday))
    )
    assert plan[0].residual_fraction == 0
    assert plan[1].days == (60, 60.25, 61)
    assert set(np.unique(plan[1].dose.data)) == {0, 60}
    assert plan[2].doses == (1, 0.5)
    assert plan[3].days == (70, 71, 98, 99)
    assert plan[4].days == (300, 303)
    assert plan[4].alpha_beta == 5


def test_images_are_found_from_another_folder_and_by_absolute_paths(folder, monkeypatch, tmp_path_factory):
    plan = write(folder, RESECTION | {"cavity": str(folder / "cavity.nii.gz")}, RADIOTHERAPY)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert len(read_treatments(str(plan))) == 2


@pytest.mark.parametrize("key", ["kind", "day", "cavity"])
def test_missing_key_of_a_resection_is_named(folder, key):
    assert f"entry 1: {key}: expected this key" in refusal(write(folder, without(RESECTION, key)))


@pytest.mark.parametrize("key", ["num_fractions", "start_day", "alpha"])
def test_missing_key_of_a_radiotherapy_is_named(folder, key):
    assert f"entry 2: {key}: expected this key" in refusal(write(folder, RESECTION, without(RADIOTHERAPY, key)))


@pytest.mark.parametrize("key", ["kill_rate", "half_life"])
def test_missing_key_of_a_chemotherapy_is_named(folder, key):
    assert f"entry 1: {key}: expected this key" in refusal(write(folder, without(CHEMOTHERAPY, key)))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (without(RADIOTHERAPY, "dose"), "dose or else target with dose_gy, got none of them"),
        (RADIOTHERAPY | TARGET, "dose or else target with dose_gy, got dose, target, dose_gy"),
        (RADIOTHERAPY | {"dose_gy": 60}, "got dose, dose_gy"),
        (without(RADIOTHERAPY | TARGET, "dose", "dose_gy"), "dose_gy: expected this key"),
        (without(RADIOTHERAPY | TARGET, "dose", "target"), "target: expected this key"),
        (RADIOTHERAPY | {"days": [1, 2]}, "got days, start_day, num_fractions"),
        (without(RADIOTHERAPY, "start_day", "num_fractions"), "got none of them"),
        (CHEMOTHERAPY | {"num_cycles": 2}, "got days, num_cycles"),
        (without(CHEMOTHERAPY, "days"), "got none of them"),
        (without(CHEMOTHERAPY, "days") | {"start_day": 1}, "days_on: expected this key"),
    ],
)
def test_one_of_two_ways_to_say_it_is_asked_for(folder, entry, expected):
    assert expected in refusal(write(folder, entry))


@pytest.mark.parametrize("entry", [RESECTION, RADIOTHERAPY, CHEMOTHERAPY])
def test_unknown_key_is_refused_with_those_that_are_known(folder, entry):
    message = refusal(write(folder, entry | {"dose_Gy": 60}))
    assert "got dose_Gy" in message
    assert f"entry 1: {entry['kind']}: expected the keys kind, " in message


@pytest.mark.parametrize("value", ["30", None, True, [30], {}, -1, float("nan"), float("inf"), 10**400])
@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (RESECTION, "day"),
        (RESECTION, "residual_fraction"),
        (RADIOTHERAPY, "start_day"),
        (RADIOTHERAPY, "num_fractions"),
        (RADIOTHERAPY, "alpha"),
        (RADIOTHERAPY, "alpha_beta"),
        (without(RADIOTHERAPY, "dose") | TARGET, "dose_gy"),
        (CHEMOTHERAPY, "kill_rate"),
        (CHEMOTHERAPY, "half_life"),
        (without(CHEMOTHERAPY, "days") | {"start_day": 1, "days_on": 5}, "days_on"),
        (without(CHEMOTHERAPY, "days") | {"start_day": 1, "days_on": 5}, "cycle_days"),
        (without(CHEMOTHERAPY, "days") | {"start_day": 1, "days_on": 5}, "num_cycles"),
    ],
)
def test_value_that_is_no_good_number_is_refused(folder, entry, key, value):
    assert f"entry 1: {key}: expected " in refusal(write(folder, entry | {key: value}))


@pytest.mark.parametrize(
    "value", [[], 60, "60", [60, "61"], [60, None], [60, -1], [60, float("nan")], [61, 60], [5, 5]]
)
@pytest.mark.parametrize("entry", [without(RADIOTHERAPY, "start_day", "num_fractions"), CHEMOTHERAPY])
def test_list_of_days_that_is_none_is_refused(folder, entry, value):
    message = refusal(write(folder, entry | {"days": value}))
    assert "entry 1: days" in message


@pytest.mark.parametrize("value", [[], [1], [1, 0], [1, -1], [1, 1, 1], "1"])
def test_doses_that_do_not_fit_the_days_are_refused(folder, value):
    assert "entry 1: doses: expected " in refusal(write(folder, CHEMOTHERAPY | {"doses": value}))


@pytest.mark.parametrize("value", ["saturday", "Mon", "", 1, None])
def test_weekday_that_is_none_is_refused(folder, value):
    assert "entry 1: first_weekday: expected " in refusal(write(folder, RADIOTHERAPY | {"first_weekday": value}))


@pytest.mark.parametrize("value", ["surgery", "", 3, None, ["resection"]])
def test_kind_that_is_none_is_refused(folder, value):
    assert "entry 1: kind: expected " in refusal(write(folder, RESECTION | {"kind": value}))


@pytest.mark.parametrize("value", ["resection", None, 3, ["kind"]])
def test_entry_that_is_no_object_is_refused(folder, value):
    assert "entry 2: treatment: expected an object" in refusal(write(folder, RESECTION, value))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (RESECTION | {"cavity": "absent.nii.gz"}, "cavity (absent.nii.gz): expected a NIfTI file, got no such file"),
        (RESECTION | {"cavity": "."}, "got a folder"),
        (RESECTION | {"cavity": "a\0b"}, "can't be read"),
        (RESECTION | {"cavity": 5}, "cavity: expected a text, got 5"),
        (RESECTION | {"cavity": ""}, 'cavity: expected a text, got ""'),
        (RESECTION | {"cavity": "text.nii.gz"}, "got another kind of file"),
        (RESECTION | {"cavity": "labels.nii.gz"}, "expected a mask of 0 and 1, got 3 values from 0 to 4"),
        (RESECTION | {"cavity": "half.nii.gz"}, "expected whole numbers"),
        (RESECTION | {"cavity": "empty.nii.gz"}, "got an empty mask"),
        (RADIOTHERAPY | {"dose": "absent.nii.gz"}, "dose (absent.nii.gz): expected a NIfTI file"),
        (RADIOTHERAPY | {"dose": "negative.nii.gz"}, "expected doses of at least 0 Gy, got -1"),
        (RADIOTHERAPY | {"dose": "empty.nii.gz"}, "the value 0 in every voxel"),
        (RADIOTHERAPY | {"dose": "centigray.nii.gz"}, "in gray"),
        (without(RADIOTHERAPY, "dose") | TARGET | {"target": "dose.nii.gz"}, "target (dose.nii.gz): expected "),
        (without(RADIOTHERAPY, "dose") | TARGET | {"dose_gy": 6000}, "in gray"),
        (without(RADIOTHERAPY, "dose") | TARGET | {"dose_gy": 0}, "positive somewhere"),
        (RADIOTHERAPY | {"num_fractions": 10**9}, "a count from 1 to 1000"),
        (RADIOTHERAPY | {"alpha": 0}, "alpha: expected a number in (0, inf) [1/Gy], got 0.0"),
        (RESECTION | {"residual_fraction": 1}, "residual_fraction: expected a number in [0, 1)"),
    ],
)
def test_bad_image_or_number_is_refused_in_a_line_that_names_it(folder, entry, expected):
    message = refusal(write(folder, entry))
    assert "(plan.json), entry 1: " in message
    assert expected in message


def test_images_on_two_grids_are_refused(folder):
    message = refusal(write(folder, RESECTION | {"cavity": "shifted.nii.gz"}, RADIOTHERAPY))
    assert "radiotherapy on days 60 to 99: expected the grid of its companions" in message


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([RADIOTHERAPY, RESECTION], "an order of time, got resection on day 30 after radiotherapy"),
        ([RESECTION, RESECTION], "after the end of the resection on day 30"),
        ([RADIOTHERAPY, RADIOTHERAPY | {"start_day": 70}], "after the end of the radiotherapy on days 60 to 99"),
        ([CHEMOTHERAPY, CHEMOTHERAPY | {"days": [61.5]}], "after the end of the chemotherapy"),
        ([RADIOTHERAPY, RESECTION | {"day": 99}], "after the end of the radiotherapy"),
    ],
)
def test_disorder_and_overlap_are_refused(folder, entries, expected):
    assert expected in refusal(write(folder, *entries))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "in line 1, column 1"),
        ('{"treatments": [\n{"kind": resection}]}', "in line 2, column 10"),
        ("[]", 'expected an object {"treatments": [...]}, got []'),
        ("NaN", "expected an object"),
        ("{}", "a list of at least one treatment, got null"),
        ('{"treatments": []}', "a list of at least one treatment, got []"),
        ('{"treatments": {"kind": "resection"}}', "a list of at least one treatment"),
        ('{"treatments": [], "version": 2}', "got version"),
        ('{"treatments": [{"kind": "resection", "day": 1, "day": 2}]}', "the key day twice"),
        ("[" * 100_000, "can't be read"),
        ("1" * 5000, "can't be read"),
        ('\ufeff{"treatments": []}', "BOM"),
    ],
)
def test_file_that_is_no_list_of_treatments_is_refused(tmp_path, content, expected):
    path = tmp_path / "plan.json"
    path.write_text(content, encoding="utf-8")
    assert expected in refusal(path)


def test_file_that_can_not_be_read_is_refused(tmp_path):
    assert "got no such file" in refusal(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_bytes(b'{"treatments": "\xff"}')
    assert "can't be read" in refusal(tmp_path / "plan.json")
    (tmp_path / "folder.json").mkdir()
    assert "got a folder" in refusal(tmp_path / "folder.json")


def test_long_and_unprintable_text_is_quoted_in_part(folder):
    message = refusal(write(folder, RESECTION | {"kind": "re\nsection" + "x" * 10_000}))
    assert "..." in message
    refusal(write(folder, RESECTION | {"k\ney" * 1000: 1}))
