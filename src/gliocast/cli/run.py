"""``gliocast run``: a patient's scans to density, target volumes and report."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import MODALITIES, InputError


def run(
    context: typer.Context,
    patient: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with t1, t1c, t2, flair and perhaps seg (plain, BraTS or BIDS names).", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("gliocast-report"),
    t1: Annotated[Path | None, typer.Option(help="T1, skull-stripped, instead of a folder.")] = None,
    t1c: Annotated[Path | None, typer.Option(help="T1 with contrast agent.")] = None,
    t2: Annotated[Path | None, typer.Option(help="T2.")] = None,
    flair: Annotated[Path | None, typer.Option(help="FLAIR.")] = None,
    seg: Annotated[
        Path | None, typer.Option(help="Tumor segmentation; the network makes one if there is none.")
    ] = None,
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
    bids: opt.Bids = False,
    subject: opt.Subject = None,
    session: opt.Session = None,
    quiet: opt.Quiet = False,
) -> None:
    """Personalize the growth model to a patient and plan a target volume."""
    from gliocast.data import describe, require_room
    from gliocast.pipeline import Stopwatch, report_page, run
    from gliocast.pipeline.open_patient import open_patient, scan_files

    naming = opt.naming(bids, subject, session)
    choices = opt.run_options(context)
    files = {"t1": t1, "t1c": t1c, "t2": t2, "flair": flair, "seg": seg}
    given = {name: path for name, path in files.items() if path is not None}
    with watching(quiet=quiet) as watcher:
        monitor = Stopwatch(watcher)
        _require_folder_or_files(patient, given)
        if naming is not None:
            require_room(out, naming.of(scan_files(patient, given).values()))
        person = open_patient(patient, given, labels=labels, monitor=monitor)
        for line in (*describe(person), *(f"warning: {warning}" for warning in person.warnings)):
            monitor.note(line)
        run(person, out, options=choices, naming=naming, monitor=monitor)
    opt.say_where(out, quiet=quiet, page=report_page(person, out, naming))


def _require_folder_or_files(patient: Path | None, given: dict[str, Path]) -> None:
    absent = [name for name in MODALITIES if name not in given]
    if (patient is not None) == bool(given) or (patient is None and absent):
        raise InputError(
            "patient",
            expected="a folder, or all of --t1 --t1c --t2 --flair, with or without --seg",
            got="both" if patient is not None else "no " + ", ".join(f"--{name}" for name in absent),
            advice="give one or the other",
        )
