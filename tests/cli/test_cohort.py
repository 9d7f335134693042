"""Many patients through the real command: what it prints, how it ends."""

import importlib
import shutil
from unittest import mock

import pytest

from gliocast.core import RESEARCH_NOTICE, QualityError


@pytest.fixture
def cohort(small_patient_folder, tmp_path):
    data = tmp_path / "cohort"
    for name in ("one", "two"):
        shutil.copytree(small_patient_folder, data / name)
    (data / "two" / "flair.nii.gz").unlink()
    return data


def test_failures_are_told_and_reported(cohort, tmp_path, gliocast):
    """The one fails in its science, and the other in its scans: nobody has a result, which the exit code says."""
    error = QualityError("anatomy", expected="a brain", got="none", advice="look")
    module = importlib.import_module("gliocast.pipeline.deliver")  # the package has a function of this name, too
    with mock.patch.object(module, "personalize", side_effect=error):
        outcome = gliocast("cohort", "run", cohort, "--out", tmp_path / "out")
    assert (outcome.code, outcome.out) == (2, "")
    assert "\none: no result, read: anatomy: expected a brain, got none; look\n" in outcome.err
    assert "\ntwo: no result, read: folder two: expected t1, t1c, t2 and flair" in outcome.err
    assert "gliocast: cohort cohort: expected a patient who can be personalized, got none; one says:" in outcome.err
    outcome = gliocast("cohort", "report", tmp_path / "out")
    assert (outcome.code, outcome.out.splitlines()) == (
        0,
        [
            "2 patients: 2 without a result, 0 fail, 0 review, 0 pass",
            f"report: {tmp_path / 'out' / 'cohort.html'}",
            RESEARCH_NOTICE,
        ],
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "cohort", "--out", "out", "--margin", "-3"], "margin"),
        (["run", "cohort", "--out", "out", "--method", "guess"], "method"),
        (["run", "cohort", "--out", "cohort/out"], "outside of the cohort"),
        (["run", "absent", "--out", "out"], "check the path"),
        (["report", "cohort"], "2 folders without results"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, said, cohort, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused("cohort", *arguments)
