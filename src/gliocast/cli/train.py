"""``gliocast train``: networks from simulations."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train a network.")


@app.command("morph-infer")
def morph_infer(
    out: Annotated[Path, typer.Option(help="Folder for tumors, checkpoint, log and weights.")],
    model: Annotated[
        str, typer.Option(help="Growth equation: fisher-kolmogorov or mass-effect.")
    ] = "fisher-kolmogorov",
    tumors: Annotated[int, typer.Option(help="Training tumors to simulate.")] = 8160,
    validation: Annotated[int, typer.Option(help="Tumors that are held back to validate on.")] = 512,
    steps: Annotated[int, typer.Option(help="Steps of the optimizer.")] = 4000,
    batch: Annotated[int, typer.Option(help="Examples in a step.")] = 32,
    channels: Annotated[int, typer.Option(help="Channels of every convolution; 64 in the paper.")] = 32,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    parametrization: Annotated[
        str, typer.Option(help="What is answered: time-independent, printed or time-dependent.")
    ] = "time-independent",
    start: Annotated[Path | None, typer.Option(help="Weights to begin from.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that simulate; by default one for each core.")] = None,
    seed: opt.Seed = 10,
    quiet: opt.Quiet = False,
) -> None:
    """Learn to read growth off two outlines: simulate tumors in the atlas, train on them, write the weights.

    Stopped at any moment, the same command goes on where it was.
    """
    from gliocast.pipeline.train_morph_infer import MorphInferTraining, TrainOptions, train_morph_infer

    training = MorphInferTraining(
        model=model,
        parametrization=parametrization,
        num_tumors=tumors,
        num_validation=validation,
        seed=seed,
        batch_size=batch,
        channels=channels,
        optimization=TrainOptions(num_steps=steps, learning_rate=rate),
        start=start,
    )
    with watching(quiet=quiet) as watcher:
        weights = train_morph_infer(training, out, monitor=watcher, num_workers=workers)
    if not quiet:
        print(f"weights: {weights.resolve()}")


@app.command("references")
def references(
    out: Annotated[Path, typer.Option(help="Folder for impressions, checkpoints, logs and weights.")],
    courses: Annotated[
        int, typer.Option(help="Growths to learn from, for each look; one gives some four tumors.")
    ] = 2400,
    validation: Annotated[int, typer.Option(help="Growths that are held back to validate on.")] = 96,
    steps: Annotated[int, typer.Option(help="Steps of the optimizer, for each look.")] = 4000,
    workers: Annotated[int | None, typer.Option(help="Processes that simulate; by default one for each core.")] = None,
    seed: opt.Seed = 10,
    quiet: opt.Quiet = False,
) -> None:
    """Learn to read growth off what reference tumors say of two outlines: simulate in the atlas, train, write weights.

    Stopped at any moment, the same command goes on where it was.
    """
    from gliocast.pipeline.train_references import ReferencesTraining, train_references

    training = ReferencesTraining(
        num_courses=courses,
        num_validation=validation,
        seed=seed,
    )
    training = replace(training, optimization=replace(training.optimization, num_steps=steps))
    with watching(quiet=quiet) as watcher:
        weights = train_references(training, out, monitor=watcher, num_workers=workers)
    if not quiet:
        print(f"weights: {weights.resolve()}")


@app.command("segmentation")
def segmentation(
    data: Annotated[
        Path, typer.Argument(help="Folder of patients, as BraTS, BIDS or gliocast cohort simulate lay them out.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for examples, checkpoint, log and weights.")],
    size: Annotated[
        str, typer.Option(help="Network and recipe: printed (the paper's), deeper, or small, for two cores.")
    ] = "small",
    steps: Annotated[int | None, typer.Option(help="Steps of the optimizer; by default the recipe's.")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Folder of other patients to validate on; by default a fifth is held back.")
    ] = None,
    healthy: Annotated[bool, typer.Option("--healthy", help="Healthy brain is a class of its own (label 5).")] = False,
    labels: opt.Labels = None,
    device: opt.Device = None,
    workers: Annotated[int | None, typer.Option(help="Processes that read; by default one for each core.")] = None,
    seed: opt.Seed = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Learn to segment tumors: read patients, train the U-Net, write the weights. Under torchrun, too.

    Stopped at any moment, the same command goes on where it was.
    """
    from gliocast.pipeline.train_segmentation import train_segmentation
    from gliocast.segmentation.recipe import SegmentationTraining
    from gliocast.train import open_runtime

    training = replace(SegmentationTraining.of_size(size), seed=seed)
    if steps is not None:
        optimization = replace(training.optimization, num_steps=steps)
        training = replace(training, epochs=0, optimization=optimization)
    if healthy:
        training = training.with_brain()
    with open_runtime(device) as runtime, watching(quiet=quiet or not runtime.is_first) as watcher:
        weights = train_segmentation(
            training,
            data,
            out,
            validation=validation,
            labels=labels,
            monitor=watcher,
            num_workers=workers,
            runtime=runtime,
        )
    if not quiet and runtime.is_first:
        print(f"weights: {weights.resolve()}")
