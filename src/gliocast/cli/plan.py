"""``gliocast plan``: target volumes from a density and a segmentation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE

if TYPE_CHECKING:
    from gliocast.pipeline import PlannedTargets
    from gliocast.planning import PlanComparison


GuidelineName = Annotated[str, typer.Option(help="estro-eano-2023, eortc-2016 or rtog (two phases).")]
CTVMargin = Annotated[
    float | None, typer.Option(help="Margin of the CTV around the GTV [mm]; the guideline's own if not given.")
]
PTVMargin = Annotated[float | None, typer.Option(help="Margin of the PTV around the CTV [mm]; 3 if not given.")]
ModelTarget = Annotated[
    str, typer.Option(help="The model's target: iso-volume (the CTV's), isodensity, fixed-volume or coverage.")
]
Value = Annotated[
    float | None,
    typer.Option(help="Density of isodensity, volume of fixed-volume [ml], share of the cells of coverage."),
]
Probability = Annotated[
    float | None, typer.Option(help="Posterior probability that coverage covers its share; 0.95 if not given.")
]
Smoothing = Annotated[
    float | None, typer.Option(help="Smooth the model's target [mm]; its volume stays.", metavar="MM")
]
Ventricles = Annotated[
    float, typer.Option(help="How far margins reach into ventricles [mm]; ESTRO-EANO 2023 allows 5.", metavar="MM")
]
Falx = Annotated[Path | None, typer.Option(help="Mask of the falx, as `run` writes it; no margin crosses it.")]
Tentorium = Annotated[Path | None, typer.Option(help="Mask of the tentorium, likewise.")]
Samples = Annotated[
    Path | None, typer.Option(help="Densities of posterior samples, as `run --keep-samples` writes; for coverage.")
]


def plan(
    density: Annotated[Path, typer.Option(help="Tumor-cell density, as `run` and `simulate` write it.")],
    seg: Annotated[Path, typer.Option(help="Tumor segmentation on the same grid.")],
    white_matter: Annotated[Path, typer.Option(help="Probability of white matter, as `run` writes it.")],
    gray_matter: Annotated[Path, typer.Option(help="Probability of gray matter.")],
    csf: Annotated[Path, typer.Option(help="Probability of cerebrospinal fluid.")],
    out: Annotated[Path, typer.Option(help="Folder for the target volumes.")] = Path("gliocast-plan"),
    labels: opt.Labels = None,
    guideline: GuidelineName = "estro-eano-2023",
    margin: CTVMargin = None,
    ptv: PTVMargin = None,
    model: ModelTarget = "iso-volume",
    value: Value = None,
    probability: Probability = None,
    smooth: Smoothing = None,
    ventricles: Ventricles = 0.0,
    falx: Falx = None,
    tentorium: Tentorium = None,
    samples: Samples = None,
    bids: opt.Bids = False,
    subject: opt.Subject = None,
    session: opt.Session = None,
    quiet: opt.Quiet = False,
) -> None:
    """Plan the guideline's target volumes and the model's."""
    from gliocast.pipeline import PlanFiles, TargetChoices, plan_to_folder

    naming, tissue = opt.naming(bids, subject, session), (white_matter, gray_matter, csf)
    files = PlanFiles(density=density, segmentation=seg, tissue=tissue, falx=falx, tentorium=tentorium, samples=samples)
    with watching(quiet=quiet) as monitor:
        choices = TargetChoices(
            guideline=guideline,
            margin_mm=margin,
            ptv_margin_mm=ptv,
            model=model,
            value=value,
            probability=probability,
            smoothing_mm=smooth,
            ventricle_mm=ventricles,
        )
        planned, comparison = plan_to_folder(out, files, choices, labels=labels, naming=naming, monitor=monitor)
    if not quiet:
        _say(planned, comparison)
        print(f"target volumes: {out.resolve()}")
        print(RESEARCH_NOTICE)


def _say(planned: "PlannedTargets", comparison: "PlanComparison") -> None:
    """Volumes, what they cover, and the shape of the model's."""
    print(
        f"{planned.standard_title} {comparison.standard_ml:.1f} ml, the model's {comparison.model_ml:.1f} ml, "
        f"overlap {comparison.overlap:.3f} (Dice)"
    )
    print(
        f"modeled tumor burden covered: standard {100 * comparison.covered_by_standard:.2f} %, "
        f"model {100 * comparison.covered_by_model:.2f} %"
    )
    choices = planned.choices
    if planned.probability is not None and choices.value is not None:
        print(
            f"the model's covers {100 * choices.value:g} % of the tumor cells with a probability of "
            f"{planned.probability:.3g} ({choices.certainty:.3g} asked for)"
        )
    shape = planned.shapes["ctv_model"]
    parts = "one part" if shape.num_components == 1 else f"{shape.num_components} parts"
    print(f"shape of the model's: {parts}, surface {shape.roughness:.2f} times that of a ball")
