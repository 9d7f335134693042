"""``gliocast report``: the report again, from the results of a run."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching


def report(
    results: Annotated[
        Path, typer.Argument(help="Folder that `run` or `demo` wrote; the scans aren't needed.", show_default=False)
    ],
    quiet: opt.Quiet = False,
) -> None:
    """Make report.html and its figures again from saved results."""
    from gliocast.pipeline import remake_report

    with watching(quiet=quiet) as monitor:
        monitor.begin("report")
        page = remake_report(results)
    opt.say_where(results, quiet=quiet, page=page)
