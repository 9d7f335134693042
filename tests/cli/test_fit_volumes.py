"""`gliocast fit-volumes` from table to folder, and how it refuses."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from gliocast.growth.ode import Gompertz, RadiotherapyCompartments, volume

SHARED_TABLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "lesion-volumes" / "flat_patient_data.csv"


def rows_of(name, law, values, days, seed):
    noise = np.random.default_rng(seed).normal(1, 0.03, len(days))
    volumes = volume(law.from_day(days[0]), np.array(days, dtype=float), np.array(values)) * noise
    return [f"{name},{day},{size:.1f}" for day, size in zip(days, volumes, strict=True)]


@pytest.fixture
def table(tmp_path):
    """One patient who grows, one under radiotherapy, one whose lesion vanishes, one with few visits."""
    days = [-21, 0, 20, 40, 60, 85, 110, 140, 170, 200, 240, 280]
    rows = ["patient,day,volume_mm3"]
    rows += rows_of("smith", Gompertz(), (5e3, 0.012, 5e4), days[:9], 1)
    rows += rows_of("jones", RadiotherapyCompartments(), (2e4, 0.012, 0.05, 20.0, 0.1, 0.1), days, 2)
    rows += [f"brown,{day},{size}" for day, size in zip(days, (9000, 3000, 900, 300, 0, 0), strict=False)]
    rows += [f"green,{day},{size}" for day, size in zip(days, (9000, 9900, 11000), strict=False)]
    path = tmp_path / "work-table.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def fits(folder):
    return json.loads((folder / "fits.json").read_text(encoding="utf-8"))["patients"]


def test_a_table_of_patients_gives_pictures_and_fits(table, tmp_path, gliocast):
    out = tmp_path / "out"
    outcome = gliocast("fit-volumes", table, "--out", out, "--radiotherapy-day", 0)
    assert outcome.code == 0, outcome.err
    assert {path.name for path in out.iterdir()} == {"fits.json", *(f"patient-{k}.png" for k in range(1, 5))}
    first, second, third, fourth = fits(out)
    assert first["best"] == "Gompertz"
    assert second["best"] == "radiotherapy compartments"
    assert third["laws"]["exponential"]["values"]["net_growth_rate"]["value"] < 0
    assert "3 parameters need 4 visits" in fourth["refused"]["Gompertz"]
    assert "For research only" in outcome.out
    assert "best: " in outcome.out
    assert "smith" not in outcome.out + outcome.err


def test_one_patient_gets_a_table_of_laws_and_a_forecast(table, tmp_path, gliocast):
    out = tmp_path / "out"
    outcome = gliocast(
        *("fit-volumes", table, "--out", out, "--patient", "smith", "--hold-out-last"),
        *("--law", "gompertz", "--law", "exponential", "--max-figures", 0),
    )
    assert outcome.code == 0, outcome.err
    assert [path.name for path in out.iterdir()] == ["fits.json"]
    (patient,) = fits(out)
    assert list(patient["laws"]) == ["Gompertz", "exponential"]
    forecast = patient["laws"]["Gompertz"]["forecast"]
    assert forecast["day"] == 170
    assert abs(math.log(forecast["volume_ml"] / forecast["measured_ml"])) < 0.3
    lines = outcome.out.splitlines()
    assert lines[0].split()[:4] == ["law", "BIC", "AICc", "weight"]
    assert sum(line.endswith("best") for line in lines) == 1
    assert any(line.startswith("measured ") for line in lines)


def test_result_of_a_patient_depends_on_no_other_patient(table, tmp_path, gliocast):
    for name, extra in (("all", ()), ("one", ("--patient", "jones"))):
        assert gliocast("fit-volumes", table, "--out", tmp_path / name, *extra, "-q").code == 0
    (one,) = fits(tmp_path / "one")
    assert one == fits(tmp_path / "all")[1]


def test_same_table_gives_the_same_bytes(table, tmp_path, gliocast):
    for name in ("a", "b"):
        assert gliocast("fit-volumes", table, "--out", tmp_path / name, "--patient", "smith", "-q").code == 0
    for file in ("fits.json", "patient-1.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_patients_with_too_few_visits_are_left_out_with_a_note(table, tmp_path, gliocast):
    outcome = gliocast("fit-volumes", table, "--out", tmp_path / "out", "--hold-out-last", "--max-figures", 0)
    assert outcome.code == 0
    assert "left out: 1 of 4 patients" in outcome.err
    assert [patient["patient"] for patient in fits(tmp_path / "out")] == [1, 2, 3]


def test_volumes_that_may_be_milliliters_are_pointed_out(tmp_path, gliocast):
    table = tmp_path / "ml.csv"
    table.write_text("day,volume_mm3\n0,8.1\n30,9.4\n60,11.9\n")
    outcome = gliocast("fit-volumes", table, "--out", tmp_path / "out", "--max-figures", 0)
    assert "warning: no volume of patient 1 reaches 100 mm^3; make sure that they aren't in ml" in outcome.err


def test_faulty_patients_are_left_out_on_request(table, tmp_path, gliocast, refused):
    table.write_text(table.read_text().replace("brown,0,3000", "brown,0,-3000"))
    assert "line 24: expected a volume of 0 to" in refused("fit-volumes", table, "--out", tmp_path / "out", "-q")
    outcome = gliocast("fit-volumes", table, "--out", tmp_path / "out", "--skip-faulty", "--max-figures", 0)
    assert outcome.code == 0
    assert "left out: table work-table.csv, line 24" in outcome.err
    assert [patient["patient"] for patient in fits(tmp_path / "out")] == [1, 2, 4]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--law", "cubic"], "law: expected different ones of exponential, logistic"),
        (["--law", "gompertz", "--law", "gompertz"], "law: expected different ones"),
        (["--radiotherapy-day", "nan"], "radiotherapy day: expected a number"),
        (["--seed", "-1"], "seed: expected a nonnegative integer"),
        (["--max-figures", "-1"], "number of figures: expected a nonnegative integer"),
        (["--patient", "nobody"], "expected rows of the patient asked for"),
        (["--day-column", "when"], "expected one column named when, got none among patient, day, volume_mm3"),
        (["--patient", "green", "--hold-out-last"], "got 1 with 3 visits at most, one of which is held out"),
        (
            ["--patient", "smith", "--law", "radiotherapy", "--radiotherapy-day", "500"],
            "expected a patient whose visits",
        ),
    ],
)
def test_requests_that_cant_be_met_are_refused_before_anything_is_written(table, tmp_path, refused, options, said):
    assert said in refused("fit-volumes", table, "--out", tmp_path / "out", "-q", *options)


def test_table_that_isnt_there_is_refused(tmp_path, refused):
    assert "table no.csv" in refused("fit-volumes", tmp_path / "no.csv", "--out", tmp_path / "out", "-q")


@pytest.mark.skipif(not SHARED_TABLE.is_file(), reason="the trials' lesion volumes aren't present")
@pytest.mark.parametrize("line", [2, 9, 15])
def test_lesions_of_trials_are_fitted_from_their_own_columns(line, tmp_path, gliocast):
    patient = SHARED_TABLE.read_text(encoding="utf-8").splitlines()[line - 1].split(",")[0].strip('"')
    outcome = gliocast("fit-volumes", SHARED_TABLE, "--patient", patient, "--out", tmp_path / "out", "--hold-out-last")
    assert outcome.code == 0, outcome.err
    (fitted,) = fits(tmp_path / "out")
    assert fitted["best"] in fitted["laws"]
    assert patient not in (tmp_path / "out" / "fits.json").read_text(encoding="utf-8")
