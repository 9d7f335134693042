r"""Where time steps lie: short while the profile is young, then as long as the reaction allows.

At a time t after a sharp beginning the profile is as wide as pure diffusion makes it in :math:`t + t_0`, so a step may
grow in proportion; later the reaction sets the pace. The longest accurate step is

.. math:: h(t) = k \min\big(a\,(t + t_0),\; b / \rho\big), \qquad k = \sqrt{\epsilon / 5\cdot10^{-3}}

with :math:`k\,a` bounded, and the steps of an interval are those of equal length on the clock
:math:`\int dt / h(t)`, which has a closed form. Everything may be an array, one number for each solve of a batch; a
batch takes as many steps as its hardest member.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import ConvergenceError, InputError

#: Longest step, in units of the growth time 1/rho (b) and of the age of the profile (a) [1]. Over the ranges of
#: parameters that patients have, the relative L2 error stays below 5e-3 for up to 25 growth times, and below twice that
#: for 60 with fronts thinner than a voxel (validation/time_steps.py). b matters for many growth times, a for few.
STEP_PER_RATE, STEP_PER_AGE = 0.45, 0.18

#: Beyond this share of the age, the error grows much faster than the square of a step [1].
_LONGEST_PER_AGE = 0.32

#: The accuracy that these steps were measured to give [1].
_MEASURED_ACCURACY = 5e-3

#: Longer than any solve [d].
_FOREVER = 1e12

#: More steps than this are no growth of a tumor but a mistake in the units [1].
MAX_STEPS = 20_000


@dataclass(frozen=True)
class Pace:
    """What limits the steps of a solve, or of each solve of a batch.

    Args:
        rate: of the fastest reaction [1/d].
        age: time that diffusion alone would have needed to make the initial profile, t_0 [d]; inf without diffusion.
        accuracy: relative L2 error aimed at [1].
    """

    rate: float | np.ndarray
    age: float | np.ndarray
    accuracy: float

    def steps(self, since: float, until: float) -> np.ndarray:
        """Step lengths from `since` to `until`, times after the last sharp beginning [d]: (num_steps, *batch).

        Raises:
            ConvergenceError: so many steps that a unit must be wrong.
        """
        start, stop = self._clock(since), self._clock(until)
        needed = float(np.max(stop - start))
        if not needed <= MAX_STEPS:
            raise _too_many(f"{needed:.3g} from day {since:g} to day {until:g}")
        num_steps = max(1, int(np.ceil(needed)))
        fractions = (np.arange(num_steps + 1) / num_steps).reshape(-1, *(1,) * np.ndim(start))
        times = self._time(start + fractions * (stop - start))
        even = since + fractions * (until - since)
        steps = np.diff(np.where(stop > start, times, even), axis=0)
        # rounding of the closed form must not shift the end
        return np.asarray(steps * ((until - since) / steps.sum(axis=0)))

    def march(self, until: float) -> Iterator[float]:
        """Step lengths from the sharp beginning on, one after the other, for who stops when there is a reason to [d].

        Raises:
            ConvergenceError: so many steps that a unit must be wrong.
        """
        time = 0.0
        for _ in range(MAX_STEPS):
            after = min(float(self._time(self._clock(time) + 1)), until)
            yield after - time
            time = after
            if time >= until:
                return
        raise _too_many(f"as many until day {time:g}")

    def _limits(self) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Growth of the step with age a k, steps per time rho / (b k), t_0, and when the second takes over."""
        scale = np.sqrt(self.accuracy / _MEASURED_ACCURACY)
        rate, age = np.asarray(self.rate, dtype=float), np.asarray(self.age, dtype=float)
        per_age, per_rate = min(STEP_PER_AGE * scale, _LONGEST_PER_AGE), STEP_PER_RATE * scale
        change = np.clip(per_rate / (per_age * np.maximum(rate, 1 / _FOREVER)) - age, 0, _FOREVER)
        return per_age, rate / per_rate, np.where(np.isfinite(age), age, 1.0), change

    def _clock(self, time: float) -> np.ndarray:
        """Steps from the sharp beginning to a time [1]."""
        per_age, per_time, age, change = self._limits()
        young = np.minimum(time, change)
        return np.log1p(young / age) / per_age + (time - young) * per_time

    def _time(self, clock: np.ndarray) -> np.ndarray:
        """The inverse of the clock [d]."""
        per_age, per_time, age, change = self._limits()
        takeover = np.log1p(change / age) / per_age
        young = age * np.expm1(np.minimum(clock, takeover) * per_age)
        return young + np.maximum(clock - takeover, 0) / np.maximum(per_time, 1 / _FOREVER)


def check_days(days: Sequence[float]) -> None:
    """Refuse days that no solve can stop on."""
    times = np.asarray(days, dtype=float)
    if times.ndim != 1 or times.size == 0 or not (np.isfinite(times).all() and (np.diff(times, prepend=0) > 0).all()):
        raise InputError("days", expected="positive, ascending times [d]", got=f"{days}", advice="sort them")


def _too_many(got: str) -> ConvergenceError:
    return ConvergenceError(
        "growth",
        expected=f"at most {MAX_STEPS} time steps",
        got=got,
        advice="check the units of rate [1/d], diffusivity [mm^2/d] and time [d]",
    )
