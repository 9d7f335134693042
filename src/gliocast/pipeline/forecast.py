"""Results of a run to what may come: files read, scenarios grown, tables and pictures written."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.anatomy.mobility import is_tissue
from gliocast.core import RESEARCH_NOTICE, Density, Grid, InputError, Monitor, Plan, Silence
from gliocast.data import (
    Results,
    file_hash,
    find_results,
    read_table,
    read_volume,
    whole_folder,
    write_json,
    write_like,
)
from gliocast.data.results import DENSITY, PARAMETERS, PROVENANCE
from gliocast.pipeline.look_ahead import NEEDED, TARGETS, Fitted, ForecastOptions, look_ahead
from gliocast.pipeline.maps import read_anatomy, require_fractions
from gliocast.planning.caution import caution
from gliocast.planning.isoeffect import IsoEffect, compare_targets
from gliocast.planning.outlook import Outlook
from gliocast.problem.maps import interpolated

#: Densities below this are written as 0 [1].
_FAINTEST = 1e-6

#: Relative error of a spacing that a header stores as float32 [1].
_ROUNDING = 1e-5

#: The growth that every scenario is of, as `gliocast run` calls it.
_GROWTH = "fisher-kolmogorov"


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
        InputError: a file is missing or can't be used, or voxels would be narrower than the scan's.
    """
    options, monitor = options or ForecastOptions(), monitor or Silence()
    with whole_folder(out) as folder:
        monitor.begin("read")
        place = find_results(results)
        fitted, warnings = _read(place)
        _require_joinable(fitted.density.grid, options.spacing)
        monitor.begin("forecast")
        outlook = look_ahead(fitted, options, done=monitor.advance)
        standard, model = (fitted.masks[name] for name in TARGETS)
        effects = compare_targets(fitted.density, standard, model, alphas=options.alphas)
        for sentence in warnings:
            monitor.note(f"WARNING: {sentence}")
        monitor.begin("write")
        _write_table(folder / "forecast.csv", outlook)
        names = {name: f"density_{_file_name(name)}_{outlook.last_day:g}d.nii.gz" for name in outlook.densities}
        for name, density in outlook.densities.items():
            _write_density(folder / names[name], density, fitted, place)
        record = _record(place, outlook, effects, names, options)
        write_json(folder / "forecast.json", {**record, "warnings": list(warnings)})
        from gliocast.report.forecast_figure import save_forecast_picture

        save_forecast_picture(folder / "forecast.png", outlook, effects)
    return outlook


def _require_joinable(grid: Grid, spacing: float | None) -> None:
    """Raise InputError for voxels narrower than the scan's [mm]: they are joined, never split."""
    own = min(grid.spacing)
    if spacing is not None and spacing < own * (1 - _ROUNDING):
        raise InputError(
            "spacing",
            expected=f"a width of voxels from the scan's own {own:.3g} mm on",
            got=f"{spacing:g}",
            advice="leave it out for the scan's own",
        )


def _read(results: Results) -> tuple[Fitted, tuple[str, ...]]:
    """What a run left in its folder, and what must be read before the scenarios are looked at."""
    names = ("density", *TARGETS, "gtv", "white_matter", "gray_matter", "csf")
    paths = {name: results.path(f"{name}.nii.gz") for name in names}
    table, record = results.path(PARAMETERS), results.path(PROVENANCE)
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
        content = read_table(table)["parameters"]
        parameters = {name: float(row["mode"]) for name, row in content.items()}
        for name in NEEDED:
            parameters[name]
        run_options = read_table(record)["options"]
        ratio, growth = float(run_options["diffusivity_ratio"]), str(run_options.get("growth", _GROWTH))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            PARAMETERS, expected="what gliocast run wrote", got="something else", advice="run it again"
        ) from error
    density = Density(np.clip(volume.data, 0, 1), volume.grid)
    fitted = Fitted(density, anatomy, masks, parameters, ratio)
    said = list(caution(Plan(masks, volume.grid, margin_mm=float("nan"))))
    if growth != _GROWTH:
        said.append(f"the run's growth was {growth}; from the scan on it is taken for {_GROWTH}")
    return fitted, tuple(said)


def _write_density(path: Path, density: Density, fitted: Fitted, results: Results) -> None:
    """On the scan's grid, whichever it was solved on."""
    data, onto = density.data, fitted.anatomy
    if density.grid != onto.grid:
        data = np.where(is_tissue(onto), interpolated(data, density.grid, onto.grid), 0)
    write_like(path, np.where(data < _FAINTEST, 0, data).astype(np.float32), results.path(DENSITY))


def _file_name(name: str) -> str:
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def _write_table(path: Path, outlook: Outlook) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["scenario", "alpha [1/Gy]", "kappa [1/d]", "day", "burden [ml]", "visible [ml]"])
        for each in outlook.forecasts:
            assumed = [each.sensitivity.get(symbol, "") for symbol in ("alpha", "kappa")]
            for day, burden, visible in zip(each.days, each.burden_ml, each.visible_ml, strict=True):
                writer.writerow([each.name, *assumed, f"{day:g}", f"{burden:.6g}", f"{visible:.6g}"])


def _record(
    results: Results,
    outlook: Outlook,
    effects: Sequence[IsoEffect],
    names: Mapping[str, str],
    options: ForecastOptions,
) -> dict[str, Any]:
    rows = [{**asdict(effect), "course": effect.course.name} for effect in effects]
    return {
        "notice": RESEARCH_NOTICE,
        "options": asdict(options),
        "clock": {
            "diffusivity [mm^2/d]": outlook.clock.diffusivity,
            "rate [1/d]": outlook.clock.rate,
            "age at the scan [d]": outlook.clock.age_days,
        },
        "isoeffect": [
            {name: None if value != value else value for name, value in effect.items()}  # JSON has no nan
            for effect in rows
        ],
        "densities": {file: dict(outlook.middle(name).sensitivity) for name, file in names.items()},
        "versions": {"gliocast": version("gliocast")},
        "inputs": {name: file_hash(results.path(name)) for name in (DENSITY, PARAMETERS)},
    }
