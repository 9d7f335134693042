"""Options that verbs share, and the last line they print."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gliocast.core import RESEARCH_NOTICE, InputError

if TYPE_CHECKING:
    from gliocast.data import Naming
    from gliocast.pipeline import Options

Labels = Annotated[
    str | None, typer.Option(help="Label schema: brats-2021, brats-2023, brats-2024 or swapped. Guessed if not given.")
]
Margin = Annotated[float, typer.Option(help="Margin of the standard CTV around the GTV [mm].")]
Ratio = Annotated[float, typer.Option(help="Diffusivity in white over gray matter.")]
Seed = Annotated[int, typer.Option(help="Seed of the random generator.")]
Method = Annotated[
    str,
    typer.Option(
        help="How the posterior is found: laplace or morph-infer (seconds), tmcmc or npe (minutes; they resume). "
        "morph-infer-network answers without a search, morph-infer-tmcmc samples from the network's answer on."
    ),
]
Growth = Annotated[str, typer.Option(help="Growth equation: fisher-kolmogorov, or mass-effect (minutes).")]
Pressure = Annotated[float, typer.Option(help="Pressure of the tumor on tissue [kPa], with mass effect.")]
Samples = Annotated[
    int | None, typer.Option(help="Posterior samples; of tmcmc in every stage. The method's own number if not given.")
]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Go on with what an interrupted run of the same kept, or drop it.")
]
KeepTo = Annotated[
    bool, typer.Option("--barriers/--no-barriers", help="Margins keep to falx and tentorium, as the atlas gives them.")
]
Densities = Annotated[
    int | None,
    typer.Option(help="Posterior samples whose densities are grown, for maps and coverage; 48 if not given."),
]
KeepSamples = Annotated[
    bool, typer.Option("--keep-samples", help="Write the densities of the posterior samples, for `plan --samples`.")
]
Mirrored = Annotated[
    bool,
    typer.Option("--mirrored/--plain", help="Look at left and right exchanged, too, and average: twice the time."),
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda; by default a GPU where there is one.")]
SegmentationWeights = Annotated[
    Path | None, typer.Option("--weights", help="Weights of the network; by default those that come with gliocast.")
]
KeepIdentity = Annotated[
    bool, typer.Option("--keep-identity", help="Copy the patient's name and identifiers and the study's dates.")
]
Bids = Annotated[
    bool, typer.Option("--bids", help="Make the output folder a BIDS derivatives dataset, or add to one that it is.")
]
Subject = Annotated[
    str | None,
    typer.Option(
        help="With --bids, label of the subject; that of the scans if they are named as BIDS has it, else 01, once.",
        metavar="LABEL",
    ),
]
Session = Annotated[
    str | None, typer.Option(help="With --bids, label of the session; that of the scans, if any.", metavar="LABEL")
]
Forecasts = Annotated[
    bool,
    typer.Option("--forecast/--no-forecast", help="The report looks ahead, untreated and under treatment (seconds)."),
]
Speed = Annotated[
    float, typer.Option(help="Speed of the front [mm/d], which one scan doesn't tell; 0.02 to 0.5 is typical.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and WARNINGs.")]


def require_unused(context: typer.Context, *names: str, beside: str) -> None:
    """Raise InputError where an option is given that nothing would read.

    Args:
        context: of the command.
        names: of its parameters.
        beside: what it stands beside, as on the command line.
    """
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise InputError(
                f"--{name.replace('_', '-')}",
                expected=f"none beside {beside}",
                got=f"{context.params[name]}",
                advice="leave one of them out",
            )


def run_options(context: typer.Context) -> "Options":
    """What a run is asked for, by the parameters of its command, which are called as the fields are but for four."""
    from gliocast.pipeline import Options

    growth = context.params["growth"]
    if growth != "mass-effect":
        require_unused(context, "pressure", beside=f"--growth {growth}")
    if not context.params["forecast"]:
        require_unused(context, "speed", beside="--no-forecast")
    renamed = {
        "margin": "margin_mm",
        "pressure": "tumor_pressure",
        "samples": "num_samples",
        "densities": "num_densities",
    }
    given = {renamed.get(name, name): value for name, value in context.params.items()}
    return Options(**{entry.name: given[entry.name] for entry in fields(Options)})


def naming(bids: bool, subject: str | None, session: str | None) -> "Naming | None":
    """How results are named, None for gliocast's own names; labels that can't be used are refused."""
    from gliocast.data import Naming

    given = [name for name, label in (("--subject", subject), ("--session", session)) if label is not None]
    if given and not bids:
        raise InputError("options", expected=f"{given[0]} with --bids alone", got="none", advice="add --bids")
    return Naming(subject, session) if bids else None


def say_where(out: Path, *, quiet: bool, page: Path | None = None) -> None:
    """Tell where the report is: in its folder by its plain name unless a page is named."""
    from gliocast.data.results import PAGE

    if not quiet:
        print(f"report: {(page or out / PAGE).resolve()}")
        print(RESEARCH_NOTICE)
