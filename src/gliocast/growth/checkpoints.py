r"""A time march on tensors that remembers little: few states are kept, the others are computed once more.

Only the states of about :math:`2\sqrt N` of N steps are kept; the others are computed once more on the way back, a
step at a time (Griewank & Walther, Evaluating Derivatives, 2008, Chapter 12; two levels of checkpoints).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from gliocast.growth.splitting import Dynamics, strang
from gliocast.growth.structure import filled, replaced, tensors_in

Tensor = torch.Tensor


def checkpointed(
    dynamics: Dynamics,
    state: Any,
    steps: Iterable[float],
    *,
    log_survival: Callable[[float, float], float] | None = None,
    since: float = 0.0,
    done: Callable[[float], None] | None = None,
) -> Any:
    """As `strang`, keeping the states between groups of about sqrt(N) steps."""
    lengths = [float(step) for step in steps]
    group = max(1, math.isqrt(len(lengths)))
    depends = tuple({id(tensor): tensor for tensor in tensors_in(dynamics)}.values())
    # stretches run on leaves of their own, or their way back would go on into where the tensors come from
    leaves = tuple(tensor.detach().requires_grad_(True) for tensor in depends)
    twin = replaced(dynamics, {id(tensor): leaf for tensor, leaf in zip(depends, leaves, strict=True)})

    def one(now: Any, index: int) -> Any:
        time = since + sum(lengths[:index])
        return strang(twin, now, [lengths[index]], log_survival=log_survival, since=time)

    def several(now: Any, first: int) -> Any:
        for index in range(first, min(first + group, len(lengths))):
            now = _recomputed(one, now, index, leaves, leaves)
        return now

    for first in range(0, len(lengths), group):
        state = _recomputed(several, state, first, depends, leaves)
    return state


def _recomputed(
    run: Callable[[Any, int], Any], state: Any, index: int, depends: tuple[Tensor, ...], leaves: tuple[Tensor, ...]
) -> Any:
    """run(state, index), of which nothing is kept but the state; the way back runs it once more.

    Args:
        run: a stretch of the solve.
        state: where it begins, made of tensors, tuples and displacements.
        index: the stretch.
        depends: further tensors with a gradient on which the stretch depends.
        leaves: their twins, which it uses.
    """
    fields = list(tensors_in(state, all_of_them=True))
    kept: list[Any] = []
    results = _Stretch.apply(run, state, index, kept, leaves, *fields, *depends)
    return filled(kept[0], iter(results))


class _Stretch(torch.autograd.Function):
    """A stretch of the solve between two states."""

    @staticmethod
    def forward(ctx: Any, run: Any, state: Any, index: int, kept: list[Any], leaves: Any, *tensors: Tensor) -> Any:
        after = run(state, index)
        num_fields = len(tensors) - len(leaves)
        ctx.run, ctx.index, ctx.leaves = run, index, leaves
        # shapes of the state, without its tensors, which are saved as autograd wants it
        ctx.pattern = filled(state, iter([None] * num_fields))
        ctx.save_for_backward(*tensors[:num_fields])
        kept.append(after)
        return tuple(tensors_in(after, all_of_them=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        begun = [field.detach().requires_grad_(True) for field in ctx.saved_tensors]
        with torch.enable_grad():
            after = list(tensors_in(ctx.run(filled(ctx.pattern, iter(begun)), ctx.index), all_of_them=True))
        wanted = [(field, gradient) for field, gradient in zip(after, gradients, strict=True) if field.requires_grad]
        outputs, weights = zip(*wanted, strict=True)
        found = torch.autograd.grad(outputs, [*begun, *ctx.leaves], weights, allow_unused=True)
        return None, None, None, None, None, *found
