"""All patients of a folder: who fails stops nobody, and who is complete isn't run again."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from unittest import mock

import pytest
import torch

from gliocast.cli.cohort import give_back
from gliocast.core import ConvergenceError, InputError, Silence
from gliocast.data import file_hash
from gliocast.pipeline import Options
from gliocast.pipeline.run_cohort import run_cohort
from gliocast.report.cohort import Failure

from .results_case import write_results

RUN = "gliocast.pipeline.run_cohort.run"


def fake_run(patient, out, *, options, monitor):
    """Results without the science."""
    monitor.begin("fit")
    visit = patient.visits[0]
    paths = {name: scan.path for name, scan in visit.scans.items()} | {"seg": visit.labels.path}
    write_results(
        out,
        options=asdict(options),
        inputs={name: file_hash(path) for name, path in paths.items()},
        label_schema=visit.labels.schema.name,
        seconds={"read": 1.0, "fit": float(len(out.name))},
    )


def faking(work):
    """A guard that puts `fake_run` in the place of the science, in another process, too."""
    with mock.patch(RUN, fake_run):
        return give_back(work)


class Listening(Silence):
    def __init__(self):
        self.notes, self.stages, self.shares = [], [], []

    def begin(self, stage):
        self.stages.append(stage)

    def advance(self, fraction):
        self.shares.append(fraction)

    def note(self, message):
        self.notes.append(message)


@pytest.fixture
def cohort(tmp_path, small_patient_template):
    """Scans in a folder, visits in two folders that are called the same, visits side by side, and an empty folder."""
    data = tmp_path / "cohort"
    for place in ("A", "B/ses-0", "B/ses-1", "C/ses-0", "D-00001-000", "D-00001-001"):
        shutil.copytree(small_patient_template, data / place)
    (data / "lost").mkdir()
    return data


def attempt(cohort, out, *, guard=faking, **choices):
    listening = Listening()
    content = run_cohort(cohort, out, labels="brats-2021", guard=guard, monitor=listening, **choices)
    return content, listening


def test_every_patient_has_a_folder_and_who_fails_a_reason(cohort, tmp_path):
    content, listening = attempt(cohort, tmp_path / "out")
    assert [result.name for result in content.results] == ["A", "B", "C", "D-00001"]
    assert [failure.name for failure in content.failures] == ["lost"]
    record = json.loads((tmp_path / "out" / "lost" / "failure.json").read_text())
    assert (record["stage"], record["error"]) == ("read", "InputError")
    assert "got no t1, t1c, t2, flair among no NIfTI file" in record["reason"]
    assert "research only" in record["notice"]
    assert listening.stages == ["find", "patients", "read", "report"]
    assert listening.notes[0] == "A: review, 1 warning, 2 s"
    assert listening.notes[-1].startswith("lost: no result, read: folder lost: expected t1, t1c, t2 and flair")
    patients = listening.shares[: listening.shares.index(1.0)]
    assert patients == sorted(patients)
    assert (tmp_path / "out" / "cohort.html").is_file()


def test_processes_do_the_same(cohort, tmp_path):
    attempt(cohort, tmp_path / "one")
    attempt(cohort, tmp_path / "two", num_workers=2)
    tables = [(tmp_path / name / "cohort.tsv").read_text() for name in ("one", "two")]
    assert tables[0] == tables[1]


def test_who_is_complete_is_not_run_again_and_who_failed_is(cohort, small_patient_template, tmp_path):
    attempt(cohort, tmp_path / "out")
    shutil.copytree(small_patient_template, cohort / "lost", dirs_exist_ok=True)
    content, listening = attempt(cohort, tmp_path / "out")
    assert listening.notes == [
        "complete for these inputs and options, not repeated: A, B, C, D-00001",
        "lost: review, 1 warning, 5 s",
    ]
    assert content.failures == ()
    assert not (tmp_path / "out" / "lost" / "failure.json").exists()
    assert attempt(cohort, tmp_path / "out")[1].notes == [
        "complete for these inputs and options, not repeated: A, B, C, D-00001, lost"
    ]


def again(cohort, out, **choices):
    """Who is run again."""
    notes = attempt(cohort, out, **choices)[1].notes
    return [note.partition(":")[0] for note in notes if not note.startswith("complete")]


def test_what_changes_a_result_makes_it_run_again(cohort, tmp_path, save_nifti, small_patient_arrays):
    out = tmp_path / "out"
    attempt(cohort, out)
    assert again(cohort, out, options=Options(margin_mm=20.0)) == ["A", "B", "C", "D-00001", "lost"]
    assert again(cohort, out, options=Options(margin_mm=20.0)) == ["lost"]
    save_nifti(cohort / "A" / "t2.nii.gz", small_patient_arrays["t2"] + (small_patient_arrays["t2"] > 0))
    assert again(cohort, out, options=Options(margin_mm=20.0)) == ["A", "lost"]
    (out / "B" / "report.npz").unlink()
    assert again(cohort, out, options=Options(margin_mm=20.0)) == ["B", "lost"]
    (out / "B" / "plan.json").write_text("{}")
    assert again(cohort, out, options=Options(margin_mm=20.0)) == ["B", "lost"]
    record = json.loads((out / "C" / "provenance.json").read_text())
    record["versions"]["gliocast"] = "0.0.1"
    (out / "C" / "provenance.json").write_text(json.dumps(record))
    assert again(cohort, out, options=Options(margin_mm=20.0)) == ["C", "lost"]
    assert again(cohort, out, options=Options(margin_mm=20.0, resume=False)) == ["A", "B", "C", "D-00001", "lost"]


def raising(error):
    def fail(*_, monitor, **__):
        monitor.begin("fit")
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConvergenceError("fit", expected="an end", got="none", advice="wait"), "fit: expected an end, got none; wait"),
        (ZeroDivisionError("of /data/DOE^JANE/t1.nii.gz"), "internal error, ZeroDivisionError: of [file]"),
        (MemoryError(), "internal error, MemoryError: no message"),
    ],
)
def test_whatever_goes_wrong_stops_nobody_and_names_no_file(error, reason, cohort, tmp_path):
    def guard(work):
        nonlocal count
        count += 1
        with mock.patch(RUN, raising(error) if count == 2 else fake_run):
            return give_back(work)

    count = 0
    content, _ = attempt(cohort, tmp_path / "out", guard=guard)
    assert content.failures[0] == Failure("B", "fit", reason)
    assert len(content.results) == 3


def test_without_a_guard_a_fault_of_ours_is_heard(cohort, tmp_path):
    with mock.patch(RUN, raising(ZeroDivisionError())), pytest.raises(ZeroDivisionError):
        run_cohort(cohort, tmp_path / "out")


def test_older_results_stay_but_do_not_count(cohort, tmp_path):
    attempt(cohort, tmp_path / "out")
    (cohort / "A" / "flair.nii.gz").unlink()
    content, _ = attempt(cohort, tmp_path / "out")
    assert [failure.name for failure in content.failures] == ["A", "lost"]
    assert (tmp_path / "out" / "A" / "report.html").is_file()


def test_names_of_files_that_could_be_a_persons_are_left_out(cohort, tmp_path):
    (cohort / "A" / "flair.nii.gz").rename(cohort / "A" / "DOE_JANE_1957.nii.gz")
    attempt(cohort, tmp_path / "out")
    reason = json.loads((tmp_path / "out" / "A" / "failure.json").read_text())["reason"]
    assert "got no flair among [file], seg.nii.gz, t1.nii.gz, t1c.nii.gz, t2.nii.gz" in reason


def put_into_dataset(cohort):
    """The same scans as a BIDS dataset: two sessions, one, none; and the first subject's file called as a person."""
    raw = cohort.parent / "raw"
    for place in ("sub-1/ses-a", "sub-1/ses-b", "sub-2/ses-a", "sub-3"):
        shutil.copytree(cohort / "A", raw / place / "anat")
    (raw / "code").mkdir()
    (raw / "dataset_description.json").write_text("{}")
    return raw


