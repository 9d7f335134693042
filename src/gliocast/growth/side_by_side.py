"""Many solves on the threads of numba, one to each."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numba

_Result = TypeVar("_Result")


def side_by_side(solve: Callable[[int], _Result], count: int) -> Iterator[_Result]:
    """solve(0), solve(1), ... in order; few results wait at a time, for they are large."""
    num_threads = numba.get_num_threads()
    with ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[Future[_Result]] = deque()
        for index in range(count):
            waiting.append(pool.submit(solve, index))
            if len(waiting) > 2 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
