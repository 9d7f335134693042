"""Folders of patients to tables of what plans cover, with densities from files and from a fit."""

import csv
import json
import shutil
from dataclasses import asdict, replace

import nibabel as nib
import numpy as np
import pytest

from gliocast.anatomy import AnatomyEstimate, Match
from gliocast.core import Anatomy, InputError, Silence, Volume
from gliocast.data import Subject, lay_out, read_patient, write_vectors
from gliocast.data.folders import find_files
from gliocast.pipeline import Options
from gliocast.pipeline.evaluate_plans import PlanEvaluationOptions, evaluate_plans
from gliocast.pipeline.methods import METHODS
from gliocast.pipeline.patient_folders import list_patients, list_visits
from gliocast.pipeline.plan_density import DensitySource
from gliocast.pipeline.plan_origin import origin_of
from gliocast.planning.recurrence import MEASURES

FILES = DensitySource(file="density.nii.gz")


class Listening(Silence):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def flat_anatomy(visit, atlas, *, monitor=None):
    """White matter wherever there is brain: what these tests are about needs no registration."""
    white = visit.brain.astype(np.float32)
    anatomy = Anatomy(white, np.zeros_like(white), np.zeros_like(white), visit.brain, visit.grid)
    return AnatomyEstimate(anatomy, Match(1.0, 1.0), cached=False)


@pytest.fixture(autouse=True)
def _no_registration(monkeypatch):
    monkeypatch.setattr("gliocast.pipeline.evaluate_plans.estimate_anatomy", flat_anatomy)


@pytest.fixture
def cohort(tmp_path, small_patient_template, small_patient_arrays, save_nifti):
    """Four patients: two with a second visit, one with a recurrence file, one who never came back."""
    data = tmp_path / "cohort"
    labels = np.where(small_patient_arrays["seg"] == 4, 3, small_patient_arrays["seg"])
    world = np.moveaxis(np.indices(labels.shape), 0, -1) @ np.diag([-3.0, -3.0, 3.0]) + (82.5, 94.5, -73.5)
    density = np.exp(-np.linalg.norm(world - (40, 10, 20), axis=-1) / 8).astype(np.float32)

    def visit(folder, seg):
        shutil.copytree(small_patient_template, folder)
        save_nifti(folder / "seg.nii.gz", seg.astype(np.uint8))
        save_nifti(folder / "density.nii.gz", density)
        return folder

    east = np.linalg.norm(world - (52, 10, 20), axis=-1) < 12
    later = np.where(east, np.where(world[..., 2] > 20, 3, 2), 0)
    visit(data / "A-00001" / "A-00001-000", labels)
    visit(data / "A-00001" / "A-00001-001", later)
    visit(data / "A-00002-000", labels)  # visits side by side
    visit(data / "A-00002-001", np.where(later == 3, 4, later))  # nothing enhances, and there is a cavity
    single = visit(data / "B", labels)
    save_nifti(single / "B_recurrence.nii.gz", east.astype(np.uint8))
    visit(data / "C", labels)
    return data


def evaluate(data, out, listening=None, **choices):
    options = PlanEvaluationOptions(**{"source": FILES, **choices})
    return evaluate_plans(data, out, options=options, monitor=listening)


def test_patients_are_found_in_any_layout(cohort):
    patients = {name: [path.name for path in visits] for name, visits in list_patients(cohort).items()}
    assert patients == {
        "A-00001": ["A-00001-000", "A-00001-001"],
        "A-00002": ["A-00002-000", "A-00002-001"],
        "B": ["B"],
        "C": ["C"],
    }


def test_what_is_true_of_digital_patients_is_no_visit(cohort):
    for folder in (cohort / "A-00001", cohort / "A-00001" / "A-00001-000", cohort / "C"):
        (folder / "truth").mkdir()
        shutil.copy(cohort / "C" / "seg.nii.gz", folder / "truth" / "dose.nii.gz")
    assert len(list_visits(cohort)) == 6


