"""The tensor operator in plain torch operations: the reference, the batched path, and any device.

The runs of `TensorConductance` become one dense block of weights per offset, just large enough to hold its edges.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gliocast.core.box import Box
from gliocast.growth.kernels.tensor import TensorConductance

Offset = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class TensorBlocks:
    """Edge weights as dense blocks.

    Args:
        offsets: one of each pair e, -e of lattice vectors.
        corners: first cell of the block of each offset.
        weights: W(e) of the cells of each block [1/mm^2]; may require gradients.
        shape: of the grid.
    """

    offsets: tuple[Offset, ...]
    corners: tuple[Offset, ...]
    weights: tuple[torch.Tensor, ...]
    shape: tuple[int, int, int]

    def within(self, box: Box) -> "TensorBlocks":
        """The operator on the cells of a box, whose rim is closed; views of the same weights."""
        offsets, corners, weights = [], [], []
        for offset, corner, weight in zip(self.offsets, self.corners, self.weights, strict=True):
            index, start = [], []
            for a, b, e, c, n in zip(*box, offset, corner, weight.shape, strict=True):
                first, last = max(a, a - e, c), min(b, b - e, c + n)
                index.append(slice(first - c, max(last, first) - c))
                start.append(first - a)
            if (part := weight[tuple(index)]).numel():
                offsets.append(offset)
                corners.append((start[0], start[1], start[2]))
                weights.append(part)
        x, y, z = (b - a for a, b in zip(*box, strict=True))
        return TensorBlocks(tuple(offsets), tuple(corners), tuple(weights), (x, y, z))


def tensor_blocks(coefficients: TensorConductance, *, device: str = "cpu") -> TensorBlocks:
    """The same edge weights for torch.

    A block holds the zeros between its edges too: on 240 x 240 x 155 voxels 160 MB of float32 for the tensors of water,
    400 MB for an anisotropy factor of 3 and 980 MB for 10, where the runs take 70, 90 and 130 MB.

    Args:
        coefficients: as runs, for the compiled sweeps.
        device: where the weights shall live.
    """
    runs, starts = coefficients.runs, coefficients.starts
    row = np.repeat(np.arange(len(coefficients.rows) - 1), np.diff(coefficients.rows))
    i, j = np.divmod(row, coefficients.shape[1])
    # The end of an edge whose offset begins with a positive entry stands for both.
    positive = [tuple(offset) for offset in np.unique(runs[:, :3], axis=0).tolist() if tuple(offset) > (0, 0, 0)]
    corners, weights = [], []
    for offset in positive:
        mine = np.flatnonzero((runs[:, :3] == offset).all(axis=1))
        first, last = runs[mine, 3], runs[mine, 4]
        lower = (int(i[mine].min()), int(j[mine].min()), int(first.min()))
        upper = (int(i[mine].max()) + 1, int(j[mine].max()) + 1, int(last.max()))
        block = np.zeros([b - a for a, b in zip(lower, upper, strict=True)], dtype=coefficients.weights.dtype)
        inside = np.ravel_multi_index((i[mine] - lower[0], j[mine] - lower[1], first - lower[2]), block.shape)
        size = last - first
        step = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        block.flat[np.repeat(inside, size) + step] = coefficients.weights[np.repeat(starts[mine], size) + step]
        corners.append(lower)
        weights.append(torch.from_numpy(block).to(device))
    return TensorBlocks(tuple(positive), tuple(corners), tuple(weights), coefficients.shape)


def tensor_laplacian(y: torch.Tensor, coefficients: TensorBlocks) -> torch.Tensor:
    """L y = div(T grad y) / D_w, differentiable, as often as one likes, in y and in the weights.

    Args:
        y: density, shape (..., x, y, z), of the weights' type and device.
        coefficients: edge weights.
    """
    return _TensorLaplacian.apply(y, coefficients.offsets, coefficients.corners, *coefficients.weights)


def tensor_operator(coefficients: TensorBlocks) -> Callable[..., torch.Tensor]:
    """L as a function of the density and of the weights of all blocks; it holds no weights itself."""
    offsets, corners = coefficients.offsets, coefficients.corners

    def apply(y: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        return _TensorLaplacian.apply(y, offsets, corners, *weights)

    return apply


class _TensorLaplacian(torch.autograd.Function):
    """L is symmetric, so the gradient in y is L again, and that in a weight is minus the product of differences."""

    @staticmethod
    def forward(ctx: Any, y: torch.Tensor, offsets: tuple, corners: tuple, *weights: torch.Tensor) -> torch.Tensor:
        ctx.offsets, ctx.corners = offsets, corners
        ctx.save_for_backward(y, *weights)
        out = torch.zeros_like(y)
        for offset, corner, weight in zip(offsets, corners, weights, strict=True):
            here, there = _ends(offset, corner, weight.shape)
            flux = weight * (y[there] - y[here])
            out[here] += flux
            out[there] -= flux
        return out

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        (grad,) = grads
        y, *weights = ctx.saved_tensors
        y_grad, weight_grads = None, [None] * len(weights)
        if ctx.needs_input_grad[0]:
            y_grad = _TensorLaplacian.apply(grad, ctx.offsets, ctx.corners, *weights)
        for n, weight in enumerate(weights):
            if ctx.needs_input_grad[3 + n]:
                here, there = _ends(ctx.offsets[n], ctx.corners[n], weight.shape)
                product = (grad[here] - grad[there]) * (y[there] - y[here])
                weight_grads[n] = product.sum_to_size(weight.shape)
        return y_grad, None, None, *weight_grads


def _ends(offset: Offset, corner: Offset, size: torch.Size) -> tuple[tuple, tuple]:
    """The cells of a block, and those at the offset from them, as index expressions."""
    here = [slice(c, c + n) for c, n in zip(corner, size, strict=True)]
    there = [slice(c + e, c + e + n) for c, e, n in zip(corner, offset, size, strict=True)]
    return (..., *here), (..., *there)
