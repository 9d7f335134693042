r"""Strang splitting: reaction, migration, reaction; second order in the length of a step.

One step of length :math:`\tau` is  R(tau/2) M(tau) R(tau/2).  Neighboring half reactions are taken together. A drug
that kills the same share of all cells everywhere is taken around the step, half before and half after.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np


class Dynamics(Protocol):
    """A growth model with numbers for its parameters, in one medium; the state is a tuple of fields."""

    @property
    def sweeps(self) -> Any:
        """Arithmetic on fields."""
        ...

    def begin(self, cells: Any) -> Any:
        """The state of the first cells."""
        ...

    def copy(self, state: Any) -> Any:
        """A state that stays as it is while the other goes on."""
        ...

    def react(self, state: Any, time: Any) -> Any:
        """What happens inside voxels over a time [d]."""
        ...

    def move(self, state: Any, time: Any) -> Any:
        """What happens between voxels over a time [d]."""
        ...

    def kill(self, state: Any, survivors: Any) -> Any:
        """A share of the living cells survives [1]: a number, or one per voxel."""
        ...

    def remove(self, state: Any, survivors: np.ndarray) -> Any:
        """A share of all tissue, dead cells included, is left by surgery [1], one per voxel."""
        ...

    def close(self, state: Any, cavity: np.ndarray) -> tuple["Dynamics", Any]:
        """Empty some voxels (bool); the dynamics that let no cell enter them again, and the state."""
        ...

    def density(self, state: Any) -> Any:
        """Tumor cells, living and dead, a field."""
        ...

    def fields(self, state: Any) -> dict[str, Any]:
        """What else the state holds, by name, as arrays of the window's shape or (components, window)."""
        ...


def strang(
    dynamics: Dynamics,
    state: Any,
    steps: Iterable[Any],
    *,
    log_survival: Callable[[float, float], float] | None = None,
    since: float = 0.0,
    done: Callable[[float], None] | None = None,
) -> Any:
    """The state after steps of the given lengths.

    Args:
        dynamics: the equation.
        state: where to begin; it may be overwritten.
        steps: lengths [d].
        log_survival: logarithm of the share of cells that a drug lets live from one time [d] to another; None for no
            drug.
        since: the time of the first step [d].
        done: called with the time after each step [d].
    """
    pending: Any = 0.0
    time = since
    for step in steps:
        half = step / 2
        if log_survival is None:
            state = dynamics.react(state, pending + half)
        else:
            state = dynamics.kill(state, math.exp(log_survival(time, time + half)))
            state = dynamics.react(state, half)
        state = dynamics.move(state, step)
        if log_survival is None:
            pending = half
        else:
            state = dynamics.react(state, half)
            state = dynamics.kill(state, math.exp(log_survival(time + half, time + step)))
        if log_survival is not None or done is not None:
            time += float(np.mean(step))
        if done is not None:
            done(time)
    return state if log_survival is not None else dynamics.react(state, pending)
