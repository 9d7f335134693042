"""Folders of results, whole, damaged and foreign, to a table and a page."""

import csv
import json
import re
from dataclasses import asdict

import pytest

from gliocast.core import InputError
from gliocast.pipeline import Options
from gliocast.pipeline.cohort_report import report_cohort
from gliocast.pipeline.cohort_results import read_results
from gliocast.pipeline.failures import write_failure
from gliocast.report.cohort import Failure

from .results_case import write_results


def fail(folder):
    folder.mkdir(parents=True, exist_ok=True)
    write_failure(folder, stage="anatomy", reason="no brain", kind="InputError", version="0.1.0")


def test_numbers_are_those_of_the_run(tmp_path):
    found = read_results(write_results(tmp_path / "A"))
    assert (found.name, found.level, found.reasons[0].short) == ("A", "review", "1 warning")
    assert (found.dice, found.hd95_mm) == ({"whole": 0.83}, {"whole": 5.4})
    assert (found.gtv_ml, found.ctv_ml, found.covered_standard, found.covered_model) == (9.3, 68.5, 0.9993, 0.99997)
    length, seed = found.estimates
    assert (length.mode, length.interval, length.parameter.typical) == (4.6, (2.8, 7.5), (2.0, 30.0))
    assert seed.parameter.typical == (-float("inf"), float("inf"))
    assert (found.num_warnings, found.seconds, found.segmentation) == (1, 21.5, "given")
    assert found.settings["margin"] == "15 mm"


def test_all_options_that_count_are_settings_and_no_others(tmp_path):
    """Of those that a run wrote down; the speed of a front that no forecast needs doesn't count."""
    options = asdict(Options(diffusivity_ratio=5.0, num_samples=50, barriers=False, keep_samples=True))
    found = read_results(write_results(tmp_path / "A", options=options))
    assert found.settings == {
        "model": "Fisher-Kolmogorov",
        "method": "laplace",
        "margin": "15 mm",
        "diffusivity_ratio": "5",
        "seed": "0",
        "samples": "50",
        "barriers": "ignored",
        "densities": "default",
        "forecast": "made",
        "speed": "0.1 mm/d",
    }
    without = read_results(write_results(tmp_path / "B", options=options | {"forecast": False}))
    assert set(found.settings) - set(without.settings) == {"speed"}


def test_patients_who_were_run_otherwise_are_told_apart(tmp_path):
    for name, ratio in (("A", 5.0), ("B", 10.0)):
        write_results(tmp_path / name, options=asdict(Options(diffusivity_ratio=ratio)))
    report_cohort(tmp_path)
    assert "diffusivity ratio: 10 (1), 5 (1)" in (tmp_path / "cohort.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("inputs", "made"), [({"t1": "0", "seg": "1"}, "given"), ({"t1": "0"}, "network"), ({}, "synthetic")]
)
def test_who_segmented_is_known_by_the_inputs(inputs, made, tmp_path):
    assert read_results(write_results(tmp_path / "A", inputs=inputs)).segmentation == made


