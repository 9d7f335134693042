"""Which folders are patients and visits, as BIDS lays them out; other layouts are tested with what reads them."""

import json
import shutil

import pytest

from gliocast.core import InputError
from gliocast.data import read_patient
from gliocast.data.folders import find_segmentation
from gliocast.pipeline.patient_folders import list_patients, list_visits, visit_name
from gliocast.segmentation.split import patient_of

#: Suffixes of a raw dataset's files by what they are.
NAMES = {
    "t1": "T1w", "t1c": "ce-gadolinium_T1w", "t2": "T2w", "flair": "FLAIR", "seg": "dseg"
}  # fmt: skip


@pytest.fixture
def put(tmp_path, small_patient_template):
    """A function that puts the scans of a visit into the `anat` of a subject or session."""

    def place(folder):
        anat = tmp_path / "raw" / folder / "anat"
        anat.mkdir(parents=True)
        for plain, name in NAMES.items():
            shutil.copy(small_patient_template / f"{plain}.nii.gz", anat / f"{folder.replace('/', '_')}_{name}.nii.gz")

    return place


@pytest.fixture
def raw(tmp_path, put):
    """Two sessions, one session, none, and a subject who was never scanned; code and derivatives beside them."""
    for folder in ("sub-01/ses-b", "sub-01/ses-a", "sub-02/ses-a", "sub-03"):
        put(folder)
    data = tmp_path / "raw"
    (data / "sub-04" / "func").mkdir(parents=True)
    (data / "code").mkdir()
    shutil.copytree(data / "sub-03" / "anat", data / "derivatives" / "masks")
    (data / "dataset_description.json").write_text(json.dumps({"Name": "raw", "BIDSVersion": "1.10.0"}))
    return data


def below(folder, patients):
    return {name: [str(path.relative_to(folder)) for path in visits] for name, visits in patients.items()}


def test_subjects_are_patients_and_sessions_visits(raw):
    found = {"sub-01": ["sub-01/ses-a", "sub-01/ses-b"], "sub-02": ["sub-02/ses-a"], "sub-03": ["sub-03"]}
    assert below(raw, list_patients(raw)) == found
    assert below(raw, list_patients(raw, empty=True)) == found | {"sub-04": []}


def test_a_dataset_of_nothing_but_sessions_is_one(raw):
    shutil.rmtree(raw / "sub-03")
    assert list(list_patients(raw)) == ["sub-01", "sub-02"]


def test_without_a_description_every_folder_is_a_patient(raw):
    (raw / "dataset_description.json").unlink()
    found = list_patients(raw, empty=True)
    assert list(found) == ["code", "derivatives", "sub-01", "sub-02", "sub-03", "sub-04"]
    assert below(raw, found)["sub-01"] == ["sub-01/ses-a", "sub-01/ses-b"]


def test_every_visit_can_be_read_and_has_a_name_of_its_own(raw):
    visits = list_visits(raw)
    assert [visit_name(path) for path in visits] == ["sub-01_ses-a", "sub-01_ses-b", "sub-02_ses-a", "sub-03"]
    assert {patient_of(visit_name(path)) for path in visits} == {"sub-01", "sub-02", "sub-03"}
    for path in visits:
        assert read_patient(path, labels="brats-2021").visits[0].labels.whole.any()
        assert find_segmentation(path).parent.name == "anat"


def test_a_dataset_without_scans_is_refused(raw):
    for name in ("sub-01", "sub-02", "sub-03"):
        shutil.rmtree(raw / name)
    with pytest.raises(InputError, match="BraTS or BIDS"):
        list_patients(raw, empty=True)
