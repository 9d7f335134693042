"""The real command, in this process, and what it may not leave behind."""

import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gliocast.cli.main import main

from .small_brain import CENTER_VOXEL, HALF_AXES, SHAPE, SPACING, TUMOR, save

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


@pytest.fixture
def brain(tmp_path):
    """Paths of tissue maps and a segmentation of an ellipsoid brain with cortex and ventricles."""
    x, y, z = np.moveaxis((np.moveaxis(np.indices(SHAPE), 0, -1) - CENTER_VOXEL) * [-SPACING, -SPACING, SPACING], -1, 0)
    radius = np.sqrt(sum((axis / half) ** 2 for axis, half in zip((x, y, z), HALF_AXES, strict=True)))
    fluid = (x / 12) ** 2 + (y / 30) ** 2 + (z / 12) ** 2 < 1
    tissue = (radius < 1) & ~fluid
    share = np.clip((radius - 0.75) * 8, 0, 1)
    distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip((x, y, z), TUMOR, strict=True)))
    seg = np.select([distance < 7, distance < 13, distance < 22], [1, 4, 2]) * tissue
    return SimpleNamespace(
        white=save(tmp_path / "white.nii.gz", (tissue * (1 - share)).astype(np.float32)),
        gray=save(tmp_path / "gray.nii.gz", (tissue * share).astype(np.float32)),
        csf=save(tmp_path / "csf.nii.gz", ((radius < 1) & fluid).astype(np.float32)),
        seg=save(tmp_path / "seg.nii.gz", seg.astype(np.uint8)),
        tissue=tissue,
        distance=distance,
    )


@pytest.fixture
def density(brain, tmp_path):
    """A made-up density in [0, 1] that leans to one side of the tumor."""
    values = brain.tissue / (1 + np.exp((brain.distance - 12) / 4)) * np.linspace(0.5, 1, SHAPE[0])[:, None, None]
    return save(tmp_path / "density.nii.gz", values.astype(np.float32))
