"""Training in two processes that torchrun starts, against one."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gliocast.core import InputError
from gliocast.train import Runtime, open_runtime

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of the two processes found, and the folder."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(SCRIPT), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"rank-{rank}.pt", weights_only=True) for rank in range(2)], folder


def test_two_processes_end_with_the_same_weights_to_the_bit(ranks):
    first, second = ranks[0]
    for name, tensor in first["weights"].items():
        assert torch.equal(tensor, second["weights"][name]), name


def test_two_processes_are_one_that_accumulates_twice(ranks, tmp_path):
    """Weights to rounding, after 12 steps; what has no gradient in either doesn't decay."""
    alone = runpy.run_path(str(SCRIPT))["plain"](tmp_path, accumulate=2)
    for name, tensor in alone.items():
        torch.testing.assert_close(ranks[0][0]["weights"][name], tensor, rtol=1e-4, atol=1e-6)


def test_two_processes_draw_apart_and_resume_to_the_bit(ranks):
    first, second = ranks[0]
    assert first["drawn"] != second["drawn"]
    for found in (first, second):
        for name, tensor in found["whole"].items():
            assert torch.equal(tensor, found["resumed"][name]), name
            assert torch.equal(tensor, first["whole"][name]), name


def test_buffers_are_those_of_the_first_process(ranks):
    first, second = ranks[0]
    assert torch.equal(first["whole"]["2.running_mean"], second["whole"]["2.running_mean"])
    assert first["whole"]["2.num_batches_tracked"] == 12


def test_all_processes_end_where_one_has_a_loss_that_is_nan(ranks):
    assert [found["said"] for found in ranks[0]] == [ranks[0][0]["said"]] * 2
    assert "finite loss, got nan in step 3" in ranks[0][0]["said"]


def test_processes_that_see_different_checkpoints_do_not_begin(ranks):
    for found in ranks[0]:
        assert "expected one that all processes see, got those of steps 0 and 12" in found["apart"]


def test_only_the_first_process_writes_and_its_figures_count(ranks):
    (first, second), folder = ranks
    assert (first["told"], second["told"]) == (12, 0)
    lines = (folder / "plain" / "log.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert first["best"] == second["best"] == 6  # the second process found the other validation better


def test_tensorboard_is_not_imported_unless_it_is_asked_for(ranks):
    assert not any(found["tensorboard"] for found in ranks[0])


def test_alone_there_is_nobody_to_wait_for(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with open_runtime("cpu") as runtime:
        assert runtime == Runtime.current(torch.device("cpu")) == Runtime(torch.device("cpu"), 0, 1)
        assert runtime.is_first
        tensor = torch.ones(3)
        runtime.average([tensor])
        runtime.share([tensor])
        assert torch.equal(runtime.gather(tensor)[0], torch.ones(3))
        runtime.seed(1)
        drawn = torch.rand(1)
        runtime.seed(1)
        assert torch.equal(torch.rand(1), drawn)


def test_a_device_or_an_environment_that_is_none_is_refused(monkeypatch):
    with pytest.raises(InputError, match="cpu or cuda"), open_runtime("tpu"):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(InputError, match="a GPU for each process, got 1 in all"), open_runtime("cuda"):
        pass
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="start them with torchrun"), open_runtime("cpu"):
        pass
