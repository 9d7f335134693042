"""What a failed patient's reason says, and doesn't."""

import pytest

from gliocast.core import InputError
from gliocast.pipeline.reasons import reason_of


@pytest.fixture
def place(tmp_path):
    """A function that makes files in the folder of a patient."""

    def make(*names):
        for name in names:
            path = tmp_path / "A" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "A"

    return make


def error(got):
    return InputError("t1", expected="a scan", got=got, advice="look")


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("Doe  John_t1.nii.gz", "Doe  John_t1.nii.gz"),  # two blanks, which a line shows as one
        ("Doe\tJohn_t1.nii.gz", "Doe?John_t1.nii.gz"),
        ("ses-a/anat/DoeJohn_t1.nii.gz", "DoeJohn_t1.nii.gz"),
        ("DoeJohn_t1.nii.gz", "DoeJohn_t1"),
        ("DOE JANE/t1.nii.gz", "DOE JANE"),
        ("seg.Doe.nii.gz", "seg.Doe.nii.gz"),
    ],
)
def test_a_name_in_any_form_and_depth_is_left_out(name, quoted, place):
    assert reason_of(error(f"two ({quoted})"), place(name)) == "t1: expected a scan, got two ([file]); look"


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_a_name_in_an_error_of_others_is_left_out(kind, place):
    folder = place("Doe  John's_t1.nii.gz")
    path = folder / "Doe  John's_t1.nii.gz"
    fault = OSError(13, "no", str(path)) if kind is OSError else ValueError(f"bad {path.name}")
    assert not {"Doe", "John"} & set(reason_of(fault, folder).replace("'", " ").replace("_", " ").split())


def test_numbers_and_parts_of_words_stay(place):
    """Folders may be called 1 and 2, and a file like a part of a word."""
    folder = place("1/t1.nii.gz", "2/t2.nii.gz", "can.nii.gz")
    text = "t1 (t1.nii.gz): spacing in [0.2, 10.0], 1 of 2 scans"
    assert text in reason_of(error(text), folder)


def test_a_word_of_a_message_stays_though_a_file_is_called_so(place):
    assert "no density, got [file]" in reason_of(error("no density, got density.nii.gz"), place("density.nii.gz"))


def test_names_that_contain_each_other_are_left_out_whole(place):
    folder = place("Doe", "Doe_John.nii.gz", "Doe_John_seg.nii.gz", "file")
    said = reason_of(error("Doe_John_seg.nii.gz and Doe_John.nii.gz and Doe"), folder)
    assert "got [file] and [file] and [file]; look" in said


def test_absolute_paths_are_left_out(tmp_path):
    assert "got [file]; look" in reason_of(error("/home/jane/results"), tmp_path / "none")


def test_links_that_go_round_end(place):
    folder = place("b/t1.nii.gz")
    (folder / "b" / "round").symlink_to(folder)
    assert "got nothing" in reason_of(error("nothing"), folder)
