"""What a scan was fitted with to what may come: coarser voxels where they do, scenarios, curves and densities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gliocast.core import Anatomy, Density, InputError
from gliocast.core.treatment import ALPHA, KILL_RATE
from gliocast.growth.dose import target_dose
from gliocast.planning.forecast import ALPHAS, KILL_RATES, TYPICAL_SPEED, Clock, require_speed, scenarios
from gliocast.planning.outlook import Outlook, foresee_all
from gliocast.problem.shape import coarsened, coarsening

#: Targets of a plan that radiation may aim at.
TARGETS = ("ctv_standard", "ctv_model")

#: Parameters of a fit that a forecast needs.
NEEDED = ("diffusion_length", "growth_number", "flair_threshold")

#: Voxels are made as wide as this and no wider [mm].
_WIDEST_MM = 5.0


@dataclass(frozen=True)
class ForecastOptions:
    """What is assumed; saved beside the results.

    Args:
        speed: of the front, 2 sqrt(D_w rho), which one scan doesn't tell [mm/d].
        days: after the scan [d].
        target: what radiation aims at in the scenarios, one of `TARGETS`.
        alphas: linear radiosensitivities [1/Gy].
        kill_rates: of temozolomide after a daily dose [1/d].
        spacing: about how wide voxels are that growth is solved on [mm], whole multiples of the scan's; None for the
            scan's own.
    """

    speed: float = TYPICAL_SPEED
    days: tuple[float, ...] = (30.0, 60.0, 90.0, 120.0, 150.0, 180.0)
    target: str = "ctv_standard"
    alphas: tuple[float, ...] = ALPHAS
    kill_rates: tuple[float, ...] = KILL_RATES
    spacing: float | None = None

    def __post_init__(self) -> None:
        require_speed(self.speed)
        if self.target not in TARGETS:
            raise InputError("target", expected=f"one of {', '.join(TARGETS)}", got=self.target, advice="pick one")
        if not self.days or any(not 0 < day < 3650 for day in self.days) or list(self.days) != sorted(set(self.days)):
            raise InputError(
                "days",
                expected="days after the scan in ascending order, below ten years",
                got=", ".join(f"{day:g}" for day in self.days) or "none",
                advice="pass each once with --days",
            )
        for name in ("alphas", "kill_rates"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))
        for parameter, values in ((ALPHA, self.alphas), (KILL_RATE, self.kill_rates)):
            for value in values:
                parameter.require(value)
        if self.spacing is not None and not 0 < self.spacing <= _WIDEST_MM:
            raise InputError(
                "spacing",
                expected=f"a width of voxels above 0 and up to {_WIDEST_MM:g} mm",
                got=f"{self.spacing:g}",
                advice="leave it out for the scan's own, or use 2",
            )


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a forecast goes on from, all on one grid.

    Args:
        density: at the scan.
        anatomy: tissue.
        masks: ``gtv`` and the `TARGETS`, bool.
        parameters: of the fit by name, the `NEEDED` among them.
        diffusivity_ratio: white over gray matter [1].
    """

    density: Density
    anatomy: Anatomy
    masks: Mapping[str, np.ndarray]
    parameters: Mapping[str, float]
    diffusivity_ratio: float

    def coarsen(self, factors: tuple[int, int, int]) -> "Fitted":
        """The same on blocks of voxels; a block belongs to a mask of which it holds half or more."""
        if factors == (1, 1, 1):
            return self
        anatomy = self.anatomy.coarsen(factors)
        density = Density(coarsened(self.density.data, factors), anatomy.grid)
        masks = {name: coarsened(mask, factors) >= 0.5 for name, mask in self.masks.items()}
        return Fitted(density, anatomy, masks, self.parameters, self.diffusivity_ratio)


def look_ahead(fitted: Fitted, options: ForecastOptions, *, done: Callable[[float], None] | None = None) -> Outlook:
    """Grow on under every scenario.

    Args:
        fitted: what was found in the scan.
        options: what is assumed.
        done: called with the share that is done.

    Raises:
        InputError: there is no density, or a mask is empty on these voxels.
        ConvergenceError: so many time steps that a unit must be wrong.
    """
    grid = fitted.density.grid
    factors = (1, 1, 1) if options.spacing is None else coarsening(grid, options.spacing)
    coarse = fitted.coarsen(factors)
    # what a dose leaves depends on its edge most: it is averaged, where the dose of a coarse target would be blunt
    dose = coarsened(target_dose(fitted.masks[options.target], grid, 1.0), factors)
    clock = Clock.of_speed(
        options.speed,
        diffusion_length=fitted.parameters["diffusion_length"],
        growth_number=fitted.parameters["growth_number"],
    )
    possible = scenarios(
        coarse.masks["gtv"],
        dose,
        coarse.anatomy,
        alphas=options.alphas,
        kill_rates=options.kill_rates,
    )
    visible = fitted.parameters["flair_threshold"]
    forecasts, densities = foresee_all(
        list(possible),
        coarse.density,
        coarse.anatomy,
        clock,
        days=options.days,
        visible=visible,
        diffusivity_ratio=fitted.diffusivity_ratio,
        done=done,
    )
    return Outlook(options.speed, clock, visible, options.target, forecasts, densities)
