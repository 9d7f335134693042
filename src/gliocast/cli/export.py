"""``gliocast export``: targets and density to DICOM objects on the series that is planned on."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write results as DICOM.")

Plan = Annotated[Path, typer.Argument(help="Folder that `plan` or `run` wrote.")]
Planning = Annotated[Path, typer.Option(help="Folder with the DICOM files of the series to plan on.")]
PlannedOn = Annotated[
    Path | None,
    typer.Option(
        help="Sidecar, as `convert` writes it, of the scan that was planned on where that isn't the series: what was "
        "planned is interpolated if both share a frame of reference."
    ),
]

OtherScan = Annotated[
    bool,
    typer.Option(
        "--other-scan",
        help="The series is none of the scans that were planned on (a CT, say), but shows that patient in that place.",
    ),
]


@app.callback()
def _group() -> None:
    """Write results as DICOM."""


@app.command("rtstruct")
def rtstruct(
    plan: Plan,
    series: Planning,
    out: Annotated[Path, typer.Option(help="File for the structure set, .dcm.")] = Path("plan.dcm"),
    planned_on: PlannedOn = None,
    keep_identity: opt.KeepIdentity = False,
    other_scan: OtherScan = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write the target volumes as an RT Structure Set, unapproved and labeled as research."""
    from gliocast.pipeline.export import Export, export_rtstruct

    with watching(quiet=quiet) as monitor:
        drawn = export_rtstruct(Export(plan, series, out, planned_on, keep_identity, other_scan, monitor))
    if not quiet:
        for structure in drawn:
            print(
                f"{structure.name}: {structure.contour_ml:.1f} ml, "
                f"{structure.num_contours} contours in {structure.num_slices} slices"
            )
        print(f"structure set: {out.resolve()}")
        print(RESEARCH_NOTICE)


@app.command("seg")
def seg(
    plan: Plan,
    series: Planning,
    out: Annotated[Path, typer.Option(help="File for the segmentation, .dcm.")] = Path("targets.dcm"),
    planned_on: PlannedOn = None,
    keep_identity: opt.KeepIdentity = False,
    other_scan: OtherScan = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write the target volumes as a DICOM Segmentation (needs gliocast[dicom])."""
    from gliocast.pipeline.export import Export, export_segmentation

    with watching(quiet=quiet) as monitor:
        names = export_segmentation(Export(plan, series, out, planned_on, keep_identity, other_scan, monitor))
    if not quiet:
        print(f"segmentation: {out.resolve()} ({', '.join(names)})")
        print(RESEARCH_NOTICE)


@app.command("density")
def density(
    plan: Annotated[Path, typer.Argument(help="Folder with density.nii.gz, as `run` writes it.")],
    series: Planning,
    out: Annotated[Path, typer.Option(help="File for the map, .dcm.")] = Path("density.dcm"),
    planned_on: PlannedOn = None,
    keep_identity: opt.KeepIdentity = False,
    other_scan: OtherScan = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write the tumor-cell density as a DICOM Parametric Map (needs gliocast[dicom])."""
    from gliocast.pipeline.export import Export, export_density

    with watching(quiet=quiet) as monitor:
        export_density(Export(plan, series, out, planned_on, keep_identity, other_scan, monitor))
    if not quiet:
        print(f"density: {out.resolve()}")
        print(RESEARCH_NOTICE)
