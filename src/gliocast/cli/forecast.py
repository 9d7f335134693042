"""``gliocast forecast``: what may come after the scan, untreated and under treatment."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE


def forecast(
    results: Annotated[Path, typer.Argument(help="Folder that `gliocast run` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for tables, densities and the picture.")] = Path(
        "gliocast-forecast"
    ),
    speed: opt.Speed = 0.1,
    days: Annotated[
        list[float] | None, typer.Option(help="Day after the scan to look at; as often as needed.", show_default=False)
    ] = None,
    target: Annotated[
        str, typer.Option(help="What radiation aims at in the scenarios: ctv_standard or ctv_model.")
    ] = "ctv_standard",
    alpha: Annotated[
        list[float] | None,
        typer.Option(help="Radiosensitivity [1/Gy]; as often as needed. By default 0.03, 0.065 and 0.14."),
    ] = None,
    spacing: Annotated[
        float | None,
        typer.Option(help="About how wide voxels are that growth is solved on [mm]; the scan's own if not given."),
    ] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Grow on from a fitted scan: no treatment, resection, 60 Gy in 30, 40 Gy in 15, temozolomide, all of it."""
    from gliocast.pipeline.forecast import forecast_to_folder
    from gliocast.pipeline.look_ahead import ForecastOptions

    defaults = ForecastOptions()
    options = ForecastOptions(
        speed=speed,
        days=tuple(days) if days else defaults.days,
        target=target,
        alphas=tuple(alpha) if alpha else defaults.alphas,
        spacing=spacing,
    )
    with watching(quiet=quiet) as watcher:
        outlook = forecast_to_folder(results, out, options=options, monitor=watcher)
    if not quiet:
        clock, last = outlook.clock, options.days[-1]
        print(
            f"at {speed:g} mm/d: D_w {clock.diffusivity:.3g} mm^2/d, rho {clock.rate:.3g} /d, "
            f"age {clock.age_days:.0f} d at the scan"
        )
        for each in outlook.forecasts:
            assumed = ", ".join(f"{symbol} {value:g}" for symbol, value in each.sensitivity.items())
            name = each.name + (f" ({assumed})" if assumed else "")
            print(f"{name}: burden {each.burden_ml[0]:.1f} ml, {each.burden_ml[-1]:.3g} ml after {last:g} d")
        print(f"forecast: {out.resolve()}")
        print(RESEARCH_NOTICE)
