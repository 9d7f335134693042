"""The command that a report names does what was done."""

import shlex
from dataclasses import replace
from types import SimpleNamespace

import pytest

from gliocast.core import SCHEMAS
from gliocast.pipeline import Options
from gliocast.pipeline.record import command

CASES = [
    Options(),
    Options(margin_mm=20.0, seed=3, method="morph-infer", forecast=False, keep_samples=True),
    Options(growth="mass-effect", tumor_pressure=15.0, barriers=False, resume=False, speed=0.3),
    Options(method="tmcmc", num_samples=256, num_densities=200, diffusivity_ratio=5.0),
]


@pytest.mark.parametrize("options", CASES)
def test_it_asks_for_the_same_options(options, gliocast, monkeypatch, tmp_path):
    asked = []
    person = SimpleNamespace(warnings=())
    monkeypatch.setattr("gliocast.data.describe", lambda _: ())
    monkeypatch.setattr("gliocast.pipeline.open_patient.open_patient", lambda *_, **__: person)
    monkeypatch.setattr("gliocast.pipeline.run", lambda *_, options, **__: asked.append(options))
    monkeypatch.setattr("gliocast.pipeline.report_page", lambda *_: tmp_path / "report.html")
    labels = SimpleNamespace(path=tmp_path, schema=SCHEMAS["brats-2021"])
    verb, *arguments = shlex.split(command(options, labels))[1:]
    outcome = gliocast(verb, *arguments, "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert asked == [options]


def test_a_scan_segmented_by_the_network_has_no_labels():
    labels = SimpleNamespace(path=None, schema=SCHEMAS["brats-2021"])
    assert "--labels" not in command(replace(CASES[0], seed=1), labels)
