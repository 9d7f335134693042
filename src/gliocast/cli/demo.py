"""``gliocast demo``: a synthetic patient, made and recovered on the spot."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo-report"),
    margin: opt.Margin = 15.0,
    method: opt.Method = "laplace",
    samples: opt.Samples = None,
    seed: opt.Seed = 0,
    resume: opt.Resume = True,
    quiet: opt.Quiet = False,
) -> None:
    """Grow a tumor in the MNI152 brain, render its MRI, forget the truth and recover it."""
    import numpy as np

    from gliocast.cohort import Truth, make_digital_patient
    from gliocast.data.atlas import load_mni152
    from gliocast.pipeline import Options, Stopwatch, agreement, run_demo

    choices = Options(margin_mm=margin, seed=seed, method=method, num_samples=samples, resume=resume)
    with watching(quiet=quiet) as watcher:
        monitor = Stopwatch(watcher)
        monitor.begin("patient")
        digital = make_digital_patient(load_mni152(), Truth(), np.random.default_rng(seed))
        monitor.note("a synthetic patient: MNI152 anatomy, Fisher-Kolmogorov growth, rendered T1, T1c, T2 and FLAIR")
        findings = run_demo(digital, out, options=choices, monitor=monitor)
        for name, value in agreement(findings, digital).items():
            monitor.note(f"{name}: {value:.3f}")
    opt.say_where(out, quiet=quiet)
