"""The house keeps its own rules (CONTRIBUTING.md)."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import gliocast

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "gliocast"
MODULES = sorted(PACKAGE.rglob("*.py"))

MAX_FILE_LINES = 400
#: Without the docstring, which is as long as the equation needs.
MAX_FUNCTION_LINES = 60

#: What would tie the repository to one machine or one network; written so that this file isn't found.
PRIVATE_TEXT = {
    "a path of one machine": r"(?<![\w.])/(wor[k]|roo[t])/",
    "a package index": r"pyp[i]\.org|pythonhoste[d]\.org|--(extra-)?index-ur[l]|trusted-hos[t]",
    "a local server": r"https?://(localhos[t]|127\.0\.0\.[1])",
}
#: What runs code on loading, or talks to the network.
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "joblib", "requests", "socket", "urllib", "http", "ftplib"}
UNSAFE_CALLS = {"eval", "exec"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def run_tool(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def listed_files() -> list[Path]:
    """What git tracks, and what it would track after `git add`."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git isn't installed")
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_ruff_finds_nothing():
    run_tool(sys.executable, "-m", "ruff", "check", "--no-cache", ".")


def test_ruff_would_format_nothing():
    run_tool(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.slow
def test_types_agree(request):
    run_tool(sys.executable, "-m", "mypy", "--cache-dir", request.config.cache.mkdir("mypy"))


def test_layers_import_downhill_only():
    run_tool(Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo")


def test_files_are_short():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short():
    long = {}
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, Function) and code_lines(node) > MAX_FUNCTION_LINES:
                long[f"{name_of(path)}: {node.name}"] = code_lines(node)
    assert long == {}


def code_lines(function: Function) -> int:
    """Lines from `def` to the end, without the docstring."""
    first = function.body[0]
    is_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_no_module_is_named_utils():
    assert [name_of(path) for path in PACKAGE.rglob("*") if path.stem in ("util", "utils")] == []


def test_only_the_command_line_exits_or_catches_everything():
    found = []
    for path in MODULES:
        if "cli" in path.relative_to(PACKAGE).parts:
            continue
        found += [f"{name_of(path)}:{node.lineno}" for node in ast.walk(tree_of(path)) if exits_or_catches_all(node)]
    assert found == []


def exits_or_catches_all(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("sys.exit", "os._exit", "exit", "quit")


def test_no_module_runs_loaded_code_or_opens_a_connection():
    found = []
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if UNSAFE_MODULES & set(imported(node)):
                found.append(f"{name_of(path)}:{node.lineno}")
            if isinstance(node, ast.Call) and is_unsafe(node):
                found.append(f"{name_of(path)}:{node.lineno}")
    assert found == []


def imported(node: ast.AST) -> Iterator[str]:
    """Top-level names of the modules that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.split(".")[0]


def is_unsafe(call: ast.Call) -> bool:
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    return (
        ast.unparse(call.func) in UNSAFE_CALLS
        or options.get("allow_pickle") == "True"
        or options.get("shell") == "True"
        or (ast.unparse(call.func) == "torch.load" and options.get("weights_only") != "True")
    )


@pytest.mark.parametrize("what", PRIVATE_TEXT)
def test_no_file_names_a_machine_or_a_server(listed_files, what):
    pattern = re.compile(PRIVATE_TEXT[what])
    found = []
    for path in listed_files:
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name_of(path)}:{text.count(chr(10), 0, hit.start()) + 1}" for hit in pattern.finditer(text)]
    assert found == [], f"{what} is named"


def test_version_is_one_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert project["version"] == gliocast.__version__ == newest[1]
