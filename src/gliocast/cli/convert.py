"""``gliocast convert``: a DICOM series to NIfTI."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching


def convert(
    series: Annotated[Path, typer.Argument(help="Folder with the DICOM files of one MR or CT series.")],
    out: Annotated[
        Path, typer.Option(help="File for the scan, .nii.gz; a sidecar, .json, is written beside it.")
    ] = Path("scan.nii.gz"),
    keep_identity: opt.KeepIdentity = False,
    quiet: opt.Quiet = False,
) -> None:
    """Convert a DICOM series to NIfTI, checked slice by slice."""
    from gliocast.pipeline.convert import convert_series, sidecar_path

    with watching(quiet=quiet) as monitor:
        found = convert_series(series, out, keep_identity=keep_identity, monitor=monitor)
    if not quiet:
        print(f"scan: {out.resolve()} ({found.modality}, {found.grid})")
        print(f"sidecar: {sidecar_path(out).resolve()}")
