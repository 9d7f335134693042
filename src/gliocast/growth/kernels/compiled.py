"""Compiles loops twice: with threads that share one solve, and for one thread beside others."""

from types import FunctionType, SimpleNamespace
from typing import Any

import numba

#: What keeps the order of sums, for a flux that leaves one cell has to be what enters the other. NaN stays NaN.
_ORDERED = frozenset({"contract", "nsz"})

#: Besides, sums may be reordered, so that those over a row vectorize.
_REORDERED = _ORDERED | {"reassoc"}

#: Options of functions that the loops call for each row.
ROW_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": set(_ORDERED)}


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
