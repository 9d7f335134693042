"""``gliocast simulate``: grow a tumor in given tissue maps, or in the atlas."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE

if TYPE_CHECKING:
    from gliocast.core import Density

_SEED = "--seed"


@dataclass(frozen=True)
class Place:
    """World coordinates [mm, RAS] as they were typed."""

    x: float
    y: float
    z: float

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Three numbers with blanks or commas between them."""
        try:
            x, y, z = (float(part) for part in text.replace(",", " ").split())
        except ValueError:
            raise typer.BadParameter(f"'{text}' is not three numbers x y z.") from None
        return cls(x, y, z)


class SeveralSeeds(TyperCommand):
    """Lets ``--seed x y z`` stand several times: typer knows options of three values and repeated options, not both."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the three numbers of each seed before typer sees them."""
        return super().parse_args(ctx, list(_joined(args)))


def _joined(args: Sequence[str]) -> Iterator[str]:
    rest = list(args)
    while rest:
        yield (argument := rest.pop(0))
        if argument == _SEED:
            place, rest = rest[:3], rest[3:]
            if len(place) < 3 or any(part.startswith("--") for part in place):
                raise typer.BadParameter(f"Option '{_SEED}' requires 3 arguments.")
            yield " ".join(place)


Out = Annotated[Path, typer.Option(help="Folder to write; a name in .nii.gz writes the density of one day alone.")]
Seeds = Annotated[
    list[Place] | None,
    typer.Option(
        _SEED, parser=Place.parse, metavar="X Y Z", help="Where growth begins [mm, RAS world]. May stand several times."
    ),
]
Initial = Annotated[Path | None, typer.Option(help="Density to begin with instead, on the grid of the tissue maps.")]
IsPoint = Annotated[bool, typer.Option("--point", help="Begin in a point instead of a Gaussian ball.")]
SeedWidth = Annotated[float | None, typer.Option(help="Standard deviation of the Gaussian ball [mm]. 2 if not given.")]
Days = Annotated[
    list[float] | None, typer.Option(help="Day to look at [d]. May stand several times. 400 if not given.")
]
Every = Annotated[float | None, typer.Option(help="Look each so many days until the last one [d].")]
UntilVolume = Annotated[float | None, typer.Option(help="Grow until this volume is denser than --level [ml].")]
UntilDiameter = Annotated[float | None, typer.Option(help="Grow until a ball of that volume is so wide [mm].")]
Level = Annotated[float | None, typer.Option(help="Density that counts for these two. 0.675 if not given.")]
Model = Annotated[str, typer.Option(help="Equation of growth. See --list-parameters.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Other parameter of the model. May stand several times."),
]
ListParameters = Annotated[bool, typer.Option("--list-parameters", help="Print models and parameters, and exit.")]
Treatments = Annotated[Path | None, typer.Option(help="Treatments as JSON, see docs/treatments.md.")]
White = Annotated[Path | None, typer.Option(help="Probability of white matter. The atlas if not given.")]
Gray = Annotated[Path | None, typer.Option(help="Probability of gray matter.")]
Csf = Annotated[Path | None, typer.Option(help="Probability of cerebrospinal fluid.")]
Tensor = Annotated[Path | None, typer.Option(help="Diffusion tensor of water, for --model tensor.")]
TensorOrder = Annotated[str | None, typer.Option(help="Order of its components: fsl, mrtrix or symmatrix.")]
TensorAxes = Annotated[str | None, typer.Option(help="Axes of its components: fsl, voxel or world.")]
Anisotropy = Annotated[float | None, typer.Option(help="How much more anisotropic cells migrate than water.")]
Backend = Annotated[str, typer.Option(help="Solver: numba or torch.")]
Device = Annotated[str, typer.Option(help="Where torch solves: cpu or cuda.")]
Frames = Annotated[int, typer.Option(help="Frames of growth.gif. 0 for no pictures.")]


def simulate(
    out: Out = Path("gliocast-growth"),
    seed: Seeds = None,
    model: Model = "fisher-kolmogorov",
    diffusivity: Annotated[float, typer.Option(help="White-matter diffusivity D_w [mm^2/d].")] = 0.10,
    proliferation_rate: Annotated[float, typer.Option(help="Proliferation rate rho [1/d].")] = 0.024,
    diffusivity_ratio: opt.Ratio = 10.0,
    settings: Settings = None,
    list_parameters: ListParameters = False,
    days: Days = None,
    every: Every = None,
    until_volume: UntilVolume = None,
    until_diameter: UntilDiameter = None,
    level: Level = None,
    initial: Initial = None,
    point: IsPoint = False,
    seed_width: SeedWidth = None,
    treatments: Treatments = None,
    white_matter: White = None,
    gray_matter: Gray = None,
    csf: Csf = None,
    tensor: Tensor = None,
    tensor_order: TensorOrder = None,
    tensor_axes: TensorAxes = None,
    anisotropy: Anisotropy = None,
    backend: Backend = "numba",
    device: Device = "cpu",
    frames: Frames = 31,
    quiet: opt.Quiet = False,
) -> None:
    """Grow a tumor in a brain: density day by day, other fields, a record, and an animated picture."""
    from gliocast.pipeline import Beginning, Choices, Ending, Fibers, Tissue, describe_equation

    if list_parameters:
        print("\n".join(describe_equation(model)))
        return
    choices = Choices(
        model=model,
        diffusivity=diffusivity,
        proliferation_rate=proliferation_rate,
        diffusivity_ratio=diffusivity_ratio,
        settings=tuple(settings or ()),
        beginning=Beginning(tuple((at.x, at.y, at.z) for at in seed or ()), seed_width, point, initial),
        ending=Ending(tuple(days or ()), every, until_volume, until_diameter, level),
        tissue=Tissue(white_matter, gray_matter, csf),
        fibers=Fibers(tensor, tensor_order, tensor_axes, anisotropy),
        treatments=treatments,
        backend=backend,
        device=device,
        frames=frames,
    )
    _grow(out, choices, quiet=quiet)


def _grow(out: Path, choices: Any, *, quiet: bool) -> None:
    """Grow to a file or to a folder, and say where it is."""
    from gliocast.pipeline import simulate_to_file, simulate_to_folder

    one_file = out.name.endswith((".nii", ".nii.gz"))
    with watching(quiet=quiet) as monitor:
        grow = simulate_to_file if one_file else simulate_to_folder
        density = grow(out, choices=choices, monitor=monitor)
    if not quiet:
        print(f"density: {(out if one_file else out / 'density.nii.gz').resolve()}")
        print(_summary(density))
        print(RESEARCH_NOTICE)


def _summary(density: "Density") -> str:
    from gliocast.core.grid import MM3_PER_ML

    burden, visible = density.burden() / MM3_PER_ML, density.volume_above(0.1) / MM3_PER_ML
    return f"day {density.day:.4g}: burden {burden:.3g} ml, {visible:.3g} ml denser than 0.1"
