"""A cohort in a folder: whole patients, named as BraTS names them, the same whoever made them."""

import csv
import json

import numpy as np
import pytest

from gliocast.cohort import synthetic
from gliocast.cohort.synthetic import CohortLaw, make_synthetic_patient
from gliocast.core import InputError, Silence
from gliocast.data import read_patient, read_volume
from gliocast.pipeline import simulate_cohort as module
from gliocast.pipeline.cohort_folder import read_truth, write_patient
from gliocast.pipeline.simulate_cohort import simulate_cohort

LAW = CohortLaw(seed=1, growth="fisher-kolmogorov", care="none")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "digital"
    simulate_cohort(out, 1, LAW, num_workers=1)
    return out


def test_a_patient_is_read_as_one_of_brats(cohort):
    folder = cohort / "GLIO_00000"
    assert {path.name for path in folder.glob("*.nii.gz")} == {
        f"GLIO_00000_{ending}.nii.gz" for ending in ("t1", "t1ce", "t2", "flair", "seg")
    }
    patient = read_patient(folder, labels="brats-2021")
    visit = patient.visits[0]
    assert visit.grid.shape == (240, 240, 155)
    np.testing.assert_allclose(visit.grid.affine[:3], [[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0]])
    density = read_volume(folder / "truth" / "density.nii.gz", "density")
    assert density.data[visit.labels.core].mean() > 0.5
    truth = read_truth(folder)
    assert truth["synthetic"]
    x, y, z = np.rint(visit.grid.voxel_from_world(np.array(truth["life"]["seeds"][0]))).astype(int)
    assert density.data[x, y, z] > 0.5  # the seed is told in the frame of the images


def test_tables_are_those_of_brats(cohort):
    rows = list(csv.DictReader((cohort / "survival_info.csv").open()))
    assert list(rows[0]) == ["BraTS20ID", "Age", "Survival_days", "Extent_of_Resection"]
    truth = read_truth(cohort / "GLIO_00000")
    days = round(truth["observed_days"])
    assert rows[0]["Survival_days"] == (f"ALIVE ({days} days later)" if truth["censored"] else str(days))
    every = next(csv.DictReader((cohort / "truth.csv").open()))
    assert float(every["diffusivity"]) == truth["life"]["diffusivity"]
    assert (cohort / "contact_sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_patients_that_are_there_stay_and_other_cohorts_are_refused(cohort, monkeypatch):
    written = (cohort / "GLIO_00000" / "truth" / "truth.json").stat().st_mtime_ns
    monkeypatch.setattr(module, "make_synthetic_patient", lambda *_: pytest.fail("made again"))
    simulate_cohort(cohort, 1, LAW, num_workers=1)
    assert (cohort / "GLIO_00000" / "truth" / "truth.json").stat().st_mtime_ns == written
    with pytest.raises(InputError, match="another folder"):
        simulate_cohort(cohort, 1, CohortLaw(seed=9), num_workers=1)


def test_a_patient_that_can_not_be_finished_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gliocast.pipeline.cohort_folder._write_visit", fail)
    patient = synthetic.SyntheticPatient(0, None, 1.0, "none", (), (None,), None, {})
    with pytest.raises(InputError, match="No space left"):
        write_patient(tmp_path / "GLIO-00000", patient, CohortLaw(num_visits=1))
    assert not list(tmp_path.iterdir())


def test_a_damaged_patient_is_named(cohort, tmp_path):
    folder = tmp_path / "GLIO_00000"
    (folder / "truth").mkdir(parents=True)
    (folder / "truth" / "truth.json").write_text("{")
    with pytest.raises(InputError, match="remove the folder"):
        read_truth(folder)


@pytest.mark.slow
def test_a_patient_is_the_same_whoever_made_it_and_visits_are_named_as_in_brats(tmp_path):
    law = CohortLaw(seed=3, num_visits=2, care="standard")
    simulate_cohort(tmp_path / "two", 2, law, num_workers=2, monitor=Silence())
    write_patient(tmp_path / "one", make_synthetic_patient(1, law), law)
    there = tmp_path / "two" / "GLIO-00001"
    visits = sorted(path.name for path in there.glob("GLIO*"))
    assert visits == ["GLIO-00001-000", "GLIO-00001-001"]
    for visit in range(2):
        name = f"{visits[visit]}-t1c.nii.gz"
        other = tmp_path / "one" / f"one-{visit:03d}" / f"one-{visit:03d}-t1c.nii.gz"
        assert (there / visits[visit] / name).read_bytes() == other.read_bytes()
        assert read_patient(there / visits[visit], labels="brats-2024").visits[0].labels.whole.any()
    assert json.loads((there / "truth" / "truth.json").read_text())["visit_days"][0] == 0