def test_a_cohort_becomes_tables_and_a_picture(cohort, tmp_path):
    listening, out = Listening(), tmp_path / "out"
    evaluation = evaluate(cohort, out, listening)
    assert list(evaluation.patients) == ["A-00001", "A-00002", "B"]
    assert list(evaluation.left_out) == ["C"]
    assert "a later visit, or a file *_recurrence.nii.gz, got one visit alone" in evaluation.left_out["C"]
    assert any(note.startswith("left out: C: ") for note in listening.notes)
    assert {path.name for path in out.iterdir()} == {
        "patients", "patients.csv", "summary.json", "table.md", "coverage.png"
    }  # fmt: skip
    with (out / "patients.csv").open(newline="") as file:
        rows = {row["patient"]: row for row in csv.DictReader(file)}
    assert rows["C"]["left out"] == evaluation.left_out["C"]
    for name, patient in evaluation.patients.items():
        assert float(rows[name]["plan_ml"]) == pytest.approx(patient.plan_ml, rel=1e-5)
        for measure in MEASURES:
            covered = patient.coverage[measure].covered["model"]
            assert rows[name][f"covered model {measure}"] == ("" if covered is None else f"{covered:.6g}")
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["patients"], summary["synthetic"]) == (3, False)
    assert evaluation.table() in (out / "table.md").read_text()


def test_names_of_files_stay_out_of_reasons(cohort, tmp_path):
    """Both of what is read and of what is looked for, in tables and in files of patients."""
    scans = cohort / "A-00001" / "A-00001-000"
    (scans / "t1.nii.gz").rename(scans / "Doe  John_t1.nii.gz")
    (scans / "Doe  John_t1.nii.gz").write_bytes(b"no image")
    shutil.copy(cohort / "B" / "B_recurrence.nii.gz", cohort / "B" / "DoeJohn_recurrence.nii.gz")
    out = tmp_path / "out"
    left_out = evaluate(cohort, out).left_out
    assert left_out["A-00001"].startswith("t1 ([file]): expected")
    assert "expected one recurrence file, got [file] and [file]" in left_out["B"]
    assert not any(b"Doe" in path.read_bytes() for path in out.rglob("*.*") if path.is_file())


def test_sessions_of_a_dataset_are_planning_visit_and_recurrence(cohort, tmp_path):
    """As the same visits side by side, whether the recurrence is a session's or a file."""
    raw = tmp_path / "raw"
    for old, new in {"A-00001/A-00001-000": "sub-1/ses-a", "A-00001/A-00001-001": "sub-1/ses-b", "B": "sub-2"}.items():
        shutil.copytree(cohort / old, raw / new / "anat")
    (raw / "dataset_description.json").write_text("{}")
    found, known = (
        evaluate(raw, tmp_path / "out", labels="brats-2024").patients,
        evaluate(cohort, tmp_path / "plain").patients,
    )
    assert (found["sub-1"].coverage, found["sub-2"].coverage) == (known["A-00001"].coverage, known["B"].coverage)


def test_the_density_decides_where_the_model_plans(cohort, tmp_path):
    """It leans towards the recurrence; whose plan has that direction covers more."""
    found = evaluate(cohort, tmp_path / "out").patients["A-00001"].coverage["any outside GTV"].covered
    assert found["model"] > found["guideline"]


def test_labels_are_guessed_of_the_cohort_and_a_cavity_is_no_recurrence(cohort, tmp_path):
    """Of the second patient's follow-up alone, 4 would be the enhancing tumor of old data sets."""
    listening = Listening()
    evaluation = evaluate(cohort, tmp_path / "out", listening)
    assert listening.notes[0].startswith("warning: labels 1, 2, 3, 4 taken as brats-2024")
    first, second = (evaluation.patients[name].coverage for name in ("A-00001", "A-00002"))
    assert second["enhancing"].recurrence_ml == 0
    assert second["enhancing"].covered["model"] is None
    assert second["any"].recurrence_ml == pytest.approx(first["any"].recurrence_ml - first["enhancing"].recurrence_ml)


