"""What a person chooses of a simulation, refused where it makes no sense before any file is opened."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gliocast.core import InputError
from gliocast.core.grid import MM3_PER_ML
from gliocast.growth import DiameterReached, FisherKolmogorov, GaussianSeed, VolumeReached
from gliocast.growth.start import SEED_WIDTH_MM
from gliocast.growth.stop import VISIBLE_DENSITY, Stop
from gliocast.pipeline.equations import find_equation, parameter_values

Point = tuple[float, float, float]

#: When growth ends unless one says otherwise [d].
DEFAULT_DAYS = 400.0

#: Where growth begins in the atlas unless one says otherwise [mm, RAS]: white matter of the right hemisphere.
DEFAULT_SEED: Point = (30.0, -12.0, 30.0)

#: More volumes than this are no series but a mistake in `every` [1].
MAX_VOLUMES = 1000

#: Frames of the animated picture [1]: one alone doesn't move, more than this don't fit into a small file.
FRAMES, MAX_FRAMES = 31, 120

#: Cells that follow fibers more strictly than this are a mistake [1].
MAX_ANISOTROPY = 100.0


@dataclass(frozen=True)
class Beginning:
    """How the tumor begins.

    Args:
        seeds: world coordinates of its first cells [mm, RAS]; none stands for `DEFAULT_SEED` in the atlas.
        seed_width: standard deviation of the Gaussian balls there [mm]; None for the usual one.
        point: whether the cells begin in a point instead.
        initial: a density map to begin with instead, or None.
    """

    seeds: tuple[Point, ...] = ()
    seed_width: float | None = None
    point: bool = False
    initial: Path | None = None

    def __post_init__(self) -> None:
        if self.initial is not None:
            given = [("--seed", bool(self.seeds)), ("--seed-width", self.seed_width is not None)]
            _require_alone("--initial", [*given, ("--point", self.point)])
        if self.point:
            _require_alone("--point", [("--seed-width", self.seed_width is not None)])
        if self.point and len(self.seeds) > 1:
            raise InputError(
                "--point", expected="one --seed", got=f"{len(self.seeds)}", advice="leave out --point for several balls"
            )
        GaussianSeed(SEED_WIDTH_MM if self.seed_width is None else self.seed_width, num_seeds=len(self.seeds) or 1)


@dataclass(frozen=True)
class Ending:
    """When to look at the tumor, and when growth ends.

    Args:
        days: to look at [d]; none stands for `DEFAULT_DAYS`.
        every: look each so many days until the last one [d], or None.
        until_volume: end when a volume is as large as this [ml], or None.
        until_diameter: end when a ball of the same volume has this diameter [mm], or None.
        level: density that counts for these two [1]; None for what T1c shows.
    """

    days: tuple[float, ...] = ()
    every: float | None = None
    until_volume: float | None = None
    until_diameter: float | None = None
    level: float | None = None

    def __post_init__(self) -> None:
        by_size = [("--until-diameter", self.until_diameter is not None), ("--days", bool(self.days))]
        if self.until_volume is not None:
            _require_alone("--until-volume", by_size)
        if self.until_diameter is not None:
            _require_alone("--until-diameter", by_size[1:])
        if self.stop is None and self.level is not None:
            raise InputError(
                "--level",
                expected="--until-volume or --until-diameter beside it",
                got="neither",
                advice="the volumes in simulation.json have levels of their own",
            )
        if self.every is not None and len(self.days) > 1:
            raise InputError(
                "--every",
                expected="at most one --days, the last one",
                got=f"{len(self.days)}",
                advice="name all days, or the last one and the step",
            )
        for name, times in (("days", self.days), ("every", () if self.every is None else (self.every,))):
            wrong = [time for time in times if not (time > 0 and np.isfinite(time))]
            if wrong:
                raise InputError(name, expected="positive times [d]", got=f"{wrong[0]:g}", advice="growth begins on 0")
        if self.stop is None:
            self.schedule(self.last)

    @property
    def stop(self) -> Stop | None:
        """The size at which growth ends; None where it ends on a day."""
        level = self.stop_level
        if self.until_volume is not None:
            return VolumeReached(self.until_volume * MM3_PER_ML, level)
        return None if self.until_diameter is None else DiameterReached(self.until_diameter, level)

    @property
    def stop_level(self) -> float:
        """Density that counts for the size [1]."""
        return VISIBLE_DENSITY if self.level is None else self.level

    @property
    def last(self) -> float:
        """The day on which growth ends [d], unless a size ends it."""
        return max(self.days, default=DEFAULT_DAYS)

    def schedule(self, last: float) -> tuple[float, ...]:
        """The days to look at [d], ascending, if growth ends on the last one."""
        if self.every is None:
            return tuple(sorted({*self.days, last}))
        num_steps = int(np.ceil(last / self.every * (1 - 1e-9)))  # so that rounding adds no day before the last
        if num_steps > MAX_VOLUMES:
            raise InputError(
                "--every",
                expected=f"at most {MAX_VOLUMES} volumes",
                got=f"{num_steps} until day {last:g}",
                advice="look less often",
            )
        return (*(self.every * step for step in range(1, num_steps)), last)


@dataclass(frozen=True)
class Tissue:
    """Where the tumor grows: probability maps, or none for the atlas.

    Args:
        white_matter: path of its map.
        gray_matter: path of its map.
        csf: path of that of cerebrospinal fluid.
    """

    white_matter: Path | None = None
    gray_matter: Path | None = None
    csf: Path | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("white_matter", "gray_matter") if getattr(self, name) is not None]
        if len(given) == 1 or (self.csf is not None and not given):
            raise InputError(
                "tissue maps",
                expected="both --white-matter and --gray-matter, or neither",
                got="one of them" if given else "--csf alone",
                advice="give the other one, too" if given else "give them, too",
            )


@dataclass(frozen=True)
class Fibers:
    """What directs migration in a model that knows of fibers.

    Args:
        tensor: path of the diffusion tensor of water, or None.
        order: of its components, "fsl", "mrtrix" or "symmatrix"; None for what the header says.
        axes: along which they are, "fsl", "voxel" or "world"; None for those usual for the order.
        anisotropy: how much more anisotropic cells migrate than water [1]; None for as much.
    """

    tensor: Path | None = None
    order: str | None = None
    axes: str | None = None
    anisotropy: float | None = None

    def require_for(self, model: str, *, needed: bool) -> None:
        """Raise InputError if the model needs a tensor that isn't there, or has none of what was given."""
        options = {"--tensor": self.tensor, "--tensor-order": self.order, "--tensor-axes": self.axes}
        given = [name for name, value in {**options, "--anisotropy": self.anisotropy}.items() if value is not None]
        if needed and self.tensor is None:
            raise InputError("--tensor", expected=f"a file for {model}", got="none", advice="give a diffusion tensor")
        if given and not needed:
            raise InputError(given[0], expected="--model tensor", got=model, advice="leave it out, or change the model")
        if self.anisotropy is not None and not 1 <= self.anisotropy <= MAX_ANISOTROPY:
            raise InputError(
                "--anisotropy",
                expected=f"a number from 1 to {MAX_ANISOTROPY:g}",
                got=f"{self.anisotropy:g}",
                advice="use 1 for that of water, or up to 10",
            )


