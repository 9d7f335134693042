"""The numerical simulator: a growth model solved in one anatomy."""

import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

import numba
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
    bounding_box,
)
from gliocast.growth.evolve import Tempo, evolve
from gliocast.growth.kernels import NumbaSweeps
from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.splitting import Dynamics, strang
from gliocast.growth.start import GaussianSeed, Start
from gliocast.growth.stop import Stop

Backend = Literal["numba", "numba-single", "torch"]

#: Density that a torch solve, whose window stays as it is, still wants to hold [1].
_REACH_LEVEL = 1e-6

#: Steepest profile that is tried for a bound of the reach: by a factor e^50 per voxel, none is steeper [1].
_STEEPEST = 50.0

#: A stop is met when the step that meets it is known to this share of itself [1].
_STOP_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Domain:
    """An anatomy made ready for many solves.

    Args:
        window: the part of the anatomy's grid that the solve covers.
        grid: the grid of that part.
        tissue: voxels of it where growth is possible, bool.
        medium: what the model makes of the tissue there.
    """

    window: Box
    grid: Grid
    tissue: np.ndarray
    medium: Any


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
            yield _snapshot(dynamics, now, domain, anatomy.grid, day)

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

        def size(now: Any) -> float:
            return stop.size(_numbers(dynamics, dynamics.density(now)), domain.grid.voxel_volume)

        time = 0.0
        for step in pace.march(max_days):
            before = dynamics.copy(state)
            state = strang(dynamics, state, [step])
            if size(state) >= 1:
                low, high = 0.0, step
                while high - low > _STOP_TOLERANCE * step:
                    middle = (low + high) / 2
                    state = strang(dynamics, dynamics.copy(before), [middle])
                    low, high = (low, middle) if size(state) >= 1 else (middle, high)
                state = strang(dynamics, before, [high])
                return _snapshot(dynamics, state, domain, anatomy.grid, time + high)
            time += step
        raise ConvergenceError(
            "stop",
            expected=f"a tumor that reaches {stop} within {max_days:g} d",
            got=f"{100 * size(state):.0f} % of it",
            advice="allow more days, or let the tumor grow faster",
        )

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

        num_threads = numba.get_num_threads()
        with ThreadPoolExecutor(num_threads) as pool:  # few results wait at a time, for they are large
            waiting: deque[Future[list[Density] | None]] = deque()
            for index in range(len(values)):
                waiting.append(pool.submit(solve, index))
                if len(waiting) > 2 * num_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

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
        reach = self._reach(own.tolist(), days, max(domain.grid.spacing))
        margin = tuple(min(math.ceil(reach / h), max(domain.grid.shape)) for h in domain.grid.spacing)
        near = box.grown(margin, domain.grid.shape)  # type: ignore[arg-type]
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

    def _reach(self, own: Sequence[float], days: float, spacing: float) -> float:
        r"""Where linear growth and diffusion in the fastest tissue leave less than a level [mm].

        On voxels of size h, :math:`e^{\rho t + 2 D t (\cosh(\lambda h) - 1) / h^2 - \lambda x}` bounds the density for
        every slope :math:`\lambda`, and the least bound counts. Small voxels give :math:`\sqrt{4 D t (\rho t - \ln
        \epsilon)}`; on voxels wider than the front cells get farther.
        """
        rate, diffusivity = self.model.speeds(own)
        spread, gain = diffusivity * days, rate * days - math.log(_REACH_LEVEL)
        if spread == 0:
            return 0.0
        steepest = min(math.sqrt(gain / spread), _STEEPEST / spacing)
        slopes = steepest * np.geomspace(1 / _STEEPEST, 1, 64)
        carried = 2 * spread * (np.cosh(slopes * spacing) - 1) / spacing**2
        return float(np.min((gain + carried) / slopes))

    def _domain(self, anatomy: Anatomy) -> Domain:
        """The anatomy's own domain, kept."""
        if anatomy not in self._domains:
            self._domains[anatomy] = self.prepare(anatomy, self._whole(anatomy))
        return self._domains[anatomy]

    def _whole(self, anatomy: Anatomy) -> Box:
        tissue = self.model.tissue(anatomy)
        if not tissue.any():
            raise InputError("anatomy", expected="some brain tissue", got="none", advice="check the tissue maps")
        return bounding_box(tissue) if self.model.local else bounding_box(anatomy.brain | tissue)

    def prepare(self, anatomy: Anatomy, window: Box) -> Domain:
        """A part of an anatomy, ready for solves."""
        cropped = anatomy.crop(window)
        medium = self.model.medium(cropped, np.dtype(self.dtype).type)
        return Domain(window, cropped.grid, self.model.tissue(cropped), medium)

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


def check_days(days: Sequence[float]) -> None:
    """Refuse days that no solve can stop on."""
    times = np.asarray(days, dtype=float)
    if times.ndim != 1 or times.size == 0 or not (np.isfinite(times).all() and (np.diff(times, prepend=0) > 0).all()):
        raise InputError("days", expected="positive, ascending times [d]", got=f"{days}", advice="sort them")


def _numbers(dynamics: Dynamics, field: Any) -> np.ndarray:
    return np.asarray(dynamics.sweeps.unload(field))


def _snapshot(dynamics: Dynamics, state: Any, domain: Domain, grid: Grid, day: float) -> Snapshot:
    """The state on the anatomy's grid."""

    def embed(data: np.ndarray) -> np.ndarray:
        full = np.zeros((*data.shape[:-3], *grid.shape), dtype=np.float32)
        full[(..., *domain.window.slices)] = data
        return full

    # one is overshot by rounding, and where mass effect squeezes cells
    density = embed(np.clip(_numbers(dynamics, dynamics.density(state)), 0, 1))
    fields = {name: _numbers(dynamics, data) for name, data in dynamics.fields(state).items()}
    # vectors lie along the axes of the grid while it is computed, and along those of the world in what is handed out
    turn = grid.affine[:3, :3] / grid.spacing
    for name, data in fields.items():
        fields[name] = embed(np.einsum("ij,jxyz->ixyz", turn, data) if data.ndim == 4 else data)
    return Snapshot(Density(density, grid, day), fields)