def test_without_3_anywhere_the_names_of_files_say_whether_4_is_a_cavity(cohort, tmp_path):
    for old in (*(cohort / "A-00001").iterdir(), *cohort.glob("A-00002-*")):
        for path in list(old.iterdir()):
            if path.name.startswith("seg"):
                image = nib.load(path)
                data = np.asarray(image.dataobj)
                nib.save(nib.Nifti1Image(np.where(data == 3, 2, data).astype(np.uint8), image.affine), path)
        (old / "t1.nii.gz").rename(old / f"{old.name}-t1n.nii.gz")
    shutil.rmtree(cohort / "B")
    evaluation = evaluate(cohort, tmp_path / "out")
    assert evaluation.patients["A-00002"].coverage["enhancing"].recurrence_ml == 0


def test_a_mask_is_any_recurrence_alone(cohort, tmp_path):
    found = evaluate(cohort, tmp_path / "out")
    assert found.patients["B"].coverage["enhancing"].recurrence_ml is None
    assert found.patients["B"].coverage["any"].recurrence_ml == found.patients["A-00001"].coverage["any"].recurrence_ml
    assert "the recurrence is a mask: enhancing tumor isn't told apart" in found.patients["B"].notes


def test_an_empty_follow_up_is_no_recurrence(cohort, tmp_path, save_nifti):
    nothing = np.zeros((56, 64, 50), np.uint8)
    save_nifti(cohort / "A-00001" / "A-00001-001" / "seg.nii.gz", nothing)
    evaluation = evaluate(cohort, tmp_path / "out")
    assert evaluation.patients["A-00001"].coverage["any"].recurrence_ml == 0
    assert evaluation.summary()["measures"]["any"]["without_recurrence"] == 1


def test_a_follow_up_on_another_grid_is_left_out_with_the_reason(cohort, tmp_path, save_nifti):
    affine = np.diag([-3.0, -3.0, 3.0, 1.0])
    save_nifti(cohort / "A-00001" / "A-00001-001" / "seg.nii.gz", np.ones((56, 64, 50), np.uint8), affine)
    evaluation = evaluate(cohort, tmp_path / "out", labels="brats-2024")
    assert list(evaluation.left_out) == ["A-00001", "C"]
    assert "recurrence: expected the grid of its companions" in evaluation.left_out["A-00001"]


def test_a_damaged_follow_up_leaves_out_its_patient_alone(cohort, tmp_path):
    (cohort / "A-00001" / "A-00001-001" / "seg.nii.gz").write_bytes(b"nothing")
    evaluation = evaluate(cohort, tmp_path / "out")
    assert list(evaluation.left_out) == ["A-00001", "C"]
    assert len(evaluation.patients) == 2


def test_visits_can_be_chosen(cohort, tmp_path):
    later = shutil.copytree(cohort / "A-00001" / "A-00001-001", cohort / "A-00001" / "A-00001-002")
    shutil.copy(cohort / "C" / "seg.nii.gz", later / "seg.nii.gz")
    last = evaluate(cohort, tmp_path / "last").patients["A-00001"]
    second = evaluate(cohort, tmp_path / "second", recurrence_visit=1)
    assert last.coverage["any"].recurrence_ml != second.patients["A-00001"].coverage["any"].recurrence_ml
    assert list(second.left_out) == ["B", "C"]  # who has no second visit, even where there is a recurrence file
    planned = evaluate(cohort, tmp_path / "planned", planning_visit=1)
    assert list(planned.patients) == ["A-00001"]
    assert "A-00002: " not in planned.left_out["A-00002"]
    assert "expected a later one of 2 visits, counted from 0, got 1" in planned.left_out["A-00002"]


def test_densities_lie_in_a_folder_or_are_missed(cohort, tmp_path):
    folder = tmp_path / "densities"
    (folder / "B").mkdir(parents=True)
    shutil.copy(cohort / "B" / "density.nii.gz", folder / "B" / "density.nii.gz")
    shutil.copy(cohort / "B" / "density.nii.gz", folder / "A-00001.nii.gz")
    evaluation = evaluate(cohort, tmp_path / "out", source=DensitySource(folder=folder))
    assert list(evaluation.patients) == ["A-00001", "B"]
    assert "density: expected a file A-00002.nii.gz, got none" in evaluation.left_out["A-00002"]
    files = evaluate(cohort, tmp_path / "files")
    assert evaluation.patients["B"] == files.patients["B"]


