"""The same sweeps as functions of tensors: on any device, over batches of parameters and anatomies, differentiable.

Fields have shape (..., x, y, z); leading dimensions are a batch. Nothing is changed in place, so that gradients go
through and a compiler may fuse; a sweep covers the whole window, which the caller crops to where the tumor can be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from gliocast.core import InputError
from gliocast.core.box import Box
from gliocast.growth.elasticity.displacement import Displacement
from gliocast.growth.elasticity.torch_body import TorchElasticity
from gliocast.growth.kernels import pointwise
from gliocast.growth.kernels.conductance import Conductance
from gliocast.growth.kernels.numba_sweeps import LEAST_ROOM
from gliocast.growth.kernels.rkl2 import num_stages, rkl2_weights
from gliocast.growth.kernels.tensor import TensorConductance
from gliocast.growth.kernels.torch_tensor import tensor_blocks, tensor_operator
from gliocast.growth.transport.torch_transport import torch_transport

Tensor = torch.Tensor


def laplacian(field: Tensor, *faces: Tensor) -> Tensor:
    """L u with closed rims; the face coefficients of axis a are one longer than the field along it."""
    result = torch.zeros_like(field)
    for axis, face in zip((-3, -2, -1), faces, strict=True):
        n = field.shape[axis]
        flux = face.narrow(axis, 1, n - 1) * (field.narrow(axis, 1, n - 1) - field.narrow(axis, 0, n - 1))
        result = result + _pad(flux, axis, after=True) - _pad(flux, axis, after=False)
    return result


def harmonic_faces(mobility: Tensor, spacing: tuple[float, float, float]) -> tuple[Tensor, Tensor, Tensor]:
    """Face coefficients as `conductance` makes them, differentiable in the mobility."""
    faces = []
    for axis, step in zip((-3, -2, -1), spacing, strict=True):
        n = mobility.shape[axis]
        left, right = mobility.narrow(axis, 0, n - 1), mobility.narrow(axis, 1, n - 1)
        total = left + right
        closed = total <= 0
        mean = 2 * left * right / torch.where(closed, 1, total) / step**2
        faces.append(_pad(_pad(torch.where(closed, 0, mean), axis, after=True), axis, after=False))
    return faces[0], faces[1], faces[2]


def degree_bound(faces: Sequence[Tensor]) -> float:
    """Gershgorin bound of the spectral radius of L [1/mm^2]."""
    total: Any = 0
    for axis, face in zip((-3, -2, -1), faces, strict=True):
        n = face.shape[axis] - 1
        total = total + face.detach().narrow(axis, 0, n) + face.detach().narrow(axis, 1, n)
    return 2 * float(total.max())


def _pad(field: Tensor, axis: int, *, after: bool) -> Tensor:
    """One layer of zeros at one end of an axis counted from the last."""
    sides = [0] * 6
    sides[2 * (-1 - axis) + int(after)] = 1
    return torch.nn.functional.pad(field, sides)


def crowded_laplacian(field: Tensor, room: Tensor, *faces: Tensor) -> Tensor:
    """L u over the room that cells have."""
    return laplacian(field, *faces) / room


@dataclass(frozen=True, eq=False)
class Operator:
    """What diffusion asks of L: how to apply it, and a bound.

    Args:
        apply: (field, *coefficients) -> L field; a function of the module, so that it is compiled once.
        coefficients: tensors, with or without a batch in front.
        bound: Gershgorin bound of the spectral radius [1/mm^2].
        compilable: whether compiling is worth its time; it would come back for every tensor field.
    """

    apply: Callable[..., Tensor]
    coefficients: tuple[Tensor, ...]
    bound: float
    compilable: bool = True


class Crowded:
    """The operator of cells that need room, see `numba_sweeps.Crowded`."""

    def __init__(self, mobility: Tensor, spacing: tuple[float, float, float]) -> None:
        self._mobility, self._spacing = mobility, spacing
        self._bound = 8 * float(mobility.detach().max()) * sum(1 / h**2 for h in spacing)

    def given(self, room: Tensor) -> Operator:
        """The operator in the relative density p / K at a room K > 0."""
        faces = harmonic_faces(self._mobility * room, self._spacing)
        return Operator(crowded_laplacian, (room, *faces), self._bound)


@lru_cache(maxsize=64)
def _table(stages: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Weights of the stages where they are needed: mu~_1, and (stages - 1, 4)."""
    first, rest = rkl2_weights(stages)
    return torch.tensor(first, dtype=dtype, device=device), torch.tensor(rest, dtype=dtype, device=device)


@lru_cache(maxsize=8)
def _stages_of(apply: Callable[..., Tensor], *, compiled: bool) -> tuple[Callable[..., Any], Callable[..., Tensor]]:
    """First and later stages with an operator; all numbers are tensors, so that one compilation serves every step."""

    def first(field: Tensor, scale: Tensor, *coefficients: Tensor) -> tuple[Tensor, Tensor]:
        lap = apply(field, *coefficients)
        return lap, field + scale * lap

    def following(
        field: Tensor, lap: Tensor, y: Tensor, previous: Tensor, weights: Tensor, amount: Tensor, *coefficients: Tensor
    ) -> Tensor:
        mu, nu, mu_tilde, gamma_tilde = weights.unbind()
        change = mu_tilde * apply(y, *coefficients) + gamma_tilde * lap
        return mu * y + nu * previous + (1 - mu - nu) * field + amount * change

    if not compiled:
        return first, following
    return torch.compile(first, dynamic=True), torch.compile(following, dynamic=True)


