"""Options that verbs share, and the last line they print."""

from pathlib import Path
from typing import Annotated

import typer

from gliocast.core import RESEARCH_NOTICE

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
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def say_where(out: Path, *, quiet: bool) -> None:
    """Tell where the report is."""
    if not quiet:
        print(f"report: {(out / 'report.html').resolve()}")
        print(RESEARCH_NOTICE)