def test_densities_lie_in_a_dataset_under_the_labels_of_the_patients(cohort, tmp_path):
    shutil.move(cohort / "B", cohort / "sub-B")
    for subject in (Subject("B"), Subject("C")):
        results = lay_out(tmp_path / "dataset", subject)
        (results.folder / "anat").mkdir(parents=True)
        shutil.copy(cohort / "sub-B" / "density.nii.gz", results.path("density.nii.gz"))
    (tmp_path / "dataset" / "dataset_description.json").write_text("{}")
    evaluation = evaluate(cohort, tmp_path / "out", source=DensitySource(folder=tmp_path / "dataset"))
    assert list(evaluation.patients) == ["sub-B"]


def test_nobody_to_evaluate_is_an_error_with_a_reason(cohort, tmp_path):
    for name in ("A-00001", "A-00002-000", "A-00002-001", "B"):
        shutil.rmtree(cohort / name)
    with pytest.raises(InputError, match=r"patients who can be evaluated, got none, for .*one visit alone"):
        evaluate(cohort, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def counted(monkeypatch):
    """The quick method answers with the guess at once; how often it was asked."""
    asked = []

    def at_the_guess(task, options):
        asked.append(task)
        mode = task.guess.point
        samples = mode + np.zeros((2, len(mode)))
        from gliocast.core import Posterior

        return Posterior(task.problem.parameters, samples, np.full(2, 0.5), np.zeros(2), mode)

    name = "morph-infer-network"
    monkeypatch.setitem(METHODS, name, replace(METHODS[name], solve=at_the_guess))
    return asked


def test_fitted_densities_are_kept_and_made_anew_when_scans_change(cohort, tmp_path, counted, save_nifti):
    out, source = tmp_path / "out", DensitySource()
    first = evaluate(cohort, out, source=source)
    assert len(counted) == 3
    assert {path.name for path in (out / "densities").iterdir()} == {
        f"{name}.{ending}" for name in ("A-00001", "A-00002", "B") for ending in ("nii.gz", "json")
    }
    again = evaluate(cohort, out, source=source)
    assert len(counted) == 3
    assert again.patients == first.patients
    assert "fitted outlines, Dice: core " in first.patients["B"].notes[-1]
    (out / "densities" / "A-00002.json").write_text("{")
    labels = np.asarray(nib.load(cohort / "B" / "seg.nii.gz").dataobj).copy()
    labels[labels == 1] = 3
    save_nifti(cohort / "B" / "seg.nii.gz", labels)
    evaluate(cohort, out, source=source)
    assert len(counted) == 5  # the damaged one, and the one whose scans have changed
    evaluate(cohort, out, source=DensitySource(Options(method="morph-infer-network", seed=1)))
    assert len(counted) == 8


def test_the_true_density_is_called_an_upper_bound_and_tissue_is_followed(cohort, tmp_path):
    """A digital patient whose tissue has moved by two voxels: the recurrence is looked for where it was."""
    root = cohort / "A-00001"
    before = evaluate(cohort, tmp_path / "before").patients["A-00001"]
    truths = {"treatments": [{"kind": "radiotherapy"}], "visit_days": [0.0, 180.0], "survival_days": 100.0}
    grid = flat_grid(root / "A-00001-000")
    for number, mm in enumerate((0.0, 6.0)):
        truth = root / f"A-00001-00{number}" / "truth"
        truth.mkdir()
        field = np.zeros((3, *grid.shape), np.float32)
        field[0] = mm
        write_vectors(truth / "displacement.nii.gz", field, grid)
        shutil.copy(root / "A-00001-000" / "density.nii.gz", truth / "density.nii.gz")
    (root / "truth").mkdir()
    (root / "truth" / "truth.json").write_text(json.dumps(truths))
    found = evaluate(cohort, tmp_path / "truth", source=DensitySource(truth=True))
    assert "upper bound" in found.density
    assert "upper bound" in (tmp_path / "truth" / "table.md").read_text()
    assert list(found.left_out) == ["A-00002", "B", "C"]
    patient = found.patients["A-00001"]
    assert patient.notes[:2] == ("synthetic", "treated: radiotherapy")
    assert patient.notes[2] == "seen on day 180, after the death that its outcome draws"
    assert "true displacement of tissue, 6.0 mm on average" in patient.notes[3]
    assert patient.coverage["any"].recurrence_ml == pytest.approx(before.coverage["any"].recurrence_ml)
    # it came from 6 mm to the left of where it is, which is nearer to the tumor
    assert patient.coverage["any"].covered["guideline"] > before.coverage["any"].covered["guideline"]


def flat_grid(folder):
    from gliocast.data import read_volume

    return read_volume(find_files(folder)["t1"], "t1").grid


def test_the_published_protocol_refuses_other_voxels_patient_by_patient(cohort, tmp_path):
    with pytest.raises(InputError, match="voxels of 1 mm, which it counts, got 3 x 3 x 3 mm"):
        evaluate(cohort, tmp_path / "out", protocol="published")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"protocol": "mine"}, "protocol: expected one of guideline, published, got mine"),
        ({"protocol": "published", "margin_mm": 20.0}, "margin: expected 15 mm, the published protocol's"),
        ({"margin_mm": 0.0}, "margin: expected a length"),
    ],
)
def test_senseless_options_are_refused(choices, message):
    with pytest.raises(InputError, match=message):
        PlanEvaluationOptions(**choices)


