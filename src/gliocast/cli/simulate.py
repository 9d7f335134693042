"""``gliocast simulate``: grow a tumor in given tissue maps, or in the atlas."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE


def simulate(
    out: Annotated[Path, typer.Option(help="Density to write, .nii.gz.")],
    seed: Annotated[tuple[float, float, float], typer.Option(help="Where growth begins: x y z [mm, RAS world].")],
    diffusivity: Annotated[float, typer.Option(help="White-matter diffusivity D_w [mm^2/d].")] = 0.10,
    proliferation_rate: Annotated[float, typer.Option(help="Proliferation rate rho [1/d].")] = 0.024,
    days: Annotated[float, typer.Option(help="Time of growth [d].")] = 400.0,
    white_matter: Annotated[Path | None, typer.Option(help="Probability of white matter; the atlas if absent.")] = None,
    gray_matter: Annotated[Path | None, typer.Option(help="Probability of gray matter.")] = None,
    diffusivity_ratio: opt.Ratio = 10.0,
    quiet: opt.Quiet = False,
) -> None:
    """Grow a tumor by the Fisher-Kolmogorov equation."""
    from gliocast.pipeline import grow_to_file

    with watching(quiet=quiet) as monitor:
        grow_to_file(
            out,
            values=(diffusivity, proliferation_rate, *seed),
            days=days,
            white_matter=white_matter,
            gray_matter=gray_matter,
            diffusivity_ratio=diffusivity_ratio,
            monitor=monitor,
        )
    if not quiet:
        print(f"density: {out.resolve()}")
        print(RESEARCH_NOTICE)
