import re
from pathlib import Path

import numpy as np
import pytest

from gliocast.core import ALPHA, ALPHA_BETA, HALF_LIFE, KILL_RATE
from gliocast.data import TREATMENT_KEYS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "treatments.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language):
    """Blocks of a language, each padded so that its line numbers are the page's."""
    found = re.finditer(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    return ["\n" * TEXT.count("\n", 0, block.start(1)) + block[1] for block in found]


@pytest.fixture
def output(tmp_path, monkeypatch, capsys):
    """What the blocks of the page print, run in order in one folder that holds the JSON of the page."""
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("json")
    Path("treatments.json").write_text(example, encoding="utf-8")
    namespace = {"__name__": "treatments"}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), namespace)
    return capsys.readouterr().out


def test_example_of_the_page_runs_and_shows_what_the_page_says(output):
    assert len(blocks("python")) == 3
    assert "resection 30.0 30.0\nradiotherapy 60.0 99.0\nchemotherapy 60.0 101.0\nchemotherapy 130.0 274.0\n" in output
    assert "survives radiotherapy: 0.0133 in the target, 1 outside" in output
    decay_time = 0.075 / np.log(2)  # by then all doses have decayed
    assert f"survives the drug: {np.exp(-(42 * 0.1 + 30 * 0.2) * decay_time):.3f}" in output


def rows(kind):
    """Cells of the key table of one kind, by key."""
    (section,) = re.findall(rf"^### {kind}\n(.*?)(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("kind", TREATMENT_KEYS)
def test_every_key_has_a_row_and_every_row_is_a_key(kind):
    assert tuple(rows(kind)) == TREATMENT_KEYS[kind]


def test_units_and_typical_ranges_on_the_page_are_those_of_the_code():
    table = rows("radiotherapy") | rows("chemotherapy")
    for parameter in (ALPHA, ALPHA_BETA, KILL_RATE, HALF_LIFE):
        assert table[parameter.name][0] == parameter.unit
    assert "typically {:g} to {:g}".format(*ALPHA.typical) in table["alpha"][2]
    assert "typical range of {:g} to {:g} per day".format(*KILL_RATE.typical) in TEXT
