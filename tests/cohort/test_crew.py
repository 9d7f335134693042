"""Work spread over processes and over a cluster."""

import os
from functools import partial
from importlib.util import find_spec

import pytest

from gliocast.cohort.crew import each
from gliocast.core import InputError


def mark(folder, number):
    (folder / str(number)).write_text("done")


def die(number):
    os._exit(1)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_every_number_is_done_once(tmp_path, num_workers):
    assert sorted(each(partial(mark, tmp_path), range(3), num_workers=num_workers)) == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]


def test_a_worker_that_dies_is_said():
    with pytest.raises(InputError, match="one that died"):
        list(each(die, range(2), num_workers=2))


def die_of(fatal, folder, number):
    if number in fatal:
        os._exit(1)
    mark(folder, number)


@pytest.mark.parametrize("fatal", [{0}, {4}, {0, 1, 2, 3, 4}])
def test_who_is_told_of_the_dead_gets_the_others_done(fatal, tmp_path):
    """Every number comes once, done or lost, even where all are fatal."""
    told = {}
    found = list(each(partial(die_of, fatal, tmp_path), range(5), num_workers=2, lost=told.__setitem__))
    assert sorted(found) == [0, 1, 2, 3, 4]
    done = {int(path.name) for path in tmp_path.iterdir()}
    assert fatal <= set(told)
    assert done | set(told) == {0, 1, 2, 3, 4}
    assert all("one that died" in str(error) for error in told.values())


@pytest.mark.skipif(find_spec("distributed") is not None, reason="Dask is here")
def test_a_cluster_needs_dask():
    with pytest.raises(InputError, match="install"):
        list(each(die, range(2), scheduler="tcp://127.0.0.1:8786"))


@pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is optional and isn't here")
def test_a_cluster_of_dask_does_the_same(tmp_path):
    import distributed

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        assert sorted(each(partial(mark, tmp_path), range(3), scheduler=cluster.scheduler_address)) == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 3
