import numba
import numpy as np

from gliocast.growth.kernels.compiled import MIN_SHARED_CELLS, compile_loops, threads_share


def _total(values):
    total = 0.0
    for i in numba.prange(values.size):
        total += values[i]
    return total


def test_threaded_and_single_threaded_loops_have_cache_entries_of_their_own():
    """numba's cache tells functions apart by name and line, not by option; one version was loaded for the other."""
    loops = [compile_loops(_total, parallel=parallel).total for parallel in (True, False)]
    names = {loop.py_func.__qualname__ for loop in loops}
    assert len(names) == 2
    assert [loop(np.ones(5)) for loop in loops] == [5.0, 5.0]


def test_several_threads_share_what_is_large_enough(two_threads):
    assert threads_share(MIN_SHARED_CELLS)
    assert not threads_share(MIN_SHARED_CELLS - 1)
    assert not threads_share(99, least=100)


def test_one_thread_shares_nothing():
    assert not threads_share(10 * MIN_SHARED_CELLS)
