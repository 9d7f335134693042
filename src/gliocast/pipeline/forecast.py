"""Results of a run to what may come: files read, scenarios grown, tables and pictures written."""

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.core import RESEARCH_NOTICE, Anatomy, Density, InputError, Monitor, Plan, Silence
from gliocast.core.treatment import ALPHA, KILL_RATE
from gliocast.data import Results, file_hash, find_results, read_volume, whole_folder, write_like
from gliocast.pipeline.maps import read_anatomy, require_fractions
from gliocast.pipeline.record import write_json
from gliocast.planning.caution import caution
from gliocast.planning.forecast import ALPHAS, KILL_RATES, TYPICAL_SPEED, Clock, Forecast, foresee, scenarios
from gliocast.planning.isoeffect import IsoEffect, compare_targets

#: Densities below this are written as 0 [1].
_FAINTEST = 1e-6

#: The growth that every scenario is of, as `gliocast run` calls it.
_GROWTH = "fisher-kolmogorov"

#: Targets of a plan that radiation may aim at.
TARGETS = ("ctv_standard", "ctv_model")


@dataclass(frozen=True)
class ForecastOptions:
    """What is assumed; saved beside the results.

    Args:
        speed: of the front, 2 sqrt(D_w rho), which one scan doesn't tell [mm/d].
        days: after the scan [d].
        target: what radiation aims at in the scenarios, one of `TARGETS`.
        alphas: linear radiosensitivities [1/Gy].
        kill_rates: of temozolomide after a daily dose [1/d].
    """

    speed: float = TYPICAL_SPEED
    days: tuple[float, ...] = (30.0, 60.0, 90.0, 120.0, 150.0, 180.0)
    target: str = "ctv_standard"
    alphas: tuple[float, ...] = ALPHAS
    kill_rates: tuple[float, ...] = KILL_RATES

    def __post_init__(self) -> None:
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


@dataclass(frozen=True, eq=False)
class Outlook:
    """All that is forecast for a patient.

    Args:
        clock: rates per day that were assumed.
        forecasts: a scenario each.
        effects: of the model's target against the standard one, a course and an alpha each.
    """

    clock: Clock
    forecasts: tuple[Forecast, ...]
    effects: tuple[IsoEffect, ...]


