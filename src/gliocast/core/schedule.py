"""On which days treatments are given.

Days [d] are those of the simulation's clock, on which growth begins at 0. A day is a time: 60.25 is six hours after 60.
"""

from collections.abc import Iterable

import numpy as np

from gliocast.core.errors import InputError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

#: Working days, on which fractions are given by default.
_WORKING = WEEKDAYS[:5]

#: A course of more fractions or doses than this is a mistake [1]; daily doses for almost three years are fewer.
MAX_EVENTS = 1000


def weekday_fractions(start_day: float, num_fractions: int, *, first_weekday: str = "monday") -> tuple[float, ...]:
    """Days of a course with one fraction on each weekday and none at weekends.

    Thirty fractions from a Monday on end on the Friday of the sixth week, 39 d after the first; they take 40 d.

    Args:
        start_day: day of the first fraction [d].
        num_fractions: how many [1].
        first_weekday: weekday of the first fraction, one of WEEKDAYS[:5].

    Raises:
        InputError: a weekend, or no count from 1 to MAX_EVENTS.
    """
    _require_count(num_fractions, "num_fractions")
    if first_weekday not in _WORKING:
        raise InputError(
            "first_weekday",
            expected=f"one of {', '.join(_WORKING)}",
            got=f"{first_weekday}",
            advice="name the days one by one if fractions are given at weekends",
        )
    offset = _WORKING.index(first_weekday)
    slots = range(offset, offset + num_fractions)
    return tuple(start_day + slot // 5 * 7 + slot % 5 - offset for slot in slots)


def cycle_doses(start_day: float, *, days_on: int, cycle_days: int = 28, num_cycles: int = 1) -> tuple[float, ...]:
    """Days of a drug that is given daily at the beginning of each cycle.

    Args:
        start_day: day of the first dose [d].
        days_on: daily doses at the beginning of a cycle [1].
        cycle_days: from the beginning of one cycle to that of the next [d].
        num_cycles: how many cycles [1].

    Raises:
        InputError: no count from 1 to MAX_EVENTS, or more days on than a cycle has, where another cycle follows.
    """
    for name, count in (("days_on", days_on), ("cycle_days", cycle_days), ("num_cycles", num_cycles)):
        _require_count(count, name)
    _require_count(days_on * num_cycles, "doses of all cycles")
    if num_cycles > 1 and days_on > cycle_days:
        raise InputError(
            "days_on",
            expected=f"at most the {cycle_days} d of a cycle",
            got=f"{days_on}",
            advice="lengthen the cycle or give one cycle alone",
        )
    return tuple(start_day + cycle * cycle_days + day for cycle in range(num_cycles) for day in range(days_on))


def require_days(days: Iterable[float], subject: str) -> tuple[float, ...]:
    """The days as floats; raises InputError unless they are finite, not negative, strictly ascending, at least one."""
    times = tuple(float(day) for day in days)
    if not times or not np.isfinite(times).all() or times[0] < 0 or np.any(np.diff(times) <= 0):
        raise InputError(
            subject,
            expected="days from 0 on, each later than the one before",
            got=_quote(times),
            advice="sort them and give each once",
        )
    return times


def _require_count(count: int, subject: str) -> None:
    if not isinstance(count, int) or not 1 <= count <= MAX_EVENTS:
        raise InputError(subject, expected=f"a count from 1 to {MAX_EVENTS}", got=f"{count}", advice="correct it")


def _quote(times: tuple[float, ...]) -> str:
    """Few of the days, those around the first one out of order if there is one."""
    wrong = next((i for i in range(1, len(times)) if not times[i] > times[i - 1]), 1)
    shown = times[max(wrong - 1, 0) : wrong + 1]
    return f"{', '.join(f'{day:g}' for day in shown) or 'none'}" + (f" among {len(times)}" if len(times) > 2 else "")
