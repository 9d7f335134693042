"""The numerical simulator: a growth model solved in one anatomy."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np

from gliocast.core import (
    Anatomy,
    Box,
    ConvergenceError,
    Density,
    Grid,
    GrowthModel,
    InputError,
    OutsideTissueError,
    Parameter,
    Snapshot,
    Treatments,
)
from gliocast.growth.domain import Domain, margin_of, reach, whole_window
from gliocast.growth.evolve import Tempo, evolve
from gliocast.growth.kernels import NumbaSweeps
from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.side_by_side import side_by_side
from gliocast.growth.snapshots import take_snapshot
from gliocast.growth.start import GaussianSeed, Start
from gliocast.growth.stop import Stop
from gliocast.growth.time_grid import check_days
from gliocast.growth.until import march_until

Backend = Literal["numba", "numba-single", "torch"]


@dataclass(frozen=True)
class Simulator:
    """Solves a growth model by Strang splitting with Runge-Kutta-Legendre diffusion; a Forward.

    What depends on the anatomy alone is computed once and kept as long as the anatomy lives.

    Args:
        model: the equation.
        start: how the tumor begins.
        treatments: what is done to it, in days after the start; None for nothing.
        accuracy: relative L2 error of time stepping aimed at [1].
        backend: "numba" shares one solve among threads, "numba-single" leaves a solve on its thread (for batches),
            "torch" is the reference, and the way to a GPU.
        device: of the torch backend, "cpu" or "cuda".
        compiled: whether torch compiles its sweeps; None for where the device is a GPU.
        dtype: "float32" or "float64".
        progress: called with the fraction of time that a solve has done.
    """

    model: GrowthModel = field(default_factory=FisherKolmogorov)
    start: Start = field(default_factory=GaussianSeed)
    treatments: Treatments | None = None
    accuracy: float = 5e-3
    backend: Backend = "numba"
    device: str = "cpu"
    compiled: bool | None = None
    dtype: Literal["float32", "float64"] = "float32"
    progress: Callable[[float], None] | None = None
    _domains: WeakKeyDictionary[Anatomy, Domain] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        known = self.backend in get_args(Backend) and self.dtype in ("float32", "float64")
        on_cpu = self.device == "cpu"
        if not on_cpu and (self.backend != "torch" or not re.fullmatch(r"cuda(:\d+)?", self.device)):
            raise InputError(
                "device",
                expected='"cpu", or "cuda" with the torch backend',
                got=self.device,
                advice="compute on the CPU",
            )
        if not known or not 0 < self.accuracy <= 1:
            raise InputError(
                "simulator",
                expected=f"a backend of {get_args(Backend)}, float32 or float64, accuracy in (0, 1]",
                got=f"{self.backend}, {self.dtype}, {self.accuracy}",
                advice="begin with the defaults",
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the model, then those of the start."""
        return (*self.model.parameters, *self.start.parameters)

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Density on each of the given days, before what is done to the tumor on that day.

        Args:
            values: of `parameters`; by default white-matter diffusivity [mm^2/d], proliferation rate [1/d], seed
                x, y, z [mm, RAS].
            anatomy: the tissue.
            days: when to look [d], positive and ascending.

        Raises:
            InputError: a parameter outside its support, days out of order, no tissue, a treatment on another grid.
            OutsideTissueError: a seed outside tissue.
            ConvergenceError: so many time steps that a unit must be wrong.
        """
        return [snapshot.density for snapshot in self.snapshots(values, anatomy, days=days)]

    def snapshots(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> Iterator[Snapshot]:
        """The same, one day after the other, with every field of the model; see `__call__`."""
        self.check(values, anatomy, days)
        return self._snapshots(values, anatomy, days)

    def _snapshots(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, days: Sequence[float]
    ) -> Iterator[Snapshot]:
        domain, dynamics, state = self._begin(values, anatomy, days[-1])
        run = evolve(
            dynamics,
            state,
            days,
            tempo=self.tempo(values, domain.grid),
            spacing=domain.grid.spacing,
            treatments=self.treatments,
            window=domain.window,
            done=None if self.progress is None else (lambda time: self._report(time / days[-1])),
        )
        for day, now in run:
            yield take_snapshot(dynamics, now, domain, anatomy.grid, day)

    def until(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, stop: Stop, *, max_days: float = 10_000.0
    ) -> Snapshot:
        """The tumor at the time when it has reached a size.

        Args:
            values: of `parameters`.
            anatomy: the tissue.
            stop: the size.
            max_days: when to give up [d].

        Raises:
            ConvergenceError: the size isn't reached in time, or in 20,000 steps. Otherwise as `__call__`.
        """
        if self.treatments is not None and len(tuple(self.treatments)) > 0:
            raise InputError(
                "stop", expected="growth without treatment", got="treatments", advice="grow to given days instead"
            )
        self.check(values, anatomy, [max_days])
        domain, dynamics, state = self._begin(values, anatomy, max_days)
        pace = self.tempo(values, domain.grid).pace(width_mm=self.start.width_mm(domain.grid))
        day, state = march_until(
            dynamics, state, stop, pace=pace, voxel_volume=domain.grid.voxel_volume, max_days=max_days
        )
        return take_snapshot(dynamics, state, domain, anatomy.grid, day)

    def batch(
        self, values: np.ndarray, anatomies: Anatomy | Sequence[Anatomy], *, days: Sequence[float]
    ) -> Iterator[list[Density] | None]:
        """Many solves, in order; None for one that can't begin or can't be resolved.

        Compiled sweeps take one solve to each thread of numba; torch stacks many as one, see `gliocast.growth.batch`.

        Args:
            values: (num_solves, num_parameters).
            anatomies: one for all, or one for each.
            days: when to look [d].
        """
        places = [anatomies] * len(values) if isinstance(anatomies, Anatomy) else list(anatomies)
        if np.ndim(values) != 2 or len(places) != len(values):
            raise InputError(
                "batch",
                expected="values of shape (num_solves, num_parameters), and one anatomy or one for each solve",
                got=f"shape {np.shape(values)} and {len(places)} anatomies",
                advice="give every solve a row",
            )
        for row, place in zip(values, places, strict=True):
            self.check(row, place, days)
        if self.backend == "torch":
            from gliocast.growth.batch import grow_batch  # a second of import that only it needs

            yield from grow_batch(self, np.asarray(values), places, days)
            return
        single = self._like(replace(self, backend="numba-single", progress=None))
        for anatomy in {id(place): place for place in places}.values():
            single._domain(anatomy)

        def solve(index: int) -> list[Density] | None:
            try:
                return single(values[index], places[index], days=days)
            except (OutsideTissueError, ConvergenceError):
                return None

        yield from side_by_side(solve, len(values))

    def _like(self, other: "Simulator") -> "Simulator":
        """Another simulator of the same model and floating type, which shares what was made of anatomies."""
        object.__setattr__(other, "_domains", self._domains)
        return other

    def starting(self, start: Start) -> "Simulator":
        """The same simulator with another start."""
        return self._like(replace(self, start=start))

    def place(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, days: float, *, crop: bool
    ) -> tuple[Domain, Box]:
        """Where a solve takes place, and the box of its first cells in there.

        Args:
            values: of `parameters`.
            anatomy: the tissue.
            days: how long it will grow [d].
            crop: whether to leave out what cells can't reach in that time.
        """
        own, place = np.split(np.asarray(values, dtype=float), [len(self.model.parameters)])
        domain = self._domain(anatomy)
        _, box = self.start.cells(place, domain.grid, domain.tissue)
        if not (crop and self.model.local):
            return domain, box
        rate, diffusivity = self.model.speeds(own.tolist())
        margin = margin_of(reach(rate, diffusivity, days, max(domain.grid.spacing)), domain.grid)
        near = box.grown(margin, domain.grid.shape)
        return self.prepare(anatomy, near.shifted(domain.window.lower)), box.within(near)

    def _begin(self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, days: float) -> tuple[Domain, Any, Any]:
        """Domain, dynamics and first state of a solve."""
        own, place = np.split(np.asarray(values, dtype=float), [len(self.model.parameters)])
        domain, _ = self.place(values, anatomy, days, crop=self.backend == "torch")
        cells, box = self.start.cells(place, domain.grid, domain.tissue)
        dynamics = self.model.bind(own.tolist(), domain.medium, self._sweeps(domain))
        return domain, dynamics, dynamics.begin(dynamics.sweeps.begin(cells, box))

    def tempo(self, values: Sequence[float] | np.ndarray, grid: Grid) -> Tempo:
        """What sets the time steps of a solve."""
        rate, diffusivity = self.model.speeds([float(value) for value in values[: len(self.model.parameters)]])
        return Tempo(rate, diffusivity, self.start.width_mm(grid), self.accuracy)

    def _domain(self, anatomy: Anatomy) -> Domain:
        """The anatomy's own domain, kept."""
        if anatomy not in self._domains:
            self._domains[anatomy] = self.prepare(anatomy, whole_window(self.model, anatomy))
        return self._domains[anatomy]

    def prepare(self, anatomy: Anatomy, window: Box) -> Domain:
        """A part of an anatomy, ready for solves."""
        return Domain.of(self.model, anatomy, window, self.dtype)

    def _sweeps(self, domain: Domain) -> Any:
        if self.backend == "torch":
            from gliocast.growth.kernels.torch_sweeps import TorchSweeps  # a second of import that only it needs

            options: dict[str, Any] = {"dtype": self.dtype, "device": self.device, "compiled": self.compiled}
            return TorchSweeps(domain.grid.shape, domain.grid.spacing, **options)
        parallel = self.backend == "numba"
        return NumbaSweeps(domain.grid.shape, domain.grid.spacing, dtype=self.dtype, parallel=parallel)

    def _report(self, fraction: float) -> None:
        if self.progress is not None:
            self.progress(fraction)

    def check(self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, days: Sequence[float]) -> None:
        """Refuse what can't be solved, before any work; see `__call__`."""
        if len(values) != len(self.parameters):
            raise InputError(
                "values",
                expected=", ".join(f"{parameter.name} [{parameter.unit}]" for parameter in self.parameters),
                got=f"{len(values)} numbers",
                advice="give one for each, in this order",
            )
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.require_or_limit(float(value))
        check_days(days)
        self.start.require_grid(anatomy.grid)
        if self.treatments is not None:
            self.treatments.require_grid(anatomy.grid)