@dataclass(frozen=True)
class Choices:
    """Everything a person chooses of a simulation.

    Args:
        model: name of the equation.
        diffusivity: in white matter, D_w [mm^2/d].
        proliferation_rate: of cells, rho [1/d].
        diffusivity_ratio: white over gray matter [1].
        settings: "name=value" for the model's other parameters.
        beginning: how the tumor begins.
        ending: when to look, and when growth ends.
        tissue: where it grows.
        fibers: what directs migration, of a model that knows of them.
        treatments: JSON file of what is done to it, or None.
        backend: "numba" or "torch".
        device: "cpu", or "cuda" for torch.
        frames: of the animated picture; 0 for no pictures.
    """

    model: str = "fisher-kolmogorov"
    diffusivity: float = 0.10
    proliferation_rate: float = 0.024
    diffusivity_ratio: float = 10.0
    settings: tuple[str, ...] = ()
    beginning: Beginning = field(default_factory=Beginning)
    ending: Ending = field(default_factory=Ending)
    tissue: Tissue = field(default_factory=Tissue)
    fibers: Fibers = field(default_factory=Fibers)
    treatments: Path | None = None
    backend: str = "numba"
    device: str = "cpu"
    frames: int = FRAMES

    def __post_init__(self) -> None:
        equation = find_equation(self.model)
        FisherKolmogorov(self.diffusivity_ratio)
        self.fibers.require_for(self.model, needed=equation.needs_tensor)
        _ = self.values
        atlas = self.tissue.white_matter is None
        if equation.needs_csf and not atlas and self.tissue.csf is None:
            raise InputError(
                "tissue maps", expected=f"--csf for {self.model}", got="none", advice="give the map of fluid, too"
            )
        if not atlas and not self.beginning.seeds and self.beginning.initial is None:
            raise InputError(
                "beginning",
                expected="--seed x y z or --initial",
                got="neither",
                advice="say where growth begins in these tissue maps",
            )
        if self.treatments is not None and self.ending.stop is not None:
            raise InputError(
                "--treatments",
                expected="growth to given days",
                got="growth until a size",
                advice="use --days, or leave out the treatments",
            )
        if not (self.frames == 0 or 2 <= self.frames <= MAX_FRAMES):
            raise InputError(
                "--frames", expected=f"2 to {MAX_FRAMES}, or 0", got=f"{self.frames}", advice=f"use {FRAMES}"
            )
        self._require_device()

    @property
    def values(self) -> tuple[float, ...]:
        """A number for each of the model's parameters, see `parameter_values`."""
        return parameter_values(
            find_equation(self.model).model(),
            diffusivity=self.diffusivity,
            proliferation_rate=self.proliferation_rate,
            settings=self.settings,
        )

    @property
    def seeds(self) -> tuple[Point, ...]:
        """Where growth begins [mm, RAS]; empty where it begins with a density map."""
        return () if self.beginning.initial is not None else self.beginning.seeds or (DEFAULT_SEED,)

    def _require_device(self) -> None:
        if self.backend not in ("numba", "torch") or self.device not in ("cpu", "cuda"):
            raise InputError(
                "backend",
                expected="numba or torch, on cpu or cuda",
                got=f"{self.backend} on {self.device}",
                advice="use the defaults",
            )
        if self.device == "cuda" and self.backend != "torch":
            raise InputError(
                "--device", expected="--backend torch for cuda", got=self.backend, advice="give --backend torch, too"
            )
        if self.device == "cuda" and not _has_cuda():
            raise InputError(
                "--device",
                expected="a GPU that torch can use",
                got="none",
                advice="use --device cpu or --backend numba",
            )


def _has_cuda() -> bool:
    import torch  # a second of import that only this needs

    return bool(torch.cuda.is_available())


def _require_alone(option: str, others: Sequence[tuple[str, bool]]) -> None:
    """Raise InputError if an option stands beside one that it excludes."""
    beside = [name for name, given in others if given]
    if beside:
        raise InputError(option, expected="to stand alone", got=f"{beside[0]}, too", advice="leave out one of the two")
