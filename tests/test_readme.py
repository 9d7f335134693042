"""Every command of the README runs, in order, as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
COMMANDS = [
    line.split("#")[0].strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


def run(command: str, folder: Path) -> str:
    """Run a command with this interpreter's gliocast and a cache of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # one thread, for loops with threads take long to compile; tests/pipeline/test_run.py runs with all of them
    environment = {**os.environ, "PATH": path, "GLIOCAST_CACHE": str(folder / "cache"), "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def recipe(target: str) -> list[str]:
    """The command lines that make would run for a target."""
    listed = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def test_readme_has_the_commands_it_promises():
    assert COMMANDS[:2] == ["make demo", "make test"]
    assert [command.split()[1] for command in COMMANDS[2:]] == ["run", "simulate", "simulate", "plan", "forecast"]


def test_readme_links_lead_somewhere_and_nothing_is_left_to_fill_in():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert "@@" not in text


def test_make_test_is_what_runs_here():
    assert any("-m pytest" in line for line in recipe("test"))


@pytest.mark.slow
def test_make_demo_recovers_the_truth_and_says_where_the_report_is(workplace):
    (command,) = [line for line in recipe("demo") if "gliocast demo" in line]
    assert command.endswith("gliocast demo --out demo-report")
    shown = run(f"gliocast {command.split('gliocast ', 1)[1]}", workplace)
    report = Path(re.search(r"report: (.*)", shown).group(1))
    assert report.is_file()
    density, truth = (nib.load(report.parent / f"{name}.nii.gz").get_fdata() for name in ("density", "true_density"))
    for level, floor in ((0.01, 0.95), (0.1, 0.95), (0.8, 0.90)):
        a, b = density > level, truth > level
        assert 2 * np.sum(a & b) / (np.sum(a) + np.sum(b)) >= floor


@pytest.mark.slow
def test_other_commands_run_on_the_demo_patient(workplace):
    patient = workplace / "demo-report" / "synthetic-patient"
    if not patient.is_dir():
        pytest.skip("the demo made no patient")
    for command in COMMANDS[2:]:
        run(command.replace("PATIENT", str(patient)), workplace)
    assert (workplace / "report" / "report.html").is_file()
    assert (workplace / "density.nii.gz").is_file()
    sizes = {
        int(nib.load(workplace / "plan" / f"ctv_{name}.nii.gz").get_fdata().sum()) for name in ("standard", "model")
    }
    assert len(sizes) == 1
