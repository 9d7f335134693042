"""All scenarios of a patient side by side, and what is kept of them: curves, and a density of each on the last day."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gliocast.core import Anatomy, Density
from gliocast.growth.side_by_side import side_by_side
from gliocast.planning.forecast import Clock, Forecast, Scenario, foresee


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is forecast for a patient.

    Args:
        speed: of the front that is assumed [mm/d].
        clock: rates per day that follow from it.
        visible: density from which on FLAIR shows tumor [1].
        target: what radiation aims at, ``ctv_standard`` or ``ctv_model``.
        forecasts: scenarios, several of one name for several sensitivities; the first is no treatment.
        densities: on the last day by the scenario's name, each of the sensitivity in the middle, all on one grid.
    """

    speed: float
    clock: Clock
    visible: float
    target: str
    forecasts: tuple[Forecast, ...]
    densities: Mapping[str, Density]

    @property
    def last_day(self) -> float:
        """After the scan [d]."""
        return float(self.forecasts[0].days[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scenarios, each once and in their order."""
        return tuple(dict.fromkeys(forecast.name for forecast in self.forecasts))

    def of(self, name: str) -> tuple[Forecast, ...]:
        """Forecasts of one name, in the order of their sensitivities."""
        return tuple(forecast for forecast in self.forecasts if forecast.name == name)

    def middle(self, name: str) -> Forecast:
        """The one whose density is kept."""
        several = self.of(name)
        return several[len(several) // 2]


def foresee_all(
    possible: Sequence[Scenario],
    density: Density,
    anatomy: Anatomy,
    clock: Clock,
    *,
    days: Sequence[float],
    visible: float,
    diffusivity_ratio: float = 10.0,
    done: Callable[[float], None] | None = None,
) -> tuple[tuple[Forecast, ...], dict[str, Density]]:
    """Grow on under every scenario, one to each thread of numba.

    Args:
        possible: scenarios in the order of the forecasts.
        density: at the scan, on the anatomy's grid.
        anatomy: tissue.
        clock: rates per day.
        days: when to look, positive and ascending [d].
        visible: density from which on FLAIR shows tumor [1].
        diffusivity_ratio: white over gray matter [1].
        done: called with the share that is done.

    Returns:
        Forecasts; and by name the density on the last day of each scenario with its middle sensitivity.

    Raises:
        InputError, ConvergenceError: as `foresee`.
    """
    names = [scenario.name for scenario in possible]
    kept = {names.index(name) + names.count(name) // 2 for name in names}

    def solve(index: int) -> tuple[Forecast, Density | None]:
        forecast, last = foresee(
            density,
            anatomy,
            clock,
            possible[index],
            days=days,
            visible=visible,
            diffusivity_ratio=diffusivity_ratio,
        )
        return forecast, last if index in kept else None

    forecasts: list[Forecast] = []
    densities: dict[str, Density] = {}
    for forecast, last in side_by_side(solve, len(possible)):
        forecasts.append(forecast)
        if last is not None:
            densities[forecast.name] = last
        if done is not None:
            done(len(forecasts) / len(possible))
    return tuple(forecasts), densities
