"""Batches made ahead: the same whatever makes them, and no silence where something goes wrong."""

import signal
import subprocess
import sys
from queue import Queue
from threading import get_ident

import pytest

from gliocast.core import InputError
from gliocast.train import Feed, TrainOptions

ORDER = (5, 0, 3, 3, 4, 100)


def square(number):
    return number**2


@pytest.mark.parametrize("choice", [{}, {"num_workers": 2, "workers": "threads"}, {"num_workers": 1, "stride": 2}])
def test_batches_are_the_same_in_any_order_whoever_makes_them(choice):
    with Feed(square, **choice) as feed:
        assert [feed[number] for number in ORDER] == [square(number) for number in ORDER]


def test_the_next_batches_of_the_stride_are_made_before_they_are_asked_for():
    made = Queue()
    with Feed(made.put, stride=3, ahead=2, num_workers=1, workers="threads") as feed:
        feed[1]
        assert [made.get(timeout=30) for _ in range(3)] == [1, 4, 7]
        feed[4]
        assert made.get(timeout=30) == 10  # and 4 and 7 aren't made again
    assert made.empty()


def test_without_workers_a_batch_is_made_in_place():
    with Feed(lambda number: get_ident()) as feed:
        assert feed[0] == get_ident()


def test_a_worker_that_is_killed_ends_the_run_with_advice():
    with Feed(signal.raise_signal, num_workers=1) as feed:
        for _ in range(2):
            with pytest.raises(InputError, match=r"one that died.*fewer workers"):
                feed[int(signal.SIGKILL)]


def test_workers_end_with_a_training_that_is_killed():
    """They write to the same pipe; it ends only when none of them is left."""
    killed = (
        "from gliocast.train import Feed; import os; feed = Feed(abs, num_workers=1); feed[3]; os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", killed], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_what_goes_wrong_in_a_worker_is_said_as_it_is(workers):
    with (
        Feed(TrainOptions, num_workers=1, workers=workers) as feed,
        pytest.raises(InputError, match="expected positive steps and rate, got TrainOptions"),
    ):
        feed[0]


def test_counts_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="positive counts"):
        Feed(square, ahead=0)
