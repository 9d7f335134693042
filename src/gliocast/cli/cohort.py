"""``gliocast cohort``: digital patients."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make digital patients.")


@app.callback()
def _group() -> None:
    """Make digital patients."""


@app.command("simulate")
def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the cohort.")],
    patients: Annotated[int, typer.Option(help="How many.")] = 10,
    visits: Annotated[int, typer.Option(help="Scans of each patient; several are named as in BraTS-GLI.")] = 1,
    growth: Annotated[str, typer.Option(help="Growth equation: fisher-kolmogorov, mass-effect or mixed.")] = "mixed",
    care: Annotated[
        str, typer.Option(help="After the first scan: standard (surgery, radiotherapy, temozolomide), none or mixed.")
    ] = "mixed",
    pet: Annotated[bool, typer.Option("--pet", help="FET-PET with every visit.")] = False,
    beside: Annotated[
        list[Path] | None, typer.Option(help="Folder of a real patient for the contact sheet; as often as needed.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes (or jobs of a cluster); by default one for each core.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, or slurm; see docs/cohort.md.")
    ] = None,
    seed: opt.Seed = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Make digital patients with known tumors: MRI, segmentation, outcome, and the truth beside them.

    Stopped at any moment, the same command goes on where it was; with more patients, those that are there stay.
    """
    from gliocast.cohort.synthetic import CohortLaw
    from gliocast.pipeline.simulate_cohort import simulate_cohort

    law = CohortLaw(seed=seed, growth=growth, num_visits=visits, care=care, pet=pet)  # type: ignore[arg-type]
    with watching(quiet=quiet) as watcher:
        folders = simulate_cohort(
            out, patients, law, num_workers=workers, scheduler=scheduler, beside=beside or (), monitor=watcher
        )
    if not quiet:
        print(f"cohort: {len(folders)} digital patients in {out.resolve()}")
        print(RESEARCH_NOTICE)
