"""Micro-batches that are made ahead of the training, by other processes or threads."""

import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar

import torch

from gliocast.core import InputError

Made = TypeVar("Made")


class Feed(Generic[Made]):
    """Batches by number, the next ones on their way: `with Feed(make, num_workers=2) as feed: feed[7]`.

    A batch depends on its number alone, so who made it, when, and in which order never shows. What isn't ready is made
    while the caller waits.

    Args:
        make: the batch of a number. Other processes get it once, by pickling; arrays in a batch come back by copying.
        stride: from the number of a batch to that of the next one this process takes: the number of processes.
        ahead: batches that are made ahead.
        num_workers: how many work at it; 0 makes every batch in place.
        workers: processes, or threads, which need no copies but share one interpreter.

    Raises:
        InputError: the counts make no sense; or, of a batch, that a worker died. What `make` raises is passed on.
    """

    def __init__(
        self,
        make: Callable[[int], Made],
        *,
        stride: int = 1,
        ahead: int = 4,
        num_workers: int = 0,
        workers: Literal["processes", "threads"] = "processes",
    ) -> None:
        if min(stride, ahead) < 1 or num_workers < 0:
            got = f"stride={stride}, ahead={ahead}, num_workers={num_workers}"
            raise InputError("feed", expected="positive counts", got=got, advice="use the defaults")
        self._make, self._stride, self._ahead = make, stride, ahead
        self._work: Callable[[int], Made] = make
        self._pool: Executor | None = None
        self._coming: dict[int, Future[Made]] = {}
        if num_workers > 0 and workers == "threads":
            self._pool = ThreadPoolExecutor(num_workers)
        elif num_workers > 0:
            context = get_context("spawn")  # what was forked beside torch's threads may wait for ever
            self._pool = ProcessPoolExecutor(num_workers, context, initializer=_prepare, initargs=(make,))
            self._work = _make_here

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __getitem__(self, number: int) -> Made:
        if self._pool is None:
            return self._make(number)
        wanted = range(number, number + (self._ahead + 1) * self._stride, self._stride)
        for other in self._coming.keys() - set(wanted):
            self._coming.pop(other).cancel()
        try:
            for other in wanted:
                if other not in self._coming:
                    self._coming[other] = self._pool.submit(self._work, other)
            return self._coming.pop(number).result()
        except BrokenProcessPool as error:
            raise InputError(
                "workers",
                expected="workers that live",
                got="one that died, perhaps for lack of memory",
                advice="start the training again, with fewer workers; it goes on from its checkpoint",
            ) from error


#: What a worker makes batches with; set once in each of its processes.
_own: list[Callable[[int], Any]] = []


def _prepare(make: Callable[[int], Any]) -> None:
    torch.set_num_threads(1)  # workers share the cores
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; who trains ends the others
    Thread(target=_end_with_parent, daemon=True).start()
    _own[:] = [make]


def _end_with_parent() -> None:
    """Where the training is killed nobody tells its workers; they would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)


def _make_here(number: int) -> Any:
    return _own[0](number)
