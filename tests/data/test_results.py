"""Results by plain names in folders of both layouts."""

import json
from pathlib import Path

import pytest

from gliocast import __version__
from gliocast.core import InputError
from gliocast.data import (
    BidsResults,
    Results,
    Subject,
    find_results,
    folders_of_results,
    lay_out,
    require_room,
    whole_results,
)

PLAIN = ("density.nii.gz", "ctv_model.nii.gz", "density_above_0.1.nii.gz", "plan.json", "report.npz")


def write(out, subject=None, *, inputs=()):
    """One image and one other file, as a command writes them."""
    with whole_results(out, subject, inputs=inputs) as results:
        for name in ("gtv.nii.gz", "plan.json"):
            results.path(name).write_text(f"{subject}")
    return lay_out(out, subject)


def described(out):
    return json.loads((out / "dataset_description.json").read_text())


@pytest.mark.parametrize("subject", [None, Subject("01"), Subject("01", "pre")])
def test_a_name_leads_to_a_file_and_back(subject, tmp_path):
    results = lay_out(tmp_path, subject)
    assert [results.plain(results.name(plain)) for plain in PLAIN] == list(PLAIN)
    assert results.path("figures/ctv.png") == results.folder / "figures" / "ctv.png"


def test_the_plain_layout_is_what_it_was(tmp_path):
    assert {path.name for path in tmp_path.iterdir()} == set()
    write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"gtv.nii.gz", "plan.json"}


@pytest.mark.parametrize(
    "name", ["../gtv.nii.gz", "anat/sub-02_space-orig_label-GTV_mask.nii.gz", "anat/x.nii.gz", "x"]
)
def test_nothing_but_results_of_the_subject_has_a_plain_name(name, tmp_path):
    assert lay_out(tmp_path, Subject("01")).plain(name) is None


def test_an_image_without_a_name_is_a_fault_of_ours(tmp_path):
    with pytest.raises(ValueError, match=r"new\.nii\.gz has no name in BIDS"):
        lay_out(tmp_path, Subject("01")).name("new.nii.gz")


def test_subjects_and_sessions_share_a_dataset_and_keep_out_of_each_others_way(tmp_path):
    subjects = [Subject("01"), Subject("02"), Subject("03", "a"), Subject("03", "b")]
    for subject in subjects:
        write(tmp_path / "out", subject)
    for subject in subjects:
        found = find_results(tmp_path / "out" / subject.folder)
        assert found == lay_out(tmp_path / "out", subject)
        assert found.images() == ["gtv.nii.gz"]
        assert found.path("plan.json").read_text() == f"{subject}"
    assert not list(tmp_path.rglob(".gliocast-*"))


def test_results_are_found_from_the_dataset_the_subject_the_session_and_the_images(tmp_path, monkeypatch):
    expected = write(tmp_path / "out", Subject("01", "a"))
    for place in ("out", "out/sub-01", "out/sub-01/ses-a", "out/sub-01/ses-a/anat"):
        assert find_results(tmp_path / place) == expected
    monkeypatch.chdir(tmp_path / "out" / "sub-01")
    assert find_results(Path()) == expected


def test_of_several_one_has_to_be_named(tmp_path):
    write(tmp_path / "out", Subject("01"))
    write(tmp_path / "out", Subject("02", "a"))
    with pytest.raises(InputError, match="got sub-01, sub-02/ses-a; name the folder of one, such as out/sub-01"):
        find_results(tmp_path / "out")
    assert find_results(tmp_path / "out" / "sub-02").folder == tmp_path / "out" / "sub-02" / "ses-a"


def test_a_subject_with_results_of_its_own_has_those_whatever_its_sessions_have(tmp_path):
    own, session = write(tmp_path / "out", Subject("01")), write(tmp_path / "out", Subject("01", "x"))
    for place in ("sub-01", "sub-01/anat"):
        assert find_results(tmp_path / "out" / place) == own
    for place in ("sub-01/ses-x", "sub-01/ses-x/anat"):
        assert find_results(tmp_path / "out" / place) == session
    with pytest.raises(InputError, match="got sub-01, sub-01/ses-x; name the folder of one, such as out/sub-01"):
        find_results(tmp_path / "out")


def test_of_several_sessions_one_has_to_be_named(tmp_path):
    for session in "ab":
        write(tmp_path / "out", Subject("01", session))
    with pytest.raises(InputError, match=r"got sub-01/ses-a, sub-01/ses-b; .* such as out/sub-01/ses-a"):
        find_results(tmp_path / "out" / "sub-01")
    assert find_results(tmp_path / "out" / "sub-01" / "anat").images() == []


@pytest.mark.parametrize("place", ["out", "out/sub-01"])
@pytest.mark.parametrize("find", [find_results, folders_of_results])
def test_a_folder_that_cant_be_read_is_refused(find, place, tmp_path, monkeypatch):
    write(tmp_path / "out", Subject("01", "a"))

    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(InputError, match="expected a folder of results, got Permission denied; check the path"):
        find(tmp_path / place)


def test_a_place_for_results_that_cant_be_read_is_refused(tmp_path, monkeypatch):
    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", denied)
    with pytest.raises(InputError, match="got Permission denied"):
        require_room(tmp_path, Subject("01"))