def test_any_folder_of_results_becomes_table_page_and_figure(tmp_path):
    """Nobody used `cohort run` here; a folder that was left by something else is said to be one."""
    write_results(tmp_path / "A")
    write_results(tmp_path / "B", level="pass", reasons=[])
    fail(tmp_path / "C")
    (tmp_path / "notes").mkdir()
    (tmp_path / ".hidden").mkdir()
    content = report_cohort(tmp_path)
    assert content.tally == "4 patients: 2 without a result, 0 fail, 1 review, 1 pass"
    with (tmp_path / "cohort.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["patient"] for row in rows] == ["C", "notes", "A", "B"]
    assert rows[0]["reasons"] == "anatomy: no brain"
    assert "no parameters.json, plan.json, provenance.json in it" in rows[1]["reasons"]
    assert './A/report.html"' in (tmp_path / "cohort.html").read_text(encoding="utf-8")
    assert (tmp_path / "cohort.png").read_bytes().startswith(b"\x89PNG")


DAMAGES = {
    "text": "{",
    "list": "[]",
    "number": "1",
    "nothing": "{}",
    "deep": "[" * 100_000,
    "bytes": b"\xff\xfe",
}


@pytest.mark.parametrize("name", ["parameters", "plan", "provenance", "verdict", "failure"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_a_failure_with_a_reason(name, damage, tmp_path):
    folder, content = write_results(tmp_path / "A"), DAMAGES[damage]
    (folder / f"{name}.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_results(folder)
    assert isinstance(found, Failure)
    assert re.search(rf"{name}\.json: expected .+ got a damaged file", found.reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"gtv_ml": float("nan")},
        {"gtv_ml": "9"},
        {"overlap": True},
        {"gtv_ml": 10**400},
        {"level": "excellent"},
        {"reasons": ["bad"]},
        {"warnings": "many"},
        {"inputs": None},
        {"parameters": []},
        {"seconds": {"read": None}},
        {"parameters": {"a": {"symbol": "$\\frac$", "unit": "1", "mode": 1, "interval_95": [0, 2], "typical": None}}},
        {"parameters": {"=a": {"symbol": "a", "unit": "1", "mode": 1, "interval_95": [0, 2], "typical": None}}},
    ],
)
def test_numbers_that_are_none_are_a_failure(changes, tmp_path):
    found = read_results(write_results(tmp_path / "A", **changes))
    assert isinstance(found, Failure)
    assert "damaged" in found.reason


def test_a_failure_counts_until_there_are_other_results(tmp_path):
    """Older results beside it don't; those of a run that somebody started later do."""
    folder = write_results(tmp_path / "A")
    fail(folder)
    assert read_results(folder) == Failure("A", "anatomy", "no brain")
    write_results(folder, seconds={"read": 2.0})
    assert read_results(folder).level == "review"


def test_without_a_verdict_the_saved_report_is_asked(tmp_path):
    folder = write_results(tmp_path / "A")
    (folder / "verdict.json").unlink()
    found = read_results(folder)
    assert isinstance(found, Failure)
    assert "a damaged report.npz" in found.reason
    (folder / "report.npz").unlink()
    assert "no report.npz" in read_results(folder).reason


@pytest.mark.parametrize("inner", [(), ("scans",)])
def test_a_folder_without_results_is_refused_and_stays_as_it_is(inner, tmp_path):
    for name in inner:
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="no folder in it" if not inner else "1 folders without results"):
        report_cohort(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(inner)
    with pytest.raises(InputError, match="check the path"):
        report_cohort(tmp_path / "absent")


def test_text_that_is_none_is_shown_all_the_same(tmp_path):
    """Numbers that no run writes don't keep the others from being drawn, either."""
    write_results(tmp_path / "A", model="\ud800<i>", gtv_ml=0.0)
    write_results(tmp_path / "B", reasons=[{"level": "review", "text": "\ud800\x00<i>", "short": "=1"}])
    assert report_cohort(tmp_path).failures == ()
    page = (tmp_path / "cohort.html").read_text(encoding="utf-8")
    assert "<i>" not in page
    assert "??&lt;i&gt;" in page
    assert "\t'=1\t" in (tmp_path / "cohort.tsv").read_text(encoding="utf-8")


def test_report_is_the_same_again_and_older_files_go(tmp_path):
    write_results(tmp_path / "A")
    report_cohort(tmp_path)
    names = ("cohort.tsv", "cohort.html", "cohort.png")
    first = [(tmp_path / name).read_bytes() for name in names]
    report_cohort(tmp_path)
    assert [(tmp_path / name).read_bytes() for name in names] == first
    (tmp_path / "A" / "plan.json").write_text(json.dumps({}))
    report_cohort(tmp_path)
    assert not (tmp_path / "cohort.png").exists()  # it would show what isn't there any more
