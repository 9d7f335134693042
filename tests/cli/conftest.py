"""The real command, in this process, and what it may not leave behind."""

import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gliocast.cli.main import main

#: What every refusal reads like.
ADVICE = re.compile(r"gliocast: .+: expected .+, got .+; .+\n")


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, hidden files too: content by relative path, None for folders."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def gliocast(tmp_path, monkeypatch, capfd) -> Callable[..., Outcome]:
    """The function `gliocast(*arguments) -> Outcome`; working folder and cache lie in `tmp_path`, too."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("GLIOCAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GLIOCAST_DEBUG", raising=False)
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["gliocast", *map(str, arguments)])
        capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as ending:
                main()
        finally:
            signal.signal(signal.SIGTERM, handler)
        out, err = capfd.readouterr()
        return Outcome(ending.value.code or 0, out, err)

    return call


@pytest.fixture
def refused(tmp_path, gliocast) -> Callable[..., str]:
    """The function `refused(*arguments) -> message`: claims exit code 2, one line of advice, and no trace on disk."""

    def call(*arguments) -> str:
        before = snapshot(tmp_path)
        outcome = gliocast(*arguments)
        assert ADVICE.fullmatch(outcome.err), outcome.err
        assert outcome.code == 2
        assert outcome.out == ""
        assert snapshot(tmp_path) == before
        return outcome.err

    return call
