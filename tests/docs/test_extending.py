import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"


def code_blocks(text: str) -> list[str]:
    """Python blocks of a page, each padded so that its line numbers are the page's."""
    blocks = re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return ["\n" * text.count("\n", 0, block.start(1)) + block[1] for block in blocks]


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return code_blocks(PAGE.read_text(encoding="utf-8"))


def test_every_block_of_the_page_on_extending_runs(blocks):
    assert len(blocks) >= 6
    namespace = {"__name__": "extending"}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), namespace)


@pytest.mark.slow
def test_examples_play_their_roles_by_the_type_checker(blocks, tmp_path, request):
    """The examples' classes go where `Forward`, `ObservationModel`, `GrowthModel` and `Target` are asked for."""
    script = tmp_path / "extending.py"
    script.write_text("\n".join(block.lstrip("\n") for block in blocks), encoding="utf-8")
    cache = request.config.cache.mkdir("mypy")
    checker = [sys.executable, "-m", "mypy", "--cache-dir", str(cache), "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*checker, str(script), str(ROOT / "examples" / "quickstart.py")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
