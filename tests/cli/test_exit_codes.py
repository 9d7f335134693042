"""What goes wrong in the middle of the work: its exit code, its one line, and an output folder left as it was."""

import errno
import importlib
import os
import signal
from functools import partial

import pytest

from gliocast.core import ConvergenceError, InputError, QualityError

from .conftest import snapshot

ADVICE = {"expected": "one thing", "got": "another", "advice": "try again"}


@pytest.fixture(params=["new folder", "folder with older results"])
def out(request, tmp_path):
    path = tmp_path / "deep" / "results"
    if request.param != "new folder":
        path.mkdir(parents=True)
        (path / "report.html").write_text("older")
        (path / "notes.txt").write_text("mine")
    return path


@pytest.fixture
def fail(small_patient_folder, tmp_path, monkeypatch, gliocast, out):
    """The function `fail(act) -> (code, stderr)`: a run whose science is replaced, after a first file was written."""

    def call(act):
        def personalize(*_):
            (stage,) = tmp_path.rglob(".gliocast-*")
            (stage / "density.nii.gz").write_text("half of it")
            act()

        # the package has a function of this name, too
        monkeypatch.setattr(importlib.import_module("gliocast.pipeline.deliver"), "personalize", personalize)
        before = snapshot(tmp_path)
        outcome = gliocast("run", small_patient_folder, "--out", out, "--quiet")
        assert snapshot(tmp_path) == before
        assert outcome.out == ""
        return outcome.code, outcome.err

    return call


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (QualityError, 3), (ConvergenceError, 4)])
def test_each_kind_of_error_has_its_exit_code_and_one_line(kind, code, fail):
    line = "gliocast: anatomy: expected one thing, got another; try again\n"
    assert fail(raising(kind("anatomy", **ADVICE))) == (code, line)


@pytest.mark.parametrize("error", [ValueError("two\nlines"), ZeroDivisionError(), MemoryError(), OSError(5, "I/O")])
def test_any_other_error_is_internal_and_one_line(error, fail):
    code, line = fail(raising(error))
    assert code == 1
    assert line.startswith(f"gliocast: internal error, {type(error).__name__}: ")
    assert line.count("\n") == 1
    assert "nothing was written; set GLIOCAST_DEBUG=1 for the traceback" in line


def test_traceback_of_an_internal_error_is_shown_on_request(fail, monkeypatch):
    monkeypatch.setenv("GLIOCAST_DEBUG", "1")
    code, text = fail(raising(ValueError("of ours")))
    assert code == 1
    assert text.startswith("Traceback")
    assert text.count("gliocast: internal error") == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_no_internal_error(number, fail):
    code, line = fail(raising(OSError(number, os.strerror(number), "/a/file")))
    assert code == 2
    assert f"expected a place that can be written, got {os.strerror(number)}; pick another folder" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_says_so_and_ends_with_130(number, fail, request):
    if number == signal.SIGINT:  # a shell may have started this in the background, where it is ignored
        request.addfinalizer(partial(signal.signal, number, signal.signal(number, signal.default_int_handler)))
    assert fail(lambda: signal.raise_signal(number)) == (130, "gliocast: interrupted; no result was written\n")
