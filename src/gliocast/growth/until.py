"""Growth to a size: steps as they come, and the one that meets the size by bisection."""

from typing import Any

from gliocast.core import ConvergenceError
from gliocast.growth.snapshots import numbers_of
from gliocast.growth.splitting import Dynamics, strang
from gliocast.growth.stop import Stop
from gliocast.growth.time_grid import Pace

#: The step that meets the size is known to this share of itself [1].
_TOLERANCE = 1e-3


def march_until(
    dynamics: Dynamics, state: Any, stop: Stop, *, pace: Pace, voxel_volume: float, max_days: float
) -> tuple[float, Any]:
    """When a size is reached [d], and the state then.

    Args:
        dynamics: the equation.
        state: where to begin, on day 0; it may be overwritten.
        stop: the size.
        pace: how long steps may be.
        voxel_volume: of the cells that the state lies on [mm^3].
        max_days: when to give up [d].

    Raises:
        ConvergenceError: the size isn't reached in time, or in too many steps.
    """

    def size(now: Any) -> float:
        return stop.size(numbers_of(dynamics, dynamics.density(now)), voxel_volume)

    time = 0.0
    for step in pace.march(max_days):
        before = dynamics.copy(state)
        state = strang(dynamics, state, [step])
        if size(state) >= 1:
            low, high = 0.0, step
            while high - low > _TOLERANCE * step:
                middle = (low + high) / 2
                state = strang(dynamics, dynamics.copy(before), [middle])
                low, high = (low, middle) if size(state) >= 1 else (middle, high)
            return time + high, strang(dynamics, before, [high])
        time += step
    raise ConvergenceError(
        "stop",
        expected=f"a tumor that reaches {stop} within {max_days:g} d",
        got=f"{100 * size(state):.0f} % of it",
        advice="allow more days, or let the tumor grow faster",
    )
