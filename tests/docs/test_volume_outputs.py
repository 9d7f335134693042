"""What `gliocast fit-volumes` writes is on the page of outputs."""

import json
import re
from pathlib import Path

import pytest

from gliocast.core import RESEARCH_NOTICE
from gliocast.growth.ode import FitOptions
from gliocast.pipeline.course_fit import VolumeOptions
from gliocast.pipeline.fit_volumes import fit_volumes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outputs.md"
NAMES = ("smith", "jones", "brown")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("volumes")
    rows = [f"{name},{day},{1000 * (k + 1) + 20 * day}" for k, name in enumerate(NAMES) for day in range(0, 300, 30)]
    (path / "jane.csv").write_text("\n".join(["patient,day,volume_mm3", *rows]))
    options = VolumeOptions(
        radiotherapy_day=0.0, hold_out_last=True, max_figures=2, fit=FitOptions(num_bootstrap=10, scatter=0.0)
    )
    fit_volumes(path / "jane.csv", path / "out", options=options)
    return path / "out"


@pytest.fixture(scope="module")
def record(folder):
    return json.loads((folder / "fits.json").read_text(encoding="utf-8"))


def test_files_are_those_of_the_page(folder):
    assert {path.name for path in folder.iterdir()} == {"fits.json", "patient-1.png", "patient-2.png"}
    page = PAGE.read_text(encoding="utf-8")
    assert "`fits.json`" in page
    assert "`patient-1.png`, `patient-2.png` and so on" in page


def keys_of(content):
    """Keys of a JSON object, however deep; laws, parameters and versions are keyed by what they are of."""
    if isinstance(content, list):
        for item in content:
            yield from keys_of(item)
    elif isinstance(content, dict):
        for key, value in content.items():
            yield key
            if key in ("laws", "values", "parameters"):
                yield from keys_of(list(value.values()) if isinstance(value, dict) else value)
            elif key not in ("versions", "refused"):
                yield from keys_of(value)


def test_every_key_is_on_the_page(record):
    words = set(re.findall(r"`([^`]+)`", PAGE.read_text(encoding="utf-8")))
    assert set(keys_of(record)) <= words
    assert {"forecast", "curve", "on_bound"} <= set(keys_of(record))


def test_notice_and_units_stand_in_the_file(record):
    assert record["notice"] == RESEARCH_NOTICE
    assert record["parameters"]["initial_volume"]["unit"] == "mm^3"


def test_curves_are_written_where_a_picture_is_drawn(record):
    drawn = [["curve" in law for law in person["laws"].values()] for person in record["patients"]]
    assert [all(row) for row in drawn] == [True, True, False]
    assert [person["patient"] for person in record["patients"]] == [1, 2, 3]


def test_neither_names_nor_paths_are_written(folder):
    text = (folder / "fits.json").read_text(encoding="utf-8")
    for name in (*NAMES, "jane", str(folder.parent)):
        assert name not in text
