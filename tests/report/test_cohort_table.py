"""A cohort as a table of text: order, units, and cells that a spreadsheet can't take for a formula."""

import csv
from io import StringIO
from pathlib import Path

import pytest

from gliocast.report.cohort import FAILED, CohortContent, Failure, cohort_table

from .cohort_case import HOSTILE, make_cohort, patient


@pytest.fixture(scope="module")
def content():
    return make_cohort()


def rows_of(content):
    return list(csv.DictReader(StringIO(cohort_table(content)), delimiter="\t"))


def test_who_has_no_result_comes_first_then_the_worst(content):
    names = [row["patient"] for row in rows_of(content)]
    assert names == ["Y", "Z", "10", f"'{HOSTILE}", "fair", "good"]
    assert content.tally == "6 patients: 2 without a result, 1 fail, 2 review, 1 pass"


def test_every_number_has_a_unit_and_lies_in_its_column(content):
    row = {row["patient"]: row for row in rows_of(content)}["fair"]
    expected = {
        "verdict": "review",
        "first_reason": "core Dice 0.70",
        "reasons": "The core differs: Dice 0.70.",
        "report": "./fair/report.html",
        "dice_core [1]": "0.72",
        "hd95_whole [mm]": "6.2",
        "gtv [ml]": "9.28",
        "covered_standard [1]": "0.9993",
        "diffusion_length [mm]": "4.6",
        "diffusion_length_lower_95 [mm]": "2.8",
        "seed_x [mm]": "-97.8",
        "t1c_threshold_upper_95 [1]": "0.84",
        "warnings": "1",
        "segmentation": "given",
        "seconds [s]": "57.3",
        "version": "0.1.0",
        "method": "laplace",
    }
    assert {key: row[key] for key in expected} == expected


def test_shares_near_one_can_be_told_from_it():
    (row,) = rows_of(CohortContent((), (patient("A", covered_model=1 - 2e-8, covered_standard=1.0),)))
    assert (row["covered_model [1]"], row["covered_standard [1]"]) == ("0.99999998", "1")


def test_what_there_is_not_is_empty(content):
    rows = {row["patient"]: row for row in rows_of(content)}
    assert rows["10"]["dice_core [1]"] == rows["10"]["hd95_whole [mm]"] == rows["10"]["t1c_threshold [1]"] == ""
    assert (rows["Z"]["verdict"], rows["Z"]["first_reason"]) == (FAILED, "read: no t1 there")
    assert not any(value for key, value in rows["Y"].items() if "[" in key)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "a\tb\nc", "\udcff"])
def test_text_is_no_formula_and_breaks_no_row(name):
    content = CohortContent((Failure(name, "", "=cmd"),), (patient(name),))
    table = cohort_table(content)
    assert len(table.splitlines()) == 3
    for row in csv.reader(StringIO(table), delimiter="\t"):
        assert len(row) == len(table.splitlines()[0].split("\t"))
        assert not [cell for cell in row[:4] if cell.startswith(("=", "+", "-", "@"))]
    table.encode()


def test_numbers_may_be_negative():
    assert "\t-97.8\t" in cohort_table(CohortContent((), (patient("A"),)))


@pytest.mark.parametrize("name", ["javascript:alert(1)", "a b#c?d", "%2e%2e", HOSTILE.replace("/", "")])
def test_links_stay_in_the_folder_whatever_it_is_called(name, tmp_path):
    link = patient(name).link
    assert link.startswith("./")
    assert not set(link) & set(":?#<>\" '")
    expected = (tmp_path / name / "report.html").as_uri()
    assert f"{tmp_path.as_uri()}/{link.removeprefix('./')}" == expected
    assert Path(name).name == name


def test_parameters_of_all_patients_are_there_and_those_of_a_frame_are_not_compared(content):
    assert [parameter.name for parameter in content.parameters] == ["diffusion_length", "seed_x", "t1c_threshold"]
    assert [entry.name for entry in content.comparable_parameters] == ["diffusion_length", "t1c_threshold"]


def test_settings_that_differ_are_said(content):
    assert content.differences() == {}
    other = patient("B", settings={**patient("A").settings, "margin": "20 mm"}, version="0.2.0")
    mixed = CohortContent((), (patient("A"), patient("C"), other))
    assert mixed.differences() == {"margin": {"15 mm": 2, "20 mm": 1}, "version": {"0.1.0": 2, "0.2.0": 1}}
