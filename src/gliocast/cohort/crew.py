"""Work spread over processes of this machine, or over the machines of a cluster."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
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
) -> Iterator[int]:
    """Do some work for each number, one after the other or at the same time; yields a number when its work is done.

    Args:
        work: sent to other processes, so it must be importable there.
        numbers: what it is called with.
        num_workers: processes; 1 works in this one; None for one for each core. Of "slurm" jobs.
        scheduler: address of a Dask scheduler, such as tcp://10.0.0.1:8786, or "slurm" for jobs as Dask's own
            configuration (jobqueue.yaml) describes them; None for processes here.

    Raises:
        InputError: a worker died, Dask is needed and isn't there, or nobody answers at the address.
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
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(work, number): number for number in numbers}
        try:
            for job in as_completed(jobs):
                job.result()
                yield jobs[job]
        except BrokenProcessPool as error:
            raise _died() from error
        finally:
            for job in jobs:
                job.cancel()  # those that haven't begun, where one went wrong or nobody waits any more


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
