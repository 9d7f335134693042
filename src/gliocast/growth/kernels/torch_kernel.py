"""The same sweeps in plain torch operations: the reference that the compiled kernel must agree with, on any device."""

import numpy as np
import torch

from gliocast.core.box import Box
from gliocast.growth.kernels.conductance import Conductance


class TorchKernel:
    """The sweeps of one solve as tensor operations.

    Args:
        conductance: face coefficients; they fix the floating type of the state.
        device: where the state lives.
    """

    def __init__(self, conductance: Conductance, *, device: str = "cpu") -> None:
        self.conductance = conductance
        self._device = torch.device(device)
        self._faces = [torch.from_numpy(face).to(self._device) for face in conductance.faces]

    def load(self, density: np.ndarray) -> torch.Tensor:
        """A state of the kernel's own from a density."""
        return torch.tensor(density, dtype=self._faces[0].dtype, device=self._device)

    def empty(self, state: torch.Tensor) -> torch.Tensor:
        """Another state, all zero."""
        return torch.zeros_like(state)

    def unload(self, state: torch.Tensor) -> np.ndarray:
        """The density that a state holds."""
        return state.cpu().numpy()

    def logistic(self, state: torch.Tensor, box: Box, growth: float) -> None:
        """Exact logistic growth by the factor exp(rho t), in place."""
        u = state[box.slices]
        state[box.slices] = growth * u / (1 - u + growth * u)

    def first_stage(self, y0: torch.Tensor, lap: torch.Tensor, out: torch.Tensor, box: Box, scale: float) -> None:
        """lap <- L y0, out <- y0 + scale lap."""
        lap[box.slices] = self._laplacian(y0, box)
        out[box.slices] = y0[box.slices] + scale * lap[box.slices]

    def stage(
        self,
        y0: torch.Tensor,
        lap: torch.Tensor,
        y: torch.Tensor,
        previous: torch.Tensor,
        out: torch.Tensor,
        box: Box,
        weights: tuple[float, ...],
    ) -> None:
        """out <- the next Runge-Kutta-Legendre stage, from the weights (mu, nu, mu~ scale, gamma~ scale)."""
        mu, nu, mu_scale, gamma_scale = weights
        inside = box.slices
        out[inside] = (
            mu * y[inside]
            + nu * previous[inside]
            + (1 - mu - nu) * y0[inside]
            + mu_scale * self._laplacian(y, box)
            + gamma_scale * lap[inside]
        )

    def support(self, state: torch.Tensor, box: Box, level: float) -> Box:
        """The smallest box that holds every voxel above a level."""
        indices = (state[box.slices] > level).nonzero()
        if len(indices) == 0:
            return Box(box.upper, box.lower)
        lower, upper = indices.amin(0).tolist(), indices.amax(0).tolist()
        return Box(
            tuple(a + o for a, o in zip(lower, box.lower, strict=True)),
            tuple(b + 1 + o for b, o in zip(upper, box.lower, strict=True)),
        )

    def _laplacian(self, y: torch.Tensor, box: Box) -> torch.Tensor:
        """(L y) inside the box, whose rim is closed."""
        u = y[box.slices]
        out = torch.zeros_like(u)
        for axis, face in enumerate(self._faces):
            inner = list(box.slices)
            inner[axis] = slice(box.lower[axis] + 1, box.upper[axis])
            n = u.shape[axis]
            flux = face[tuple(inner)] * (u.narrow(axis, 1, n - 1) - u.narrow(axis, 0, n - 1))
            out.narrow(axis, 0, n - 1).add_(flux)
            out.narrow(axis, 1, n - 1).sub_(flux)
        return out
