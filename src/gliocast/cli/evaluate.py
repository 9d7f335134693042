"""``gliocast evaluate``: how good a network is on patients whose answer is known."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure a network.")


@app.callback()
def _group() -> None:
    """Measure a network."""


@app.command("segmentation")
def segmentation(
    data: Annotated[Path, typer.Argument(help="Folder of patients with segmentations, as BraTS has them.")],
    out: Annotated[Path | None, typer.Option(help="Folder for segmentations, figures and pictures.")] = None,
    found: Annotated[
        Path | None,
        typer.Option(help="Folder with a segmentation of every patient, to measure instead of the network."),
    ] = None,
    labels: opt.Labels = None,
    mirrored: opt.Mirrored = False,
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
