"""From a fit to what may come, on the scan's voxels and on coarser ones. Synthetic."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from gliocast.core import Anatomy, ConvergenceError, Grid, InputError, Plan
from gliocast.growth import Simulator
from gliocast.pipeline import Options, personalize
from gliocast.pipeline.look_ahead import Fitted, ForecastOptions, look_ahead
from gliocast.pipeline.personalize import _with_outlook

SIDE = 40
ALPHAS = (0.03, 0.14)


@pytest.fixture(scope="module")
def fitted():
    """A tumor in a ball of white matter, on voxels of 1.5 mm, of a length that doesn't divide."""
    grid = Grid((SIDE, SIDE, SIDE + 1), np.diag([1.5, 1.5, 1.5, 1.0]))
    away = 1.5 * np.linalg.norm(np.moveaxis(np.indices(grid.shape), 0, -1) - SIDE / 2, axis=-1)
    white = (away < 26).astype(np.float32)
    anatomy = Anatomy(white, 0 * white, 1 - white, np.ones(grid.shape, bool), grid)
    density = Simulator(backend="numba-single")((0.1, 0.03, 30, 30, 30), anatomy, days=[180.0])[0]
    data = density.data
    masks = {"gtv": data > 0.5, "ctv_standard": data > 0.01, "ctv_model": data > 0.02}
    parameters = {"diffusion_length": 4.24, "growth_number": 2.32, "flair_threshold": 0.2}
    return Fitted(density, anatomy, masks, parameters, 10.0)


@dataclass(frozen=True)
class Seen:
    """As far as a forecast looks at what was found."""

    density: object
    anatomy: object
    plan: object
    estimate: object
    warnings: tuple = ("one",)
    outlook: object = None


class Notes:
    """A monitor that keeps what was said."""

    def __init__(self):
        self.stages, self.notes = [], []

    def begin(self, stage):
        self.stages.append(stage)

    def advance(self, fraction):
        pass

    def note(self, message):
        self.notes.append(message)


@pytest.fixture
def seen(fitted):
    plan = Plan(fitted.masks, fitted.anatomy.grid, 15.0)
    return Seen(fitted.density, SimpleNamespace(anatomy=fitted.anatomy), plan, fitted.parameters)


def test_coarser_voxels_keep_the_tumor_and_say_about_the_same(fitted):
    """Within what voxels wider than the front, sqrt(D / rho) = 1.8 mm, change: 5 %, and 10 % of what a dose leaves."""
    own, coarse = (
        look_ahead(fitted, ForecastOptions(days=(90.0,), alphas=ALPHAS, kill_rates=(0.1,), spacing=spacing))
        for spacing in (None, 3.0)
    )
    assert own.densities["no treatment"].grid == fitted.anatomy.grid
    assert coarse.densities["no treatment"].grid.spacing == pytest.approx((3.0, 3.0, 3.0))
    for a, b in zip(own.forecasts, coarse.forecasts, strict=True):
        assert (a.name, a.sensitivity) == (b.name, b.sensitivity)
        assert b.burden_ml[0] == pytest.approx(a.burden_ml[0], rel=1e-5)  # means keep integrals
        assert b.burden_ml[-1] == pytest.approx(a.burden_ml[-1], rel=0.1 if "alpha" in a.sensitivity else 0.05)


def test_a_clock_follows_from_the_speed(fitted):
    outlook = look_ahead(
        fitted, ForecastOptions(speed=0.2, days=(5.0,), alphas=(0.06,), kill_rates=(0.1,), spacing=3.0)
    )
    assert outlook.speed == pytest.approx(2 * np.sqrt(outlook.clock.diffusivity * outlook.clock.rate))
    assert outlook.visible == 0.2


@pytest.mark.parametrize("spacing", [0.0, -2.0, float("nan"), 50.0])
def test_voxels_of_no_width_are_refused(spacing):
    with pytest.raises(InputError, match="width of voxels"):
        ForecastOptions(spacing=spacing)


@pytest.mark.parametrize("speed", [0.0, 5.0, float("inf")])
def test_a_run_with_a_speed_that_is_none_is_refused_before_any_work(speed):
    with pytest.raises(InputError, match="above 0 and up to 2 mm/d"):
        Options(speed=speed)


def test_a_run_looks_ahead(seen):
    monitor = Notes()
    found = _with_outlook(seen, Options(speed=0.05), monitor)
    assert found.outlook.speed == 0.05
    assert max(found.outlook.densities["no treatment"].grid.spacing) <= 2.0
    assert found.warnings == ("one",)
    assert (monitor.stages, monitor.notes) == (["forecast"], [])


@pytest.mark.parametrize("kind", [ConvergenceError, InputError])
def test_a_forecast_that_fails_is_a_warning_and_loses_nothing(seen, kind, monkeypatch):
    def fail(*_, **__):
        raise kind("growth", expected="fewer steps", got="many", advice="check units")

    monkeypatch.setattr(personalize_module(), "look_ahead", fail)
    monitor = Notes()
    found = _with_outlook(seen, Options(), monitor)
    assert found == replace(seen, warnings=found.warnings)
    assert found.warnings == ("one", "no forecast was made: growth: expected fewer steps, got many; check units")
    assert monitor.notes == [f"warning: {found.warnings[1]}"]


def test_a_tumor_too_small_for_coarse_voxels_is_a_warning(seen):
    masks = dict(seen.plan.volumes)
    masks["gtv"] = np.zeros_like(masks["gtv"])
    found = _with_outlook(replace(seen, plan=Plan(masks, seen.plan.grid, 15.0)), Options(), Notes())
    assert found.outlook is None
    assert "resection cavity" in found.warnings[-1]


def personalize_module():
    import sys

    return sys.modules[personalize.__module__]
