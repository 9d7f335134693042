"""Entry point: the verbs, and errors as one line with an exit code."""

import os
import signal
import sys
import traceback
from types import FrameType

import typer

from gliocast import __version__
from gliocast.cli.cohort import app as cohort_app
from gliocast.cli.convert import convert
from gliocast.cli.demo import demo
from gliocast.cli.evaluate import app as evaluate_app
from gliocast.cli.export import app as export_app
from gliocast.cli.fit_volumes import fit_volumes
from gliocast.cli.forecast import forecast
from gliocast.cli.plan import plan
from gliocast.cli.report import report
from gliocast.cli.run import run
from gliocast.cli.segment import segment
from gliocast.cli.simulate import SeveralSeeds, simulate
from gliocast.cli.train import app as train_app
from gliocast.core.errors import ConvergenceError, GliocastError, InputError, QualityError

#: Exit codes by kind of error; anything else that goes wrong is 1, a fault of gliocast's own.
EXIT_CODES: dict[type[GliocastError], int] = {InputError: 2, QualityError: 3, ConvergenceError: 4}
INTERNAL, INTERRUPTED = 1, 130

app = typer.Typer(
    help="From a glioma patient's MRI to the tumor that the MRI cannot show. For research only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # units in brackets are no markup
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(demo)
app.command()(report)
app.command(cls=SeveralSeeds)(simulate)
app.command()(segment)
app.command()(plan)
app.command()(forecast)
app.command()(fit_volumes)
app.command()(convert)
app.add_typer(train_app, name="train")
app.add_typer(cohort_app, name="cohort")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(export_app, name="export")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"gliocast {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the verb."""


def main() -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, _terminate)  # so that half-written output is cleaned up
    try:
        app()
    except GliocastError as error:
        code = next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), INTERNAL)
        print(f"gliocast: {error}", file=sys.stderr)
        sys.exit(code)
    except (KeyboardInterrupt, SystemExit) as ending:  # typer turns the one into the other, and says nothing
        if isinstance(ending, SystemExit) and ending.code != INTERRUPTED:
            raise
        print("gliocast: interrupted; no result was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("GLIOCAST_DEBUG"):
            traceback.print_exc()
        reason = " ".join(str(error).split()) or "no message"
        print(
            f"gliocast: internal error, {type(error).__name__}: {reason}; "
            "nothing was written; set GLIOCAST_DEBUG=1 for the traceback and report it",
            file=sys.stderr,
        )
        sys.exit(INTERNAL)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
