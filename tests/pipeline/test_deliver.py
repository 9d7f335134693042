"""What a run says and keeps of its targets: alarms however quiet, and the files that they are of."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.docs.test_outputs import make_findings

from gliocast.core import Silence
from gliocast.data import file_hash, read_patient
from gliocast.pipeline import Options, TargetChoices, deliver, plan_targets, run
from gliocast.pipeline.plan_origin import find_origin


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


def test_scans_are_known_of_density_and_segmentation_of_a_run_alone(patient, deliver_findings, tmp_path):
    out, plan, _ = deliver_findings(make_findings(patient))
    density, segmentation = out / "density.nii.gz", patient.visits[0].labels.path
    assert plan["segmentation"] == file_hash(segmentation)
    assert find_origin(density, segmentation).scans == find_origin(density).scans == plan["scans"] != {}
    other = find_origin(density, out / "gtv.nii.gz")
    assert (other.scans, other.segmentation) == ({}, file_hash(out / "gtv.nii.gz"))


def test_the_networks_segmentation_is_known_by_the_file_that_was_written(patient, deliver_findings):
    findings = make_findings(patient)
    labels = replace(findings.visit.labels, path=None)
    out, plan, _ = deliver_findings(replace(findings, visit=replace(findings.visit, labels=labels)))
    assert plan["segmentation"] == file_hash(out / "segmentation.nii.gz")


def test_a_run_on_arrays_alone_keeps_no_trace_of_a_segmentation(patient, deliver_findings):
    findings = make_findings(patient)
    visit = findings.visit
    scans = {name: replace(scan, path=None) for name, scan in visit.scans.items()}
    visit = replace(visit, scans=scans, labels=replace(visit.labels, path=None))
    out, plan, _ = deliver_findings(replace(findings, visit=visit))
    assert plan["segmentation"] is None
    assert np.isfinite(plan["gtv_ml"])
    assert find_origin(out / "density.nii.gz", out / "gtv.nii.gz").scans == {}