def test_subjects_of_a_dataset_are_patients_and_sessions_visits(cohort, tmp_path):
    raw = put_into_dataset(cohort)
    content, _ = attempt(raw, tmp_path / "out")
    assert [result.name for result in content.results] == ["sub-1", "sub-2", "sub-3"]
    assert content.failures == ()
    content, _ = attempt(raw, tmp_path / "later", visit=1)
    assert [result.name for result in content.results] == ["sub-1"]
    assert {failure.stage for failure in content.failures} == {"find"}


def test_names_of_files_deep_in_a_dataset_are_left_out(cohort, tmp_path):
    raw = put_into_dataset(cohort)
    anat = raw / "sub-1" / "ses-a" / "anat"
    (anat / "t1.nii.gz").rename(anat / "Doe  John_t1.nii.gz")
    (anat / "Doe  John_t1.nii.gz").write_bytes(b"no image")
    (anat / "t2.nii.gz").rename(anat / "DoeJohn_t2.nii.gz")
    attempt(raw, tmp_path / "out")
    reason = json.loads((tmp_path / "out" / "sub-1" / "failure.json").read_text())["reason"]
    assert reason.startswith("t1 ([file]): expected")
    assert "Doe" not in (tmp_path / "out" / "cohort.html").read_text()


def dying(work):
    """A guard in which the process of one patient ends without a word."""

    def run_or_die(patient, out, **choices):
        if out.name == "B":
            os._exit(9)
        fake_run(patient, out, **choices)

    with mock.patch(RUN, run_or_die):
        return give_back(work)


