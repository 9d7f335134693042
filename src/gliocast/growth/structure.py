"""Tensors inside of tuples and objects of this package: found, replaced, and put back."""

import copy
from collections.abc import Iterator
from typing import Any

import torch

from gliocast.growth.elasticity import Displacement

Tensor = torch.Tensor


def tensors_in(thing: Any, *, all_of_them: bool = False) -> Iterator[Tensor]:
    """Tensors inside of tuples and objects of this package: those with a gradient, or all of them."""
    if isinstance(thing, Tensor):
        if all_of_them or thing.requires_grad:
            yield thing
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from tensors_in(part, all_of_them=all_of_them)
    elif type(thing).__module__.startswith("gliocast.") and hasattr(thing, "__dict__"):
        for part in vars(thing).values():
            yield from tensors_in(part, all_of_them=all_of_them)


def replaced(thing: Any, others: dict[int, Tensor]) -> Any:
    """The same, with some tensors (by identity) replaced by others; objects of this package are copied."""
    if isinstance(thing, Tensor):
        return others.get(id(thing), thing)
    if isinstance(thing, tuple | list) and not hasattr(thing, "_fields"):
        return type(thing)(replaced(part, others) for part in thing)
    if type(thing).__module__.startswith("gliocast.") and hasattr(thing, "__dict__"):
        twin = copy.copy(thing)
        for name, part in vars(thing).items():
            object.__setattr__(twin, name, replaced(part, others))
        return twin
    return thing


def filled(pattern: Any, tensors: Iterator[Any]) -> Any:
    """The same structure with other tensors in it, in the order of `tensors_in`."""
    if isinstance(pattern, Tensor) or pattern is None:
        return next(tensors)
    if isinstance(pattern, tuple):
        parts = [filled(part, tensors) for part in pattern]
        return type(pattern)(*parts) if hasattr(pattern, "_fields") else tuple(parts)
    if isinstance(pattern, Displacement):
        x, y, z = (filled(part, tensors) for part in pattern.faces)
        empty = object.__new__(Displacement)  # patterns hold no shapes to check
        for name, part in (("x", x), ("y", y), ("z", z)):
            object.__setattr__(empty, name, part)
        return empty
    return pattern