def test_densities_come_from_one_source():
    with pytest.raises(InputError, match="one source, got several"):
        DensitySource(file="density.nii.gz", truth=True)


def beside(density, visit):
    """What `gliocast run` leaves with a density: from which scans it was found."""
    origin = origin_of(visit, density, visit.labels.path)
    (density.parent / "plan.json").write_text(json.dumps(asdict(origin)))


def test_a_density_says_from_which_scans_it_was_found_or_a_note_says_that_it_doesn_t(cohort, tmp_path):
    runs = tmp_path / "runs"
    for name in ("A-00001", "B"):
        (runs / name).mkdir(parents=True)
        shutil.copy(cohort / "B" / "density.nii.gz", runs / name / "density.nii.gz")
    beside(runs / "B" / "density.nii.gz", read_patient(cohort / "B", labels="brats-2023").visits[0])
    found = evaluate(cohort, tmp_path / "out", source=DensitySource(folder=runs))
    note = "the density's file doesn't say from which scans it was found"
    assert note in found.patients["A-00001"].notes
    assert note not in found.patients["B"].notes


def test_a_density_of_another_patient_leaves_out_whom_it_was_taken_for(cohort, tmp_path):
    folder = tmp_path / "runs" / "B"
    folder.mkdir(parents=True)
    shutil.copy(cohort / "B" / "density.nii.gz", folder / "density.nii.gz")
    visit = read_patient(cohort / "B", labels="brats-2023").visits[0]
    generator = np.random.default_rng(0)
    noise = {
        name: replace(scan, volume=Volume(generator.permuted(scan.volume.data, axis=1), visit.grid))
        for name, scan in visit.scans.items()
    }
    beside(folder / "density.nii.gz", replace(visit, scans=noise))
    with pytest.raises(InputError, match="none, for"):
        evaluate(cohort, tmp_path / "out", source=DensitySource(folder=tmp_path / "runs"))
    said = json.loads((tmp_path / "out" / "patients" / "B.json").read_text())["left_out"]
    assert "expected one that was found from the scans of this visit, got scans that look like none of them" in said


def test_a_density_that_misses_the_tumor_leaves_its_patient_out(cohort, tmp_path, save_nifti):
    places = np.argwhere(np.asarray(nib.load(cohort / "B" / "seg.nii.gz").dataobj) > 0)
    density = np.zeros((56, 64, 50), dtype=np.float32)
    density[:, :, : places[:, 2].min() - 5] = 0.5
    save_nifti(cohort / "B" / "density.nii.gz", density)
    assert "tumor cells where the tumor is segmented" in evaluate(cohort, tmp_path / "out").left_out["B"]
