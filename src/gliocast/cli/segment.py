"""``gliocast segment``: a patient's scans to the tumor in them."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE


def segment(
    patient: Annotated[Path, typer.Argument(help="Folder with t1, t1c, t2 and flair (plain or BraTS names).")],
    out: Annotated[Path, typer.Option(help="File for the labels, .nii.gz.")] = Path("seg.nii.gz"),
    labels: Annotated[
        str, typer.Option(help="Label schema to write: brats-2021, brats-2023, brats-2024 or swapped.")
    ] = "brats-2021",
    mirrored: opt.Mirrored = True,
    weights: opt.SegmentationWeights = None,
    device: opt.Device = None,
    quiet: opt.Quiet = False,
) -> None:
    """Segment the tumor in a patient's scans: necrosis, edema and enhancing tumor, on their grid."""
    from gliocast.pipeline.segment import SegmentOptions, segment_to_file

    options = SegmentOptions(weights=weights, mirrored=mirrored, labels=labels, device=device)
    with watching(quiet=quiet) as watcher:
        found = segment_to_file(patient, out, options=options, monitor=watcher)
    if not quiet:
        volumes = found.volumes()
        written = ", ".join(f"{name} {volumes[name] / 1000:.1f} ml" for name in ("necrosis", "edema", "enhancing"))
        print(f"segmentation: {out.resolve()} ({written})")
        print(RESEARCH_NOTICE)
