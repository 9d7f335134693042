"""The numerical simulator: a growth model solved in one anatomy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import numpy as np

from gliocast.core import REAL, Anatomy, Box, Density, Grid, GrowthModel, InputError, Parameter, bounding_box
from gliocast.growth.kernels import Conductance, Kernel, NumbaKernel, conductance
from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.seed import SEED_WIDTH_MM, gaussian_seed
from gliocast.growth.steppers import StrangRKL2, time_steps

SEED = tuple(
    Parameter(
        name=f"seed_{axis}",
        symbol=f"x_{axis}",
        unit="mm",
        support=REAL,
        typical=(-np.inf, np.inf),
        source="world coordinates (RAS) of the point where growth began",
    )
    for axis in "xyz"
)

Backend = Literal["numba", "numba-single", "torch"]


@dataclass(frozen=True, eq=False)
class _Domain:
    """An anatomy made ready for many solves.

    Args:
        window: the part of the anatomy's grid that holds tissue.
        grid: the grid of that part.
        tissue: cells where growth is possible, bool, shape of `grid`.
        conductance: face coefficients on `grid`.
    """

    window: Box
    grid: Grid
    tissue: np.ndarray
    conductance: Conductance


@dataclass(frozen=True)
class Simulator:
    """Solves a growth model by Strang splitting with Runge-Kutta-Legendre diffusion; a Forward.

    What depends on the anatomy alone is computed once and kept as long as the anatomy lives.

    Args:
        model: the equation.
        accuracy: relative L2 error of time stepping aimed at [1].
        backend: "numba" shares one solve among threads, "numba-single" leaves a solve on its thread (for batches),
            "torch" is the reference.
        dtype: "float32" or "float64".
        progress: called with the fraction of time that a solve has done.
    """

    model: GrowthModel = field(default_factory=FisherKolmogorov)
    accuracy: float = 5e-3
    backend: Backend = "numba"
    dtype: Literal["float32", "float64"] = "float32"
    progress: Callable[[float], None] | None = None
    _domains: WeakKeyDictionary[Anatomy, _Domain] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        known = self.backend in get_args(Backend) and self.dtype in ("float32", "float64")
        if not known or not 0 < self.accuracy <= 1 or len(self.model.parameters) != 2:
            raise InputError(
                "simulator",
                expected=f"a backend of {get_args(Backend)}, float32 or float64, accuracy in (0, 1], a model of two",
                got=f"{self.backend}, {self.dtype}, {self.accuracy}, {len(self.model.parameters)}",
                advice="begin with the defaults",
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the model, then the seed's world coordinates [mm]."""
        return (*self.model.parameters, *SEED)

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Density at each of the given days.

        Args:
            values: white-matter diffusivity [mm^2/d], proliferation rate [1/d], seed x, y, z [mm, RAS].
            anatomy: the tissue.
            days: when to stop and look [d], positive and ascending.

        Raises:
            InputError: a parameter outside its support, days out of order, no tissue.
            OutsideTissueError: a seed outside tissue.
            ConvergenceError: so many time steps that a unit must be wrong.
        """
        self._check(values, days)
        diffusivity, rate, *seed = (float(value) for value in values)
        domain = self._domain(anatomy)
        start, box = gaussian_seed(domain.grid, domain.tissue, np.array(seed))
        kernel = self._kernel(domain.conductance)
        stepper = StrangRKL2(kernel, start, diffusivity=diffusivity, rate=rate, box=box)
        age = SEED_WIDTH_MM**2 / (2 * diffusivity) if diffusivity > 0 else np.inf
        densities = []
        for since, until in zip((0.0, *days[:-1]), days, strict=True):
            steps = time_steps(since, until, rate=rate, age=age, accuracy=self.accuracy)
            stepper.advance(self._reporting(steps, since, days[-1]))
            full = np.zeros(anatomy.grid.shape, dtype=np.float32)
            # the logistic solution overshoots one by a rounding step of float32
            full[domain.window.slices] = np.clip(stepper.density(), 0, 1)
            densities.append(Density(full, anatomy.grid, until))
        return densities

    def _domain(self, anatomy: Anatomy) -> _Domain:
        if anatomy not in self._domains:
            mobility = self.model.mobility(anatomy)
            if not mobility.any():
                raise InputError("anatomy", expected="some brain tissue", got="none", advice="check the tissue maps")
            window = bounding_box(mobility > 0)
            cropped = np.ascontiguousarray(mobility[window.slices])
            grid = anatomy.grid.crop(window.lower, window.upper)
            faces = conductance(cropped, grid.spacing, np.dtype(self.dtype).type)
            self._domains[anatomy] = _Domain(window, grid, cropped > 0, faces)
        return self._domains[anatomy]

    def _kernel(self, faces: Conductance) -> Kernel:
        if self.backend == "torch":
            from gliocast.growth.kernels.torch_kernel import TorchKernel  # a second of import that only it needs

            return TorchKernel(faces)
        return NumbaKernel(faces, parallel=self.backend == "numba")

    def _reporting(self, steps: Iterable[float], time: float, end: float) -> Iterable[float]:
        for step in steps:
            yield step
            time += step
            if self.progress is not None:
                self.progress(time / end)

    def _check(self, values: Sequence[float] | np.ndarray, days: Sequence[float]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            if value != 0 or parameter.support.lower != 0:  # zero is the limit without migration or division
                parameter.require(float(value))
        if len(days) == 0 or days[0] <= 0 or np.any(np.diff(days) <= 0) or not np.isfinite(days[-1]):
            raise InputError("days", expected="positive, ascending times", got=f"{list(days)}", advice="sort them")
