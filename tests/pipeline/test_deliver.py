"""What a run says and keeps of its targets: alarms however quiet, and the files that they are of."""

import json
from dataclasses import replace

import pytest
from tests.docs.test_outputs import make_findings

from gliocast.core import Silence
from gliocast.data import read_patient
from gliocast.pipeline import Options, TargetChoices, deliver, plan_targets, run


class Listener(Silence):
    """Remembers what it is told."""

    def __init__(self):
        self.said = []

    def note(self, message):
        self.said.append(message)


@pytest.fixture
def patient(small_patient_folder):
    return read_patient(small_patient_folder, labels="brats-2021")


@pytest.fixture
def deliver_findings(patient, tmp_path, monkeypatch):
    """The function `deliver_findings(findings) -> (folder, plan.json, notes)`: all but the fit and the page."""

    def call(findings):
        listener = Listener()
        monkeypatch.setattr(deliver, "personalize", lambda *_: findings)
        monkeypatch.setattr(deliver, "write_report", lambda *_, **__: None)
        run(patient, tmp_path / "out", options=Options(), monitor=listener)
        return tmp_path / "out", json.loads((tmp_path / "out" / "plan.json").read_text()), listener.said

    return call


def test_a_margin_below_the_guidelines_is_said_as_an_alarm(patient, deliver_findings):
    findings = make_findings(patient)
    planned = plan_targets(
        findings.visit.labels,
        findings.anatomy.anatomy,
        findings.density,
        TargetChoices(margin_mm=5.0),
        notes=["labels taken as brats-2021"],
    )
    _, plan, said = deliver_findings(replace(findings, planned=planned))
    assert any(note.startswith("WARNING: THE MARGIN OF 5 MM IS SMALLER") for note in said)
    assert said == [f"WARNING: {alarm}" for alarm in planned.alarms]  # notes were said when the scans were read
    assert plan["warnings"] == [*planned.alarms, "labels taken as brats-2021"]