class TorchSweeps:
    """Arithmetic on the fields of one solve or of a batch of solves.

    Args:
        shape: of every field, without the batch.
        spacing: cell size [mm].
        dtype: "float32" or "float64".
        device: where the fields live.
        compiled: whether sweeps go through torch.compile; by default where the device is a GPU.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing: tuple[float, float, float],
        *,
        dtype: str = "float32",
        device: str | torch.device = "cpu",
        compiled: bool | None = None,
    ) -> None:
        self.shape, self.spacing = shape, spacing
        self.device = _available(device)
        self.dtype = getattr(torch, dtype)
        self.box = Box((0, 0, 0), shape)
        #: Voxel updates done so far, the measure of work.
        self.num_updates = 0
        self._compiled = self.device.type == "cuda" if compiled is None else compiled

    def begin(self, cells: np.ndarray | Tensor, box: Box) -> Tensor:
        """The field of the first cells, given in a box."""
        (a, b, c), (i, j, k) = box.lower, box.upper
        x, y, z = self.shape
        return torch.nn.functional.pad(self.load(cells), (c, z - k, b, y - j, a, x - i))

    def load(self, field: np.ndarray | Tensor) -> Tensor:
        """A field of these sweeps' own; a tensor keeps its history."""
        return torch.as_tensor(field).to(self.device, self.dtype)

    def empty(self) -> Tensor:
        """A field of zeros."""
        return torch.zeros(self.shape, dtype=self.dtype, device=self.device)

    def unload(self, field: Tensor) -> np.ndarray:
        """The numbers of a field."""
        return field.detach().cpu().numpy()

    def copy(self, field: Tensor) -> Tensor:
        """The field itself, which nothing changes."""
        return field

    def operator(self, coefficients: Conductance | TensorConductance) -> Operator:
        """The operator of given coefficients."""
        if isinstance(coefficients, TensorConductance):
            blocks = tensor_blocks(coefficients, device=str(self.device))
            weights = tuple(self.load(weight) for weight in blocks.weights)
            return Operator(tensor_operator(blocks), weights, coefficients.bound, compilable=False)
        return Operator(laplacian, tuple(self.load(face) for face in coefficients.faces), coefficients.bound)

    def from_mobility(self, mobility: Tensor) -> Operator:
        """The operator of a mobility that is a tensor [any unit], differentiable in it."""
        faces = harmonic_faces(mobility, self.spacing)
        return Operator(laplacian, faces, degree_bound(faces))

    def crowded(self, mobility: np.ndarray | Tensor) -> Crowded:
        """The operator of cells that need room."""
        return Crowded(self.load(mobility), self.spacing)

    def diffuse(self, field: Tensor, operator: Operator, amount: float | Tensor) -> Tensor:
        """One Runge-Kutta-Legendre step of  du/dt = D L u;  `amount` is D times its length [mm^2]."""
        size = torch.as_tensor(amount, dtype=self.dtype, device=self.device)
        largest = float(size.detach().max())
        if largest == 0 and not size.requires_grad:
            return field
        stages = num_stages(largest, operator.bound)
        self.num_updates += stages * field.numel()
        first_weight, rest = _table(stages, self.dtype, self.device)
        first, following = _stages_of(operator.apply, compiled=self._compiled and operator.compilable)
        lap, y = first(field, first_weight * size, *operator.coefficients)
        previous = field
        for weights in rest.unbind():
            previous, y = y, following(field, lap, y, previous, weights, size, *operator.coefficients)
        return y

    def migrate(self, cells: Tensor, dead: Tensor, operator: Crowded, amount: float | Tensor) -> Tensor:
        """One step of  dp/dt = D div(M (1 - n) grad(p / (1 - n)))  at fixed n."""
        room = (1 - dead).clamp(min=LEAST_ROOM)
        return self.diffuse(cells / room, operator.given(room), amount) * room

    def logistic(self, field: Tensor, rate: float | Tensor, time: float | Tensor) -> Tensor:
        """Logistic growth over a time [d] at a rate [1/d]: a number, one per batch item, or one per voxel."""
        exponent = torch.as_tensor(rate * time, dtype=self.dtype, device=self.device)
        return pointwise.logistic(field, torch.exp(exponent))

    def scale(self, field: Tensor, factor: float | np.ndarray | Tensor) -> Tensor:
        """The field times a number, or times one number per voxel."""
        return field * self.load(factor)  # type: ignore[arg-type]

    def starve(
        self, fields: tuple[Tensor, Tensor, Tensor], time: float | Tensor, rates: tuple[Any, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The reaction `pointwise.starve` of (p, n, deficit)."""
        return pointwise.starve(*fields, time, *rates)

    def rest(self) -> Displacement:
        """No displacement at all."""
        x, y, z = self.shape
        shapes = (x + 1, y, z), (x, y + 1, z), (x, y, z + 1)
        return Displacement(*(torch.zeros(shape, dtype=self.dtype, device=self.device) for shape in shapes))

    def elasticity(self, lam: Tensor, mu: Tensor) -> TorchElasticity:
        """The elastic body of given moduli [kPa]."""
        return TorchElasticity(lam, mu, self.spacing)

    def transport(self, cells: Tensor, tissue: Tensor, displacement: Displacement) -> tuple[Tensor, Tensor]:
        """Cells, (x, y, z), and tissue, (k, x, y, z), carried along by a displacement without loss."""
        carried = torch_transport(torch.cat([cells[None], tissue]), displacement, self.spacing)
        return carried[0], carried[1:]


def _available(device: str | torch.device) -> torch.device:
    """The device, or InputError where this machine lacks it."""
    wanted = torch.device(device)
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device", expected="one that this machine has", got=f"{device}, but no GPU", advice="compute on the CPU"
        )
    return wanted