def test_any_other_folder_is_plain_even_if_it_is_called_like_a_subject(tmp_path):
    write(tmp_path / "sub-01")
    for place in (tmp_path / "sub-01", tmp_path / "absent"):
        found = find_results(place)
        assert (type(found), found.folder) == (Results, place)
    assert isinstance(write(tmp_path / "out", Subject("01")), BidsResults)


# Where there is room


@pytest.mark.parametrize("first", [None, "a"])
@pytest.mark.parametrize("second", [None, "a", "b"])
def test_a_label_that_nobody_said_is_used_once_whatever_the_session(first, second, tmp_path):
    write(tmp_path / "out", Subject("01", first))
    with pytest.raises(InputError, match=r"there are results of sub-01 already, got none; .* --subject, 01 for the"):
        require_room(tmp_path / "out", Subject("01", second, assumed=True))
    for subject in (None, Subject("01", second), Subject("02", second, assumed=True)):
        require_room(tmp_path / "out", subject)


@pytest.mark.parametrize("exists", [True, False])
def test_of_two_runs_at_once_the_slower_one_overwrites_nothing(exists, tmp_path):
    subject = Subject("01", assumed=True)
    if exists:
        write(tmp_path / "out", Subject("02"))
    slower = whole_results(tmp_path / "out", subject)
    slower.__enter__().path("plan.json").write_text("slower")
    quicker = write(tmp_path / "out", subject)
    with pytest.raises(InputError, match="there are results of sub-01 already"):
        slower.__exit__(None, None, None)
    assert quicker.path("plan.json").read_text() == f"{subject}"
    assert not list(tmp_path.rglob(".gliocast-*"))


# What a dataset says of itself


def test_a_new_dataset_says_what_it_is_and_names_nobody(tmp_path):
    write(tmp_path / "DOE-JANE" / "out", Subject("01"))
    out = tmp_path / "DOE-JANE" / "out"
    content = described(out)
    assert (content["DatasetType"], content["GeneratedBy"]) == (
        "derivative",
        [{"Name": "gliocast", "Version": __version__}],
    )
    assert content["BIDSVersion"].startswith("1.")
    assert "DatasetLinks" not in content
    for name in ("dataset_description.json", "README.md", ".bidsignore"):
        assert "JANE" not in (out / name).read_text()


def test_what_others_wrote_into_the_description_stays(tmp_path):
    write(tmp_path, Subject("01"))
    content = described(tmp_path) | {"Name": "Glioma study", "License": "CC0"}
    content["GeneratedBy"] = [{"Name": "gliocast", "Version": "0.0.9"}, {"Name": "Manual"}]
    (tmp_path / "dataset_description.json").write_text(json.dumps(content))
    (tmp_path / "README.md").write_text("mine")
    write(tmp_path, Subject("02"))
    content["GeneratedBy"].append({"Name": "gliocast", "Version": __version__})
    assert described(tmp_path) == content
    assert (tmp_path / "README.md").read_text() == "mine"
    before = (tmp_path / "dataset_description.json").stat().st_mtime_ns
    write(tmp_path, Subject("03"))
    assert (tmp_path / "dataset_description.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "content",
    [
        '{"Name": "raw", "BIDSVersion": "1.10.0", "DatasetType": "raw"}',
        '{"Name": "x", "DatasetType": "derivative", "GeneratedBy": [{"Name": "fmriprep"}]}',
        '{"Name": "x", "DatasetType": "derivative", "GeneratedBy": 3}',
        "[]",
        "no JSON",
    ],
)
def test_another_dataset_is_refused_and_stays_as_it_is(content, tmp_path):
    (tmp_path / "dataset_description.json").write_text(content)
    with pytest.raises(InputError, match="another dataset; write into a folder of its own"):
        write(tmp_path, Subject("01"))
    assert [path.name for path in tmp_path.iterdir()] == ["dataset_description.json"]
    assert (tmp_path / "dataset_description.json").read_text() == content


def test_a_failure_leaves_a_dataset_as_it_was(tmp_path):
    write(tmp_path / "out", Subject("01"))
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    with pytest.raises(FileNotFoundError), whole_results(tmp_path / "out", Subject("02")) as results:
        (results.folder / "absent" / "half").write_text("")
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_the_raw_dataset_around_is_linked_by_the_way_up(tmp_path):
    scan = tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    out = tmp_path / "derivatives" / "gliocast"
    with whole_results(out, Subject("01"), inputs=[scan, None]) as results:
        results.path("csf.nii.gz").write_text("")
        results.describe(["csf.nii.gz"], inputs={"t1": scan, "t2": None})
    assert described(out)["DatasetLinks"] == {"raw": "../.."}
    (sidecar,) = out.rglob("*_probseg.json")
    assert json.loads(sidecar.read_text())["Sources"] == ["bids:raw:sub-01/anat/sub-01_T1w.nii.gz"]
    with whole_results(tmp_path.parent / f"{tmp_path.name}-else", Subject("01"), inputs=[scan]) as results:
        results.path("csf.nii.gz").write_text("")
        results.describe(["csf.nii.gz"], inputs={"t1": scan})
        assert "sub-01_T1w" not in next(results.folder.rglob("*.json")).read_text()
