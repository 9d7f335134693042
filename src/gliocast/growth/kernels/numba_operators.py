"""Operators of diffusion on the CPU, as the sweeps of a Runge-Kutta-Legendre step."""

from typing import Protocol

import numpy as np

from gliocast.core.box import Box
from gliocast.growth.kernels.conductance import Conductance, empty_faces, inverse_squares
from gliocast.growth.kernels.numba_loops import SHARED, SINGLE
from gliocast.growth.kernels.numba_tensor import laplacian as tensor_laplacian
from gliocast.growth.kernels.tensor import TensorConductance


class Operator(Protocol):
    """What diffusion asks of  L = div(M grad .): a bound, and two sweeps in a box."""

    @property
    def bound(self) -> float:
        """Gershgorin bound of the spectral radius [1/mm^2]."""
        ...

    def first_stage(self, y0: np.ndarray, lap: np.ndarray, out: np.ndarray, box: Box, scale: float) -> None:
        """lap <- L y0, out <- y0 + scale lap."""
        ...

    def stage(
        self,
        y0: np.ndarray,
        lap: np.ndarray,
        y: np.ndarray,
        previous: np.ndarray,
        out: np.ndarray,
        box: Box,
        weights: tuple[float, float, float, float],
    ) -> None:
        """out <- the next stage, from the weights (mu, nu, mu~ scale, gamma~ scale); out may be previous."""
        ...


class Isotropic:
    """The seven-point operator; each stage is one fused sweep.

    Args:
        conductance: face coefficients; they fix the floating type of the state.
        parallel: whether threads share the box.
    """

    def __init__(self, conductance: Conductance, *, parallel: bool) -> None:
        self.conductance = conductance
        self._loops = SHARED if parallel else SINGLE
        self._float = conductance.faces[0].dtype.type

    @property
    def bound(self) -> float:
        """Gershgorin bound of the spectral radius [1/mm^2]."""
        return self.conductance.bound

    def first_stage(self, y0: np.ndarray, lap: np.ndarray, out: np.ndarray, box: Box, scale: float) -> None:
        """lap <- L y0, out <- y0 + scale lap."""
        self._loops.first_stage(y0, lap, out, *self.conductance.faces, *box, self._float(scale))

    def stage(
        self,
        y0: np.ndarray,
        lap: np.ndarray,
        y: np.ndarray,
        previous: np.ndarray,
        out: np.ndarray,
        box: Box,
        weights: tuple[float, float, float, float],
    ) -> None:
        """out <- the next stage; out may be previous."""
        numbers = (self._float(w) for w in weights)
        self._loops.stage(y0, lap, y, previous, out, *self.conductance.faces, *box, *numbers)


class Unfused:
    """A step of an operator whose application is a sweep of its own.

    Args:
        shape: of fields.
        dtype: their floating type.
        parallel: whether threads share the box.
    """

    def __init__(self, shape: tuple[int, ...], dtype: type, *, parallel: bool) -> None:
        self._loops = SHARED if parallel else SINGLE
        self._float = dtype
        self._scratch: np.ndarray = np.zeros(shape, dtype)

    def apply(self, y: np.ndarray, out: np.ndarray, box: Box) -> None:
        """out <- L y inside of the box."""
        raise NotImplementedError

    def first_stage(self, y0: np.ndarray, lap: np.ndarray, out: np.ndarray, box: Box, scale: float) -> None:
        """lap <- L y0, out <- y0 + scale lap."""
        self.apply(y0, lap, box)
        inside = box.slices
        np.multiply(lap[inside], self._float(scale), out=out[inside])
        out[inside] += y0[inside]

    def stage(
        self,
        y0: np.ndarray,
        lap: np.ndarray,
        y: np.ndarray,
        previous: np.ndarray,
        out: np.ndarray,
        box: Box,
        weights: tuple[float, float, float, float],
    ) -> None:
        """out <- the next stage; out may be previous."""
        self.apply(y, self._scratch, box)
        numbers = (self._float(w) for w in weights)
        self._loops.combine(y0, lap, y, self._scratch, previous, out, *box, *numbers)


class Anisotropic(Unfused):
    """The operator of a full tensor.

    Args:
        coefficients: its edge weights.
        parallel: whether threads share the box.
    """

    def __init__(self, coefficients: TensorConductance, *, parallel: bool) -> None:
        super().__init__(coefficients.shape, coefficients.weights.dtype.type, parallel=parallel)
        self._coefficients, self._parallel = coefficients, parallel
        self.bound = coefficients.bound

    def apply(self, y: np.ndarray, out: np.ndarray, box: Box) -> None:
        """out <- L y inside of the box."""
        tensor_laplacian(y, out, self._coefficients, box, parallel=self._parallel)


class Crowded(Unfused):
    r"""The operator  p -> div(D K grad(p / K))  in the relative density p / K, where K is the room that cells have.

    It is  (1/K) L_{DK}  acting on p / K. The face coefficients are made anew whenever K changes.

    Args:
        mobility: D(x) / D_w, closed cells are zero.
        spacing: cell size [mm].
        parallel: whether threads share the box.
    """

    def __init__(self, mobility: np.ndarray, spacing: tuple[float, float, float], *, parallel: bool) -> None:
        super().__init__(mobility.shape, mobility.dtype.type, parallel=parallel)
        self._mobility = mobility
        self._inverse_squares = inverse_squares(spacing, self._float)
        self._faces = empty_faces(mobility.shape, self._float)
        self._product = np.zeros_like(mobility)
        self.room = np.ones_like(mobility)
        # a harmonic mean is at most twice the smaller of its parts, so  w_f / K <= 2 D / h^2
        self.bound = 8 * float(mobility.max()) * float(sum(self._inverse_squares))

    def make_room(self, room: np.ndarray, box: Box) -> None:
        """Take another K > 0, given inside of a box."""
        self.room[box.slices] = room
        np.multiply(self._mobility[box.slices], room, out=self._product[box.slices])
        self._loops.faces(self._product, *self._faces, *box, *self._inverse_squares)

    def apply(self, y: np.ndarray, out: np.ndarray, box: Box) -> None:
        """out <- L y / K inside of the box."""
        self._loops.weighted_laplacian(y, out, self.room, *self._faces, *box)
