"""Help comes at once: it needs nothing of what the work needs."""

import inspect
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from gliocast.cli.cohort import run as run_cohort
from gliocast.cli.run import run as run_one

VERBS = ("run", "demo", "simulate", "segment", "plan", "forecast", "report", "fit-volumes")
COHORT_VERBS = ("cohort run", "cohort report", "cohort simulate")
DICOM_VERBS = ("convert", "export rtstruct", "export seg", "export density")
COMMAND = Path(sys.executable).with_name("gliocast")

#: Packages that take from a tenth of a second to seconds to import.
HEAVY = (
    "torch",
    "numba",
    "nibabel",
    "SimpleITK",
    "picsl_greedy",
    "matplotlib",
    "nilearn",
    "scipy",
    "cma",
    "jinja2",
    "lmfit",
    "pydicom",
    "highdicom",
    "contourpy",
)


LOADED = f"""
import sys
from gliocast.cli.main import main
sys.argv = ["gliocast", *sys.argv[1:]]
try:
    main()
except SystemExit as ending:
    sys.stderr.write(" ".join(name for name in {HEAVY} if name in sys.modules))
    raise
"""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_names_all_verbs():
    result = run(COMMAND, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert all(f" {verb.split()[0]} " in result.stdout for verb in (*VERBS, *DICOM_VERBS))
    assert "research only" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *([*verb.split(), "--help"] for verb in (*VERBS, *COHORT_VERBS, *DICOM_VERBS))],
)
def test_help_imports_no_heavy_package(arguments):
    result = run(sys.executable, "-c", LOADED, *arguments)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_explains_each_of_its_options(verb, gliocast, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    outcome = gliocast(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    options = re.split(r"\n\s+(?=-[-\w])", outcome.out.split("Options:")[1])[1:]
    assert len(options) >= (2 if verb == "report" else 5)  # --quiet and --help at least
    for option in options:
        assert any(mark in option for mark in (".", "?")), f"no explanation: {option}"


def test_a_cohort_is_run_with_the_options_of_a_run():
    one, all_of_them = (inspect.signature(verb).parameters for verb in (run_one, run_cohort))
    shared = set(one) & set(all_of_them) - {"out"}
    assert {name: one[name] for name in shared} == {name: all_of_them[name] for name in shared}
    assert set(one) - shared == {"patient", "out", "t1", "t1c", "t2", "flair", "seg", "bids", "subject", "session"}


def test_units_in_brackets_are_shown(gliocast):
    assert "[mm, RAS world]" in gliocast("simulate", "--help").out


def test_no_arguments_show_the_help(gliocast):
    outcome = gliocast()
    assert all(f" {verb} " in outcome.out + outcome.err for verb in VERBS)


def test_version_is_that_of_the_package(gliocast):
    outcome = gliocast("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"gliocast {version('gliocast')}\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grow"], "No such command 'grow'"),
        (["run", "--margin", "wide"], "Invalid value for '--margin'"),
        (["run", "--no-such-option"], "No such option: --no-such-option"),
        (["plan"], "Missing option '--density'"),
        (["simulate", "--seed", "1"], "Option '--seed' requires 3 arguments"),
    ],
)
def test_command_that_cant_be_understood_ends_with_2_and_writes_nothing(arguments, said, gliocast, tmp_path):
    outcome = gliocast(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert [path.name for path in tmp_path.rglob("*")] == ["work"]
