"""Fields and their sweeps on the CPU: arrays changed in place inside of an active box that follows the tumor."""

import math

import numpy as np

from gliocast.core.box import Box
from gliocast.growth.elasticity import Displacement, Elasticity
from gliocast.growth.kernels.compiled import threads_share
from gliocast.growth.kernels.conductance import Conductance, empty_faces, inverse_squares
from gliocast.growth.kernels.numba_loops import SHARED, SINGLE, support
from gliocast.growth.kernels.numba_operators import Anisotropic, Crowded, Isotropic, Operator
from gliocast.growth.kernels.rkl2 import num_stages, rkl2_weights
from gliocast.growth.kernels.tensor import TensorConductance
from gliocast.growth.transport import transport
from gliocast.growth.transport.courant import num_substeps

#: Dead cells leave at least this much room, for the division by it [1].
LEAST_ROOM = 1e-3

#: Cells below this share of the largest initial density don't make the active box grow [1].
SUPPORT_LEVEL = 1e-5

#: The reach of one step, in diffusion lengths sqrt(2 D tau), that the box keeps free around its support [1].
REACH = 2.0


class NumbaSweeps:
    """Arithmetic on the fields of one solve.

    Fields are zero outside of the active box. They are owned: a sweep may overwrite what it is given.

    Args:
        shape: of every field.
        spacing: cell size [mm].
        dtype: "float32" or "float64".
        parallel: whether threads share the box, where it is worth it. Single-threaded sweeps release the interpreter's
            lock and may run beside others.
    """

    def __init__(
        self, shape: tuple[int, int, int], spacing: tuple[float, float, float], *, dtype: str, parallel: bool
    ) -> None:
        self.shape, self.spacing = shape, spacing
        self._parallel = parallel and threads_share(math.prod(shape))
        self._loops = SHARED if self._parallel else SINGLE
        self._float = np.dtype(dtype).type
        self._spare: list[np.ndarray] = []
        self._level = 0.0
        self.box = Box(shape, (0, 0, 0))
        #: Voxel updates done so far, the measure of work.
        self.num_updates = 0

    def begin(self, cells: np.ndarray, box: Box) -> np.ndarray:
        """The field of the first cells, given in a box, which is the active one from now on."""
        self.box = box
        self._level = SUPPORT_LEVEL * float(cells.max())
        field = self.empty()
        field[box.slices] = cells
        return field

    def load(self, field: np.ndarray) -> np.ndarray:
        """A field of these sweeps' own."""
        return np.array(field, dtype=self._float, order="C")

    def empty(self) -> np.ndarray:
        """A field of zeros."""
        return np.zeros(self.shape, self._float)

    def unload(self, field: np.ndarray) -> np.ndarray:
        """The numbers of a field; a view that the next sweep overwrites."""
        return field

    def copy(self, field: np.ndarray) -> np.ndarray:
        """Another field of the same numbers."""
        return field.copy()

    def operator(self, coefficients: Conductance | TensorConductance) -> Operator:
        """The operator of given coefficients."""
        if isinstance(coefficients, TensorConductance):
            return Anisotropic(coefficients, parallel=self._parallel)
        return Isotropic(coefficients, parallel=self._parallel)

    def from_mobility(self, mobility: np.ndarray) -> Operator:
        """The operator of a mobility that is a field."""
        faces = empty_faces(self.shape, self._float)
        cells = np.ascontiguousarray(mobility, self._float)
        everywhere = Box((0, 0, 0), self.shape)
        degree = self._loops.faces(cells, *faces, *everywhere, *inverse_squares(self.spacing, self._float))
        return Isotropic(Conductance(faces, 2 * float(degree), self.spacing), parallel=self._parallel)

    def crowded(self, mobility: np.ndarray) -> Crowded:
        """The operator of cells that need room."""
        return Crowded(np.ascontiguousarray(mobility, self._float), self.spacing, parallel=self._parallel)

    def diffuse(self, field: np.ndarray, operator: Operator, amount: float) -> np.ndarray:
        """One Runge-Kutta-Legendre step of  du/dt = D L u;  `amount` is D times its length [mm^2]."""
        if amount == 0:
            return field
        stages = num_stages(amount, operator.bound)
        self.follow(field, amount, stages)
        lap, y, out = (self._spare.pop() if self._spare else self.empty() for _ in range(3))
        previous, start = field, field
        first, rest = rkl2_weights(stages)
        operator.first_stage(start, lap, y, self.box, first * amount)
        for mu, nu, mu_tilde, gamma_tilde in rest:
            weights = (mu, nu, mu_tilde * amount, gamma_tilde * amount)
            operator.stage(start, lap, y, previous, out, self.box, weights)
            y, previous, out = out, y, y
        self.num_updates += stages * self.box.num_voxels
        self._spare += [lap, start, previous]
        return y

    def migrate(self, cells: np.ndarray, dead: np.ndarray, operator: Crowded, amount: float) -> np.ndarray:
        """One step of  dp/dt = D div(M (1 - n) grad(p / (1 - n)))  at fixed n."""
        if amount == 0:
            return cells
        self.follow(cells, amount, num_stages(amount, operator.bound))
        inside = self.box.slices
        room = np.maximum(1 - dead[inside], self._float(LEAST_ROOM))
        operator.make_room(room, self.box)
        cells[inside] /= room
        cells = self.diffuse(cells, operator, amount)
        cells[self.box.slices] *= operator.room[self.box.slices]
        return cells

    def logistic(self, field: np.ndarray, rate: float | np.ndarray, time: float) -> np.ndarray:
        """Logistic growth over a time [d] at a rate [1/d], one or one per voxel."""
        if np.ndim(rate) > 0:
            self._loops.logistic_field(field, rate, *self.box, self._float(time))
        elif rate > 0:
            self._loops.logistic(field, *self.box, self._float(math.exp(rate * time)))
        return field

    def scale(self, field: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
        """The field times a number, or times one number per voxel."""
        inside = self.box.slices
        field[inside] *= np.asarray(factor[inside] if np.ndim(factor) else factor, self._float)  # type: ignore[index]
        # after a strong kill the few cells that are left must keep the box growing
        densest = float(field[inside].max())
        if densest > 0:
            self._level = min(self._level, SUPPORT_LEVEL * densest)
        return field

    def starve(
        self, fields: tuple[np.ndarray, np.ndarray, np.ndarray], time: float, rates: tuple[float, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The reaction `pointwise.starve` of (p, n, deficit)."""
        # in double even for fields in single: the loop calculates in double, and doesn't vectorize if it must convert
        self._loops.starve(*fields, *self.box, float(time), *(float(rate) for rate in rates))
        return fields

    def rest(self) -> Displacement:
        """No displacement at all."""
        return Displacement(*empty_faces(self.shape, self._float))

    def elasticity(self, lam: np.ndarray, mu: np.ndarray) -> Elasticity:
        """The elastic body of given moduli [kPa]."""
        return Elasticity(lam, mu, self.spacing, parallel=self._parallel)

    def transport(
        self, cells: np.ndarray, tissue: np.ndarray, displacement: Displacement
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cells, (x, y, z), and tissue, (k, x, y, z), carried along by a displacement without loss."""
        both = np.concatenate([cells[None], tissue])
        carried = transport(both, displacement, self.spacing, parallel=self._parallel)
        # each of the two stages of a substep moves what a voxel holds into its neighbors
        outflow = sum(float(np.abs(part).max()) / h for part, h in zip(displacement.faces, self.spacing, strict=True))
        reach = 2 * num_substeps(outflow)
        self.box = self.box.grown((reach, reach, reach), self.shape)
        return carried[0].copy(), carried[1:].copy()

    def follow(self, field: np.ndarray, amount: float, stages: int) -> None:
        """Let the active box grow so that what one step moves stays inside."""
        reach = REACH * math.sqrt(2 * amount)
        x, y, z = (min(stages, 2 + math.ceil(reach / h)) for h in self.spacing)
        lower, upper = support(field, *self.box, self._float(self._level))
        around = Box(tuple(int(a) for a in lower), tuple(int(b) for b in upper))  # type: ignore[arg-type]
        self.box = self.box.union(around.grown((x, y, z), self.shape))
