"""A solve from its first cells to the last day, through a dated list of treatments."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.core import Box, Resection, Treatments
from gliocast.growth.splitting import Dynamics, strang
from gliocast.growth.time_grid import Pace
from gliocast.growth.treatment import Instant, break_days, instants, log_survival, peak_rate


@dataclass(frozen=True)
class Tempo:
    """What the equation says of how fast things happen, from which the time steps follow.

    Args:
        rate: of the fastest reaction [1/d], a number or one per batch item.
        diffusivity: the fastest [mm^2/d], likewise.
        width_mm: size of the smallest feature of the initial density [mm].
        accuracy: relative L2 error of time stepping aimed at [1].
    """

    rate: Any
    diffusivity: Any
    width_mm: float
    accuracy: float

    def pace(self, *, width_mm: float, fastest: float = 0.0) -> Pace:
        """Steps after a profile with features of some width, beside another process of a rate [1/d]."""
        diffusivity = np.asarray(self.diffusivity, dtype=float)
        age = np.where(diffusivity > 0, width_mm**2 / (2 * np.where(diffusivity > 0, diffusivity, 1)), np.inf)
        return Pace(np.maximum(self.rate, fastest), age, self.accuracy)


def evolve(
    dynamics: Dynamics,
    state: Any,
    days: Sequence[float],
    *,
    tempo: Tempo,
    spacing: tuple[float, float, float],
    treatments: Treatments | None = None,
    window: Box | None = None,
    load_steps: Callable[[np.ndarray], Sequence[Any]] = list,
    done: Callable[[float], None] | None = None,
    advance: Callable[..., Any] = strang,
) -> Iterator[tuple[float, Any]]:
    """The state on each of the given days, before what is done to it on that day.

    Args:
        dynamics: the equation.
        state: where to begin, on day 0; it may be overwritten.
        days: when to look [d], positive and ascending.
        tempo: how long steps may be.
        spacing: cell size [mm].
        treatments: on the grid of the anatomy.
        window: the part of that grid that the state covers.
        load_steps: turns step lengths into what the dynamics calculates with.
        done: called with the time after each step [d].
        advance: takes the steps; called as `strang`.
    """
    plan = treatments or Treatments(())
    moments = instants(plan, window)
    stops = sorted({*days, *(day for day in break_days(plan) if 0 < day < days[-1])})
    dynamics, state, edged = _treat(dynamics, state, moments, 0.0)
    time, sharp, width = 0.0, 0.0, min(spacing) if edged else tempo.width_mm
    for stop in stops:
        fastest = peak_rate(plan, time, stop)
        steps = tempo.pace(width_mm=width, fastest=fastest).steps(time - sharp, stop - sharp)
        drug = _drug(plan) if fastest > 0 else None
        state = advance(dynamics, state, load_steps(steps), log_survival=drug, since=time, done=done)
        time = stop
        if stop in days:
            yield stop, state
        dynamics, state, edged = _treat(dynamics, state, moments, stop)
        if edged:  # as sharp as voxels, which long steps would only halve
            sharp, width = time, min(spacing)


def _drug(plan: Treatments) -> Callable[[float, float], float]:
    return lambda start, stop: log_survival(plan, start, stop)


def _treat(dynamics: Dynamics, state: Any, moments: Sequence[Instant], day: float) -> tuple[Dynamics, Any, bool]:
    """Dynamics and state after what is done on a day, and whether that left edges: of a cavity, or of a dose."""
    edged = False
    for moment in moments:
        if moment.day == day:
            edged |= bool(np.ptp(moment.survivors) > 0)
            if moment.closed is not None:
                dynamics, state = dynamics.close(state, moment.closed)
            elif isinstance(moment.treatment, Resection):
                state = dynamics.remove(state, moment.survivors)
            else:
                state = dynamics.kill(state, moment.survivors)
    return dynamics, state, edged