def test_a_process_that_dies_stops_nobody(cohort, tmp_path):
    """Who was under way beside it may be lost, too, for this time."""
    content, listening = attempt(cohort, tmp_path / "out", guard=dying, num_workers=2)
    reasons = {failure.name: failure.sentence for failure in content.failures}
    assert "B" in reasons
    assert "one that died, perhaps for lack of memory" in reasons["B"]
    assert len(content.results) >= 2
    assert {note.partition(":")[0] for note in listening.notes} == {"A", "B", "C", "D-00001", "lost"}
    assert (tmp_path / "out" / "cohort.html").is_file()
    assert [failure.name for failure in attempt(cohort, tmp_path / "out")[0].failures] == ["lost"]


def test_one_patient_is_run_here_with_all_threads(cohort, tmp_path):
    attempt(cohort, tmp_path / "out")
    (cohort / "lost").rmdir()
    (tmp_path / "out" / "B" / "plan.json").unlink()
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        _, listening = attempt(cohort, tmp_path / "out", num_workers=8)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert listening.notes[-1].startswith("B: review")
    assert len({share for share in listening.shares if 0.75 < share < 1}) > 1  # between none and all of the last


def test_no_process_imports_what_only_a_report_needs():
    code = "import sys, gliocast.pipeline.run_cohort; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_visit_is_fitted_where_there_is_one(cohort, tmp_path):
    content, _ = attempt(cohort, tmp_path / "out", visit=1)
    assert [result.name for result in content.results] == ["B", "D-00001"]
    reasons = {failure.name: failure.sentence for failure in content.failures}
    assert reasons["A"] == "find: visit: expected the only one there is, 0, got 1; pick another with --visit"
    assert reasons["lost"].startswith("find: visit: expected scans, which there are none of, got 1")


def test_where_nobody_can_be_personalized_the_report_says_why(cohort, tmp_path):
    for place in ("A", "B", "C", "D-00001-000", "D-00001-001"):
        shutil.rmtree(cohort / place)
    shutil.copytree(cohort / "lost", cohort / "empty")
    with pytest.raises(InputError, match="expected a folder for each patient"):
        attempt(cohort, tmp_path / "out")
    (cohort / "lost" / "t1.nii.gz").write_text("no image")
    with pytest.raises(InputError, match="got none; empty says: read: folder empty"):
        attempt(cohort, tmp_path / "out")
    assert (tmp_path / "out" / "cohort.html").is_file()


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"visit": -1}, "visit: expected 0 or more, got -1"),
        ({"num_workers": 0}, "workers: expected 1 or more, got 0"),
        ({"labels": "mine"}, "label schema: expected one of brats-2021"),
    ],
)
def test_what_nobody_could_be_run_with_is_refused_before_any_work(choices, said, cohort, tmp_path):
    with pytest.raises(InputError, match=said):
        run_cohort(cohort, tmp_path / "out", guard=faking, **choices)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [".", "results", "A"])
def test_results_inside_of_the_cohort_are_refused(place, cohort):
    with pytest.raises(InputError, match="outside of the cohort"):
        run_cohort(cohort, cohort / place)


def test_a_dataset_is_no_place_for_results(cohort, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dataset_description.json").write_text("{}")
    with pytest.raises(InputError, match="got a BIDS dataset; pick another"):
        run_cohort(cohort, tmp_path / "out", guard=faking)
