"""The figures that the fit reaches on real patients; skipped where they are absent."""

import json

import pytest

from gliocast.data import read_patient
from gliocast.pipeline import run
from gliocast.pipeline.segment import segment
from gliocast.segmentation.metrics import compare


# One focus describes both badly, so their outlines count for little beside the prior, and the small core gives way to
# the whole tumor: with fixed weights the cores reached 0.67 and 0.75, the whole tumors no more than now.
@pytest.mark.parametrize(
    ("patient", "core", "whole"),
    [("tcga-fg-6692", 0.65, 0.715), pytest.param("tcga-du-7294", 0.72, 0.83, marks=pytest.mark.slow)],
)
def test_fit_explains_a_real_patient_as_well_as_a_one_focus_model_can(shared_data, tmp_path, patient, core, whole):
    findings = run(read_patient(shared_data / patient), tmp_path / "out")
    assert findings.misfit.core_dice >= core
    assert findings.misfit.whole_dice >= whole
    table = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert table["standard_ml"] == table["model_ml"]


# The other patient's whole tumor is found to 0.60 only; the card of the weights says why.
@pytest.mark.slow
@pytest.mark.parametrize(("patient", "whole"), [("tcga-du-7294", 0.9), ("tcga-fg-6692", 0.55)])
def test_the_network_finds_a_real_patients_tumor(shared_data, patient, whole):
    visit = read_patient(shared_data / patient).visits[0]
    found = segment(visit.study)
    assert compare(found, visit.labels)["WT"].dice >= whole
