"""Compiles loops twice: with threads that share one solve, and for one thread beside others."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

#: Sums may be reordered so that they vectorize; infinities and NaN keep their meaning, for the caller looks for them.
ROW_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nsz", "reassoc"}}


def compile_loops(*loops: Any, parallel: bool) -> dict[str, Callable[..., Any]]:
    """The loops by name, compiled with or without threads.

    numba's cache knows a function by its qualified name, line and code, not by its options; without names of their own
    the two versions would be loaded in place of each other.
    """
    suffix = "_shared" if parallel else "_single"
    compiled = {}
    for loop in loops:
        twin = FunctionType(loop.__code__, loop.__globals__, loop.__name__)
        twin.__module__, twin.__qualname__ = loop.__module__, loop.__qualname__ + suffix
        compiled[loop.__name__] = numba.njit(parallel=parallel, nogil=True, cache=True, **ROW_OPTIONS)(twin)
    return compiled
