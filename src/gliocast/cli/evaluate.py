"""``gliocast evaluate``: how good a network or a plan is on patients whose answer is known."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure a network, or plans.")


@app.callback()
def _group() -> None:
    """Measure a network, or plans."""


@app.command("segmentation")
def segmentation(
    data: Annotated[Path, typer.Argument(help="Folder of patients with segmentations, as BraTS or BIDS has them.")],
    out: Annotated[Path | None, typer.Option(help="Folder for segmentations, figures and pictures.")] = None,
    found: Annotated[
        Path | None,
        typer.Option(help="Folder with a segmentation of every patient, to measure instead of the network."),
    ] = None,
    labels: opt.Labels = None,
    mirrored: opt.Mirrored = True,
    weights: opt.SegmentationWeights = None,
    device: opt.Device = None,
    quiet: opt.Quiet = False,
) -> None:
    """Segment patients whose segmentation is known, and compare: Dice, IoU and HD95, with bootstrap intervals."""
    from gliocast.pipeline.evaluate_segmentation import evaluate_segmentation
    from gliocast.pipeline.segment import SegmentOptions

    options = SegmentOptions(weights=weights, mirrored=mirrored, device=device)
    with watching(quiet=quiet) as watcher:
        evaluation = evaluate_segmentation(data, found=found, options=options, labels=labels, out=out, monitor=watcher)
    print(f"{len(evaluation.patients)} patients, mean and 95 % bootstrap interval\n")
    print(evaluation.table())
    if evaluation.components is not None:
        parts = evaluation.components
        print(
            f"\nbottleneck: PC1 {parts.explained[0]:.1%} of the variance, {parts.num_components()} for 98 %, "
            f"norm of the mean {parts.mean_norm:.3g}, spread {parts.mean_spread:.3g}"
        )


@app.command("plans")
def plans(
    context: typer.Context,
    cohort: Annotated[Path, typer.Argument(help="Folder of patients with visits, or with *_recurrence.nii.gz files.")],
    out: Annotated[Path, typer.Option(help="Folder for densities, tables and the picture.")],
    protocol: Annotated[
        str, typer.Option(help="How plans are made: guideline, or published (core + 15 voxels in the brain mask).")
    ] = "guideline",
    margin: opt.Margin = 15.0,
    method: opt.Method = "morph-infer-network",
    growth: opt.Growth = "fisher-kolmogorov",
    pressure: opt.Pressure = 10.0,
    density: Annotated[
        str | None, typer.Option(help="Name of a density in the folder of each planning visit, instead of a fit.")
    ] = None,
    density_folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder with <patient>.nii.gz, or with what `run` wrote of each <patient>, instead of a fit."
        ),
    ] = None,
    truth: Annotated[
        bool, typer.Option("--truth", help="Plan on the true density of digital patients: an upper bound.")
    ] = False,
    planning_visit: Annotated[int, typer.Option(help="Visit that is planned on, counted from 0.")] = 0,
    recurrence_visit: Annotated[
        int | None,
        typer.Option(help="Visit that shows the recurrence, counted from 0; by default a recurrence file or the last."),
    ] = None,
    labels: opt.Labels = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    seed: opt.Seed = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Compare what plans of one volume cover of recurrences: guideline, distance, edema and model."""
    from gliocast.pipeline import Options
    from gliocast.pipeline.evaluate_plans import PlanEvaluationOptions, evaluate_plans
    from gliocast.pipeline.plan_density import DensitySource

    if density is not None or density_folder is not None or truth:
        opt.require_unused(
            context, "method", "growth", "pressure", "seed", beside="--density, --density-folder or --truth"
        )
    elif growth != "mass-effect":
        opt.require_unused(context, "pressure", beside=f"--growth {growth}")
    fit = Options(method=method, growth=growth, tumor_pressure=pressure, seed=seed)
    options = PlanEvaluationOptions(
        protocol=protocol,  # type: ignore[arg-type]
        margin_mm=margin,
        source=DensitySource(fit, density, density_folder, truth),
        planning_visit=planning_visit,
        recurrence_visit=recurrence_visit,
        labels=labels,
    )
    with watching(quiet=quiet) as watcher:
        evaluation = evaluate_plans(cohort, out, options=options, num_workers=workers, monitor=watcher)
    print((out / "table.md").read_text(encoding="utf-8"), end="")
    if evaluation.left_out and not quiet:
        print("\nleft out:")
        for name, reason in evaluation.left_out.items():
            print(f"- {name}: {reason}")
