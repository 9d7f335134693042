import pytest

from gliocast.core import InputError
from gliocast.data import find_files
from gliocast.data.folders import find_recurrence, find_segmentation

KEYS = ("t1", "t1c", "t2", "flair", "seg")


def touch(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


def refusal(folder):
    with pytest.raises(InputError) as caught:
        find_files(folder)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        [f"BraTS20_Training_001_{ending}.nii" for ending in ("t1", "t1ce", "t2", "flair", "seg")],
        [f"BraTS2021_00000_{ending}.nii.gz" for ending in ("t1", "t1ce", "t2", "flair", "seg")],
        [f"BraTS-GLI-00001-000-{ending}.nii.gz" for ending in ("t1n", "t1c", "t2w", "t2f", "seg")],
        [f"{ending}.nii.gz" for ending in ("t1", "t1c", "t2", "flair", "seg")],
        [f"{ending}.nii" for ending in ("t1n", "t1gd", "t2w", "t2f", "seg")],
        [f"{ending}.NII.GZ" for ending in ("T1", "T1CE", "T2", "FLAIR", "SEG")],
        [f"sub-01_{ending}.nii.gz" for ending in ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR", "desc-tumor_dseg")],
        [f"sub-01_ses-1_{ending}.nii.gz" for ending in ("T1w", "ce-GD_run-1_T1w", "T2w", "FLAIR", "dseg")],
    ],
)
def test_public_naming_schemes_are_recognized(tmp_path, names):
    touch(tmp_path, *names, "t1.txt", "t1.json", "report_t1_mask.nii.gz", "._BraTS_t1.nii", "notes")
    (tmp_path / "old_t1.nii.gz").mkdir()
    assert {key: path.name for key, path in find_files(tmp_path).items()} == dict(zip(KEYS, names, strict=True))


def test_all_missing_modalities_are_named_with_what_was_found(tmp_path):
    message = refusal(touch(tmp_path, "x_t1.nii", "x_flair.nii", "x_adc.nii"))
    assert "got no t1c, t2, seg among x_adc.nii, x_flair.nii, x_t1.nii" in message


def test_empty_folder_is_refused(tmp_path):
    assert "got no t1, t1c, t2, flair, seg among no NIfTI file" in refusal(tmp_path)


def test_long_listing_is_cut(tmp_path):
    message = refusal(touch(tmp_path, *(f"{number:03}.nii" for number in range(100))))
    assert "and 92 more" in message


def test_two_candidates_for_one_modality_are_named(tmp_path):
    names = [f"{key}.nii.gz" for key in KEYS]
    assert "expected one t1c file, got a_t1ce.nii and t1c.nii.gz" in refusal(touch(tmp_path, *names, "a_t1ce.nii"))


def test_zipped_and_plain_copy_of_one_file_are_ambiguous(tmp_path):
    assert "got t2.nii and t2.nii.gz" in refusal(touch(tmp_path, *(f"{key}.nii.gz" for key in KEYS), "t2.nii"))


def test_folder_that_does_not_exist_or_is_a_file_is_refused(tmp_path):
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert "got a file" in refusal(touch(tmp_path, "t1.nii") / "t1.nii")
    refusal(str(tmp_path / "a\0b"))


def test_line_break_in_a_name_stays_out_of_the_message(tmp_path):
    assert "a?b.nii" in refusal(touch(tmp_path, "a\nb.nii"))


# Folders of BIDS datasets

BIDS_NAMES = ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR", "dseg")


@pytest.fixture
def raw(tmp_path):
    """A dataset in which subject 01 has no sessions, 02 has one and 03 two."""
    for place in ("sub-01", "sub-02/ses-a", "sub-03/ses-a", "sub-03/ses-b"):
        (tmp_path / place / "anat").mkdir(parents=True)
        touch(tmp_path / place / "anat", *(f"{place.replace('/', '_')}_{name}.nii.gz" for name in BIDS_NAMES))
        touch(tmp_path / place / "anat", f"{place.replace('/', '_')}_T1w.json")
    return tmp_path


@pytest.mark.parametrize(
    ("place", "stem"),
    [
        ("sub-01", "sub-01"),
        ("sub-01/anat", "sub-01"),
        ("sub-02", "sub-02_ses-a"),
        ("sub-02/ses-a", "sub-02_ses-a"),
        ("sub-03/ses-b", "sub-03_ses-b"),
    ],
)
def test_scans_of_a_subject_or_session_are_found(place, stem, raw):
    names = [path.name for path in find_files(raw / place).values()]
    assert names == [f"{stem}_{name}.nii.gz" for name in BIDS_NAMES]


def test_of_several_sessions_one_has_to_be_named(raw):
    assert "expected one session, got ses-a, ses-b; name the folder of one" in refusal(raw / "sub-03")


def test_two_runs_of_one_scan_are_ambiguous(raw):
    touch(raw / "sub-01" / "anat", "sub-01_run-2_T1w.nii.gz")
    assert "expected one t1 file, got sub-01_T1w.nii.gz and sub-01_run-2_T1w.nii.gz" in refusal(raw / "sub-01")


# Segmentations alone


def test_a_segmentation_is_found_whichever_scans_there_are(tmp_path):
    touch(tmp_path, "x-t1c.nii.gz", "x-seg.nii.gz", "x_recurrence.nii.gz")
    assert find_segmentation(tmp_path).name == "x-seg.nii.gz"
    assert find_recurrence(tmp_path).name == "x_recurrence.nii.gz"


def test_no_recurrence_file_is_none_and_two_are_refused(tmp_path):
    assert find_recurrence(touch(tmp_path, "x-seg.nii.gz")) is None
    touch(tmp_path, "recurrence.nii.gz", "x-recurrence.nii")
    with pytest.raises(InputError, match=r"one recurrence file, got recurrence.nii.gz and x-recurrence.nii; move"):
        find_recurrence(tmp_path)


def test_a_folder_without_a_segmentation_says_what_to_add(tmp_path):
    with pytest.raises(InputError, match=r"one seg file, got none; add it as \*_seg.nii.gz"):
        find_segmentation(touch(tmp_path, "x-t1c.nii.gz"))
