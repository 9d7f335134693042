"""``gliocast cohort``: many patients, real or digital."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Many patients: run, report, simulate.")


@app.callback()
def _group() -> None:
    """Many patients: run, report, simulate."""


@app.command("run")
def run(
    context: typer.Context,
    cohort: Annotated[
        Path,
        typer.Argument(
            help="Folder of patients (a folder each with scans, or with visits) or BIDS dataset.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results, one folder for each patient.")],
    visit: Annotated[int, typer.Option(help="Visit that is fitted, counted from 0 by name.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes; each takes some 3 GB of memory.")] = 1,
    labels: opt.Labels = None,
    margin: opt.Margin = 15.0,
    diffusivity_ratio: opt.Ratio = 10.0,
    growth: opt.Growth = "fisher-kolmogorov",
    pressure: opt.Pressure = 10.0,
    method: opt.Method = "laplace",
    samples: opt.Samples = None,
    seed: opt.Seed = 0,
    resume: opt.Resume = True,
    barriers: opt.KeepTo = True,
    densities: opt.Densities = None,
    keep_samples: opt.KeepSamples = False,
    forecast: opt.Forecasts = True,
    speed: opt.Speed = 0.1,
    quiet: opt.Quiet = False,
) -> None:
    """Do what `gliocast run` does for every patient of a folder, and report on all of them.

    Who fails doesn't stop the others. The same command goes on where it was, and tries again who failed; with --fresh
    everybody is run again.
    """
    from gliocast.pipeline.run_cohort import run_cohort

    with watching(quiet=quiet) as watcher:
        found = run_cohort(
            cohort,
            out,
            options=opt.run_options(context),
            labels=labels,
            visit=visit,
            num_workers=workers,
            guard=give_back,
            monitor=watcher,
        )
    _say_tally(found.tally, out, quiet=quiet)


@app.command("report")
def report(
    results: Annotated[
        Path, typer.Argument(help="Folder whose folders `run` or `cohort run` wrote.", show_default=False)
    ],
    quiet: opt.Quiet = False,
) -> None:
    """Make cohort.tsv and cohort.html of what runs wrote: who has no result, verdicts, numbers, distributions."""
    from gliocast.pipeline.cohort_report import report_cohort

    with watching(quiet=quiet) as watcher:
        found = report_cohort(results, monitor=watcher)
    _say_tally(found.tally, results, quiet=quiet)


def give_back(work: Callable[[], None]) -> Exception | None:
    """Do some work and give back whatever it raises, so that a fault with one patient doesn't stop the others."""
    try:
        work()
    except Exception as error:
        if os.environ.get("GLIOCAST_DEBUG"):
            traceback.print_exc()
        return error
    return None


def _say_tally(tally: str, out: Path, *, quiet: bool) -> None:
    if not quiet:
        print(tally)
        print(f"report: {(out / 'cohort.html').resolve()}")
        print(RESEARCH_NOTICE)


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
