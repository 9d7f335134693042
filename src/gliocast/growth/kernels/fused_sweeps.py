"""Tensor sweeps on the CPU whose diffusion runs, forward and backward, in compiled loops."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from gliocast.growth.kernels.numba_adjoint import rkl2_adjoint, rkl2_stages
from gliocast.growth.kernels.rkl2 import num_stages
from gliocast.growth.kernels.torch_sweeps import Operator, Tensor, TorchSweeps, laplacian


class FusedSweeps(TorchSweeps):
    """As `TorchSweeps`; steps with the seven-point operator on single fields take the compiled way.

    Plain tensor operations go over memory some ten times as often.
    """

    def diffuse(self, field: Tensor, operator: Operator, amount: float | Tensor) -> Tensor:
        """One Runge-Kutta-Legendre step of  du/dt = D L u;  `amount` is D times its length [mm^2]."""
        size = torch.as_tensor(amount, dtype=self.dtype)
        if (
            operator.apply is not laplacian
            or field.ndim != 3
            or size.ndim > 0
            or field.device.type != "cpu"
            or size == 0
        ):
            return super().diffuse(field, operator, amount)
        stages = num_stages(float(size.detach()), operator.bound)
        self.num_updates += stages * field.numel()
        return _Diffusion.apply(field, size, stages, *operator.coefficients)


class _Diffusion(torch.autograd.Function):
    """One step; keeps only the field before it."""

    @staticmethod
    def forward(ctx: Any, field: Tensor, amount: Tensor, stages: int, *faces: Tensor) -> Tensor:
        ctx.save_for_backward(field, amount, *faces)
        ctx.stages = stages
        arrays = _arrays((field, *faces))
        return torch.from_numpy(rkl2_stages(arrays[0], tuple(arrays[1:]), float(amount), stages)[-1])  # type: ignore[arg-type]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        field, amount, *faces = ctx.saved_tensors
        array, *coefficients = _arrays((field, *faces))
        with_faces = ctx.needs_input_grad[1] or any(ctx.needs_input_grad[3:])
        gradient, through = rkl2_adjoint(
            array,
            tuple(coefficients),  # type: ignore[arg-type]
            float(amount),
            ctx.stages,
            _arrays(cotangents)[0],
            with_faces=with_faces,
        )
        if through is None:
            return torch.from_numpy(gradient), None, None, None, None, None
        # the step depends on the product of amount and faces alone
        total = sum(float(np.vdot(g, f)) for g, f in zip(through, coefficients, strict=True)) / float(amount)
        return (
            torch.from_numpy(gradient),
            torch.tensor(total, dtype=amount.dtype),
            None,
            *(torch.from_numpy(part) for part in through),
        )


def _arrays(tensors: Sequence[Tensor]) -> list[np.ndarray]:
    return [np.ascontiguousarray(tensor.detach().numpy()) for tensor in tensors]
