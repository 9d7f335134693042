"""``gliocast segment``: a patient's scans to the tumor in them."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE


def segment(
    patient: Annotated[Path, typer.Argument(help="Folder with t1, t1c, t2 and flair (plain, BraTS or BIDS names).")],
    out: Annotated[Path, typer.Option(help="File for the labels, .nii.gz; with --bids folder of the dataset.")] = Path(
        "seg.nii.gz"
    ),
    labels: Annotated[
        str, typer.Option(help="Label schema to write: brats-2021, brats-2023, brats-2024 or swapped.")
    ] = "brats-2021",
    mirrored: opt.Mirrored = True,
    weights: opt.SegmentationWeights = None,
    device: opt.Device = None,
    bids: opt.Bids = False,
    subject: opt.Subject = None,
    session: opt.Session = None,
    quiet: opt.Quiet = False,
) -> None:
    """Segment the tumor in a patient's scans: necrosis, edema and enhancing tumor, on their grid."""
    from gliocast.pipeline.segment import SegmentOptions, segment_to_dataset, segment_to_file

    naming = opt.naming(bids, subject, session)
    options = SegmentOptions(weights=weights, mirrored=mirrored, labels=labels, device=device)
    with watching(quiet=quiet) as watcher:
        if naming is None:
            found, path = segment_to_file(patient, out, options=options, monitor=watcher), out
        else:
            found, path = segment_to_dataset(patient, out, naming, options=options, monitor=watcher)
    if not quiet:
        from gliocast.core.grid import MM3_PER_ML

        volumes = found.volumes()
        written = ", ".join(
            f"{name} {volumes[name] / MM3_PER_ML:.1f} ml" for name in ("necrosis", "edema", "enhancing")
        )
        print(f"segmentation: {path.resolve()} ({written})")
        print(RESEARCH_NOTICE)
