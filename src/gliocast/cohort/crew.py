"""Work spread over processes of this machine, or over the machines of a cluster."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any

from gliocast.core import InputError

#: Jobs of the cluster that "slurm" asks for where no number is given [1].
_NUM_JOBS = 8


def each(
    work: Callable[[int], None],
    numbers: Sequence[int],
    *,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    lost: Callable[[int, InputError], None] | None = None,
) -> Iterator[int]:
    """Do some work for each number, one after the other or at the same time; yields a number when its work is done.

    Args:
        work: sent to other processes, so it must be importable there.
        numbers: what it is called with.
        num_workers: processes; 1 works in this one; None for one for each core. Of "slurm" jobs.
        scheduler: address of a Dask scheduler, such as tcp://10.0.0.1:8786, or "slurm" for jobs as Dask's own
            configuration (jobqueue.yaml) describes them; None for processes here.
        lost: called with each number whose work was under way here when a worker died, and why, before it is yielded;
            the others are done by new workers, half as many. None to raise instead.

    Raises:
        InputError: a worker died and nobody is told, Dask is needed and isn't there, or nobody answers at the address.
    """
    if not numbers:
        return
    if scheduler is not None:
        yield from _on_cluster(work, numbers, num_workers, scheduler)
        return
    count = min(num_workers or os.cpu_count() or 1, len(numbers))
    if count == 1:
        for number in numbers:
            work(number)
            yield number
        return
    waiting = deque(numbers)
    while waiting:
        yield from _by_one_pool(work, waiting, count, lost)
        count = max(1, count // 2)  # memory may not suffice for as many


def _by_one_pool(
    work: Callable[[int], None], waiting: deque[int], count: int, lost: Callable[[int, InputError], None] | None
) -> Iterator[int]:
    """Take numbers that wait, as many at a time as there are processes, until none is left or a process dies.

    A pool of which one process died ends the others, too. No number is taken before a process is free; so those that
    had been taken then, one at least, were under way.
    """
    running: dict[Future[None], int] = {}
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < count:
                    running[pool.submit(work, waiting[0])] = waiting[0]
                    waiting.popleft()
                for job in wait(running, return_when=FIRST_COMPLETED).done:
                    job.result()
                    yield running.pop(job)
        except BrokenProcessPool as error:
            if lost is None:
                raise _died() from error
    for job, number in running.items():
        if lost is not None and not _went_well(job):
            lost(number, _died())
        yield number


def _went_well(job: Future[None]) -> bool:
    return job.done() and not job.cancelled() and job.exception() is None


def _on_cluster(
    work: Callable[[int], None], numbers: Sequence[int], num_workers: int | None, scheduler: str
) -> Iterator[int]:
    """The same through Dask."""
    try:
        import distributed
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise InputError(
            "scheduler", expected="Dask", got="none installed", advice="pip install 'gliocast[cluster]'"
        ) from error
    with ExitStack() as cleanup:
        place: Any = scheduler
        if scheduler == "slurm":
            place = cleanup.enter_context(_slurm(num_workers or _NUM_JOBS))
        try:
            client = cleanup.enter_context(distributed.Client(place))
        except (OSError, ValueError) as error:
            raise InputError(
                "scheduler", expected="a Dask scheduler that answers", got=scheduler, advice="check the address"
            ) from error
        futures = dict(zip(client.map(work, list(numbers), pure=False), numbers, strict=True))
        for future in distributed.as_completed(list(futures)):
            try:
                future.result()
            except KilledWorker as error:
                raise _died() from error
            yield futures[future]


def _slurm(num_jobs: int) -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise InputError(
            "scheduler", expected="dask-jobqueue", got="none installed", advice="pip install 'gliocast[cluster]'"
        ) from error
    try:
        cluster = SLURMCluster()
    except ValueError as error:
        raise InputError(
            "scheduler",
            expected="jobs that jobqueue.yaml describes",
            got=str(error),
            advice="give cores and memory there",
        ) from error
    cluster.scale(jobs=num_jobs)
    return cluster


def _died() -> InputError:
    return InputError(
        "workers",
        expected="workers that live",
        got="one that died, perhaps for lack of memory",
        advice="run the same command again, with fewer workers; what is whole stays",
    )
