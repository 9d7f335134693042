"""Compiles loops twice, with threads that share one solve and for one thread beside others, and says which to take."""

from types import FunctionType, SimpleNamespace
from typing import Any

import numba

#: What keeps the order of sums, for a flux that leaves one cell has to be what enters the other. NaN stays NaN.
_ORDERED = frozenset({"contract", "nsz"})

#: Besides, sums may be reordered, so that those over a row vectorize.
_REORDERED = _ORDERED | {"reassoc"}

#: Fields of fewer cells are swept by one thread [1]. A second one would save some 25 us of the 70 that a sweep takes
#: (`python -m benchmarks --only kernels`), a hundredth of a second a solve, and the loops with threads, which nothing
#: else needs then, take seconds to compile.
MIN_SHARED_CELLS = 32_768

#: Options of functions that the loops call for each row.
ROW_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": set(_ORDERED)}


def threads_share(num_cells: int, least: int = MIN_SHARED_CELLS) -> bool:
    """Whether threads share a field: where there are several, and as many cells as it is worth it for."""
    return num_cells >= least and numba.get_num_threads() > 1


def compile_loops(*loops: Any, parallel: bool, reorder: bool = False) -> SimpleNamespace:
    """The loops, compiled with or without threads, as attributes named like them without the underscore.

    numba's cache knows a function by its qualified name, line and code, not by its options; without names of their own
    one version would be loaded in place of another.

    Args:
        loops: plain functions of a module.
        parallel: whether `prange` makes threads.
        reorder: whether sums may be taken in another order than written.
    """
    options = ROW_OPTIONS | {"nogil": True, "cache": True, "fastmath": set(_REORDERED if reorder else _ORDERED)}
    suffix = f"_{'shared' if parallel else 'single'}_{'reordered' if reorder else 'ordered'}"
    compiled = SimpleNamespace()
    for loop in loops:
        twin = FunctionType(loop.__code__, loop.__globals__, loop.__name__)
        twin.__module__, twin.__qualname__ = loop.__module__, loop.__qualname__ + suffix
        setattr(compiled, loop.__name__.removeprefix("_"), numba.njit(parallel=parallel, **options)(twin))
    return compiled
