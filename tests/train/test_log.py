import csv
import json
import sys
from types import ModuleType

import pytest

from gliocast.core import InputError
from gliocast.train.log import Log


def read(folder):
    """Rows of both files, which have to agree."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    with (folder / "log.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [{name: float(value) for name, value in row.items() if value != ""} for row in table] == lines
    return lines


def test_a_log_that_goes_on_drops_what_comes_again_and_keeps_the_rest(tmp_path):
    log = Log(tmp_path)
    for step in (10, 20, 30):
        log.append({"step": step, "error": 1 / step})
    log = Log(tmp_path, step=20)
    assert [row["step"] for row in read(tmp_path)] == [10, 20]
    log.append({"step": 30, "error": 0.5})
    assert read(tmp_path) == [{"step": s, "error": e} for s, e in ((10, 0.1), (20, 0.05), (30, 0.5))]
    Log(tmp_path)
    assert read(tmp_path) == []


def test_a_figure_that_comes_late_is_the_last_column(tmp_path):
    log = Log(tmp_path)
    log.append({"step": 1, "error": 2.0})
    log.append({"step": 2, "dice": 0.5, "error": 1.0})
    assert (tmp_path / "log.csv").read_text() == "step,error,dice\n1,2.0,\n2,1.0,0.5\n"
    read(tmp_path)


def test_a_log_that_is_none_is_refused(tmp_path):
    (tmp_path / "log.jsonl").write_text("step 1\n")
    with pytest.raises(InputError, match="JSON lines"):
        Log(tmp_path)


def test_tensorboard_has_to_be_installed_and_then_sees_every_figure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        Log(tmp_path, tensorboard=True)
    seen = []

    class Writer:
        def __init__(self, folder, purge_step):
            seen.append(("from", purge_step))

        def add_scalar(self, name, value, step):
            seen.append((name, value, step))

        def flush(self):
            pass

        def close(self):
            seen.append("closed")

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    log = Log(tmp_path, step=4, tensorboard=True)
    log.append({"step": 5, "error": 2.0})
    log.close()
    assert seen == [("from", 5), ("error", 2.0, 5), "closed"]
