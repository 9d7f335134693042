"""The numerical simulator: a growth model solved in one anatomy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gliocast.core import REAL, Anatomy, Density, GrowthModel, InputError, Parameter
from gliocast.growth.box import bounding_box
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
        typical=(-80.0, 80.0),
        source="world coordinates (RAS) of the point where growth began",
    )
    for axis in "xyz"
)

Backend = Literal["numba", "numba-single", "torch"]


@dataclass(frozen=True, eq=False)
class Domain:
    """An anatomy made ready for many solves: the part of the grid that holds tissue, and its face coefficients.

    Args:
        anatomy: the tissue.
        tissue: cells where growth is possible, bool, cropped.
        offset: lower corner of the crop in the anatomy's grid.
        conductance: face coefficients of the crop.
    """

    anatomy: Anatomy
    tissue: np.ndarray
    offset: tuple[int, int, int]
    conductance: Conductance


@dataclass(frozen=True)
class Simulator:
    """Solves a growth model by Strang splitting with Runge-Kutta-Legendre diffusion; a Forward.

    Args:
        model: the equation.
        accuracy: relative L2 error of time stepping aimed at [1].
        backend: "numba" shares one solve among threads, "numba-single" leaves a solve on its thread (for batches),
            "torch" is the reference.
        dtype: "float32" or "float64".
    """

    model: GrowthModel = field(default_factory=FisherKolmogorov)
    accuracy: float = 5e-3
    backend: Backend = "numba"
    dtype: Literal["float32", "float64"] = "float32"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the model, then the seed's world coordinates [mm]."""
        return (*self.model.parameters, *SEED)

    def prepare(self, anatomy: Anatomy) -> Domain:
        """Everything of a solve that depends on the anatomy alone."""
        mobility = self.model.mobility(anatomy)
        if not mobility.any():
            raise InputError("anatomy", expected="some brain tissue", got="none", advice="check the tissue maps")
        box = bounding_box(mobility > 0)
        cropped = np.ascontiguousarray(mobility[box.slices])
        faces = conductance(cropped, anatomy.grid.spacing, np.dtype(self.dtype).type)
        return Domain(anatomy, cropped > 0, box.lower, faces)

    def __call__(
        self,
        values: Sequence[float],
        anatomy: Anatomy | Domain,
        *,
        days: Sequence[float],
        progress: Callable[[float], None] | None = None,
    ) -> list[Density]:
        """Density at each of the given days.

        Args:
            values: white-matter diffusivity [mm^2/d], proliferation rate [1/d], seed x, y, z [mm, RAS].
            anatomy: the tissue, or what `prepare` made of it.
            days: when to stop and look [d], positive and ascending.
            progress: called with the fraction of time that is done.

        Raises:
            InputError: a parameter outside its support, a seed outside tissue, days out of order.
        """
        domain = anatomy if isinstance(anatomy, Domain) else self.prepare(anatomy)
        diffusivity, rate, *seed = (float(value) for value in values)
        self._check((diffusivity, rate, *seed), days)
        grid = domain.anatomy.grid
        upper = tuple(o + n for o, n in zip(domain.offset, domain.tissue.shape, strict=True))
        start, box = gaussian_seed(grid.crop(domain.offset, upper), domain.tissue, np.array(seed))
        kernel = self._kernel(domain.conductance)
        stepper = StrangRKL2(kernel, start, diffusivity=diffusivity, rate=rate, box=box)
        age = SEED_WIDTH_MM**2 / (2 * diffusivity) if diffusivity > 0 else np.inf
        clock = [0.0]

        def tick(step: float) -> None:
            clock[0] += step
            if progress is not None:
                progress(clock[0] / days[-1])

        densities = []
        for since, until in zip((0.0, *days[:-1]), days, strict=True):
            stepper.advance(time_steps(since, until, rate=rate, age=age, accuracy=self.accuracy), tick)
            full = np.zeros(grid.shape, dtype=np.float32)
            window = tuple(slice(o, u) for o, u in zip(domain.offset, upper, strict=True))
            full[window] = stepper.density()
            densities.append(Density(full, grid, until))
        return densities

    def _kernel(self, faces: Conductance) -> Kernel:
        if self.backend == "torch":
            from gliocast.growth.kernels.torch_kernel import TorchKernel  # a second of import that only it needs

            return TorchKernel(faces)
        return NumbaKernel(faces, parallel=self.backend == "numba")

    def _check(self, values: Sequence[float], days: Sequence[float]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            if value != 0 or parameter.support.lower != 0:  # zero is the limit without migration or division
                parameter.require(value)
        if len(days) == 0 or days[0] <= 0 or np.any(np.diff(days) <= 0) or not np.isfinite(days[-1]):
            raise InputError("days", expected="positive, ascending times", got=f"{list(days)}", advice="sort them")