@dataclass(frozen=True, eq=False)
class _Results:
    """What a run left in its folder."""

    density: Density
    anatomy: Anatomy
    masks: Mapping[str, np.ndarray]
    parameters: Mapping[str, float]
    diffusivity_ratio: float
    growth: str

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be read before the scenarios are looked at."""
        said = list(caution(Plan(self.masks, self.density.grid, margin_mm=float("nan"))))
        if self.growth != _GROWTH:
            said.append(f"the run's growth was {self.growth}; from the scan on it is taken for {_GROWTH}")
        return tuple(said)


def forecast_to_folder(
    results: Path, out: Path, *, options: ForecastOptions | None = None, monitor: Monitor | None = None
) -> Outlook:
    """Grow on what `gliocast run` found under every scenario, and write it.

    Args:
        results: folder that `gliocast run` wrote, in either layout.
        out: folder to write, as a whole or not at all.
        options: what is assumed.
        monitor: watches.

    Raises:
        InputError: a file is missing or can't be used.
    """
    options, monitor = options or ForecastOptions(), monitor or Silence()
    with whole_folder(out) as folder:
        monitor.begin("read")
        place = find_results(results)
        found = _read(place)
        outlook = _grow(found, options, monitor)
        for sentence in found.warnings:
            monitor.note(f"WARNING: {sentence}")
        monitor.begin("write")
        _write_table(folder / "forecast.csv", outlook)
        densities = _representative(outlook)
        for name, each in densities.items():
            path = folder / name
            data = np.where(each.last.data < _FAINTEST, 0, each.last.data).astype(np.float32)
            write_like(path, data, place.path("density.nii.gz"))
        write_json(folder / "forecast.json", _record(place, found, outlook, densities, options))
        from gliocast.report.forecast_figure import save_forecast_picture

        save_forecast_picture(
            folder / "forecast.png", outlook.forecasts, outlook.effects, speed=options.speed, target=options.target
        )
    return outlook


def _read(results: Results) -> _Results:
    names = ("density", *TARGETS, "gtv", "white_matter", "gray_matter", "csf")
    paths = {name: results.path(f"{name}.nii.gz") for name in names}
    table, record = results.path("parameters.json"), results.path("provenance.json")
    for path in (*paths.values(), table, record):
        if not path.is_file():
            raise InputError(
                "results", expected=f"{path.name}, as gliocast run writes it", got="none", advice="run it first"
            )
    volume = read_volume(paths["density"], "density")
    require_fractions(volume, "density")
    anatomy = read_anatomy(paths["white_matter"], paths["gray_matter"], paths["csf"])
    anatomy.grid.require_same(volume.grid, "density")
    masks = {}
    for name in (*TARGETS, "gtv"):
        mask = read_volume(paths[name], name)
        anatomy.grid.require_same(mask.grid, name)
        masks[name] = mask.data > 0.5
    try:
        content = json.loads(table.read_text(encoding="utf-8"))["parameters"]
        parameters = {name: float(row["mode"]) for name, row in content.items()}
        for name in ("diffusion_length", "growth_number", "flair_threshold"):
            parameters[name]
        run_options = json.loads(record.read_text(encoding="utf-8"))["options"]
        ratio, growth = float(run_options["diffusivity_ratio"]), str(run_options.get("growth", _GROWTH))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "parameters.json", expected="what gliocast run wrote", got="something else", advice="run it again"
        ) from error
    density = Density(np.clip(volume.data, 0, 1), volume.grid)
    return _Results(density, anatomy, masks, parameters, ratio, growth)


def _grow(found: _Results, options: ForecastOptions, monitor: Monitor) -> Outlook:
    clock = Clock.of_speed(
        options.speed,
        diffusion_length=found.parameters["diffusion_length"],
        growth_number=found.parameters["growth_number"],
    )
    monitor.begin("forecast")
    possible = list(
        scenarios(
            found.masks["gtv"],
            found.masks[options.target],
            found.anatomy,
            alphas=options.alphas,
            kill_rates=options.kill_rates,
        )
    )
    forecasts = []
    for done, scenario in enumerate(possible):
        forecasts.append(
            foresee(
                found.density,
                found.anatomy,
                clock,
                scenario,
                days=options.days,
                visible=found.parameters["flair_threshold"],
                diffusivity_ratio=found.diffusivity_ratio,
            )
        )
        monitor.advance((done + 1) / len(possible))
    standard, model = (found.masks[name] for name in TARGETS)
    effects = compare_targets(found.density, standard, model, alphas=options.alphas)
    return Outlook(clock, tuple(forecasts), effects)


def _representative(outlook: Outlook) -> dict[str, Forecast]:
    """Of each scenario the one in the middle of what is assumed, by the name of its file."""
    by_name: dict[str, list[Forecast]] = {}
    for each in outlook.forecasts:
        by_name.setdefault(each.scenario.name, []).append(each)
    middle = {name: several[len(several) // 2] for name, several in by_name.items()}
    return {f"density_{_file_name(name)}_{each.days[-1]:g}d.nii.gz": each for name, each in middle.items()}


def _file_name(name: str) -> str:
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def _write_table(path: Path, outlook: Outlook) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["scenario", "alpha [1/Gy]", "kappa [1/d]", "day", "burden [ml]", "visible [ml]"])
        for each in outlook.forecasts:
            assumed = [each.scenario.sensitivity.get(symbol, "") for symbol in ("alpha", "kappa")]
            for day, burden, visible in zip(each.days, each.burden_ml, each.visible_ml, strict=True):
                writer.writerow([each.scenario.name, *assumed, f"{day:g}", f"{burden:.6g}", f"{visible:.6g}"])


def _record(
    results: Results, found: _Results, outlook: Outlook, densities: Mapping[str, Forecast], options: ForecastOptions
) -> dict[str, Any]:
    effects = [{**asdict(effect), "course": effect.course.name} for effect in outlook.effects]
    return {
        "notice": RESEARCH_NOTICE,
        "warnings": list(found.warnings),
        "options": asdict(options),
        "clock": {
            "diffusivity [mm^2/d]": outlook.clock.diffusivity,
            "rate [1/d]": outlook.clock.rate,
            "age at the scan [d]": outlook.clock.age_days,
        },
        "isoeffect": [
            {name: None if value != value else value for name, value in effect.items()}  # JSON has no nan
            for effect in effects
        ],
        "densities": {name: dict(each.scenario.sensitivity) for name, each in densities.items()},
        "versions": {"gliocast": version("gliocast")},
        "inputs": {name: file_hash(results.path(name)) for name in ("density.nii.gz", "parameters.json")},
    }
