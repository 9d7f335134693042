"""``gliocast plan``: target volumes from a density and a segmentation."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE


def plan(
    density: Annotated[Path, typer.Option(help="Tumor-cell density, as `run` and `simulate` write it.")],
    seg: Annotated[Path, typer.Option(help="Tumor segmentation on the same grid.")],
    white_matter: Annotated[Path, typer.Option(help="Probability of white matter, as `run` writes it.")],
    gray_matter: Annotated[Path, typer.Option(help="Probability of gray matter.")],
    csf: Annotated[Path, typer.Option(help="Probability of cerebrospinal fluid.")],
    out: Annotated[Path, typer.Option(help="Folder for the target volumes.")] = Path("gliocast-plan"),
    labels: opt.Labels = None,
    margin: opt.Margin = 15.0,
    quiet: opt.Quiet = False,
) -> None:
    """Plan the standard CTV and the model's of exactly the same volume."""
    from gliocast.pipeline import plan_to_folder

    with watching(quiet=quiet) as monitor:
        comparison = plan_to_folder(
            out,
            density=density,
            segmentation=seg,
            tissue=(white_matter, gray_matter, csf),
            labels=labels,
            margin_mm=margin,
            monitor=monitor,
        )
    if not quiet:
        print(f"CTV {comparison.standard_ml:.1f} ml, standard and model overlap {comparison.overlap:.3f} (Dice)")
        print(
            f"expected tumor burden covered: standard {100 * comparison.covered_by_standard:.2f} %, "
            f"model {100 * comparison.covered_by_model:.2f} %"
        )
        print(f"target volumes: {out.resolve()}")
        print(RESEARCH_NOTICE)
