r"""Gradients through growth: a discrete adjoint in bounded memory.

The density on the last days is a function of the parameters, the seed, the initial density, D(x) and rho(x); here it is
a tensor that remembers how it came about. Time steps and numbers of stages follow the parameters without being
differentiated, so the gradient is that of the scheme on its own grid of times, exact to rounding.

Only the states of about :math:`2\sqrt N` of N steps are kept; the others are computed once more on the way back, a
step at a time (Griewank & Walther, Evaluating Derivatives, 2008, Chapter 12; two levels of checkpoints). On the CPU the
steps of isotropic models run backward in compiled loops.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from gliocast.core import Anatomy, Density, InputError, Treatments
from gliocast.growth.elasticity import Displacement
from gliocast.growth.evolve import Tempo, evolve
from gliocast.growth.kernels.fused_sweeps import FusedSweeps
from gliocast.growth.models.logistic import LogisticGrowth
from gliocast.growth.simulate import Simulator, check_days
from gliocast.growth.splitting import Dynamics, strang
from gliocast.growth.start import DensityMap

Tensor = torch.Tensor


def grow(
    simulator: Simulator, values: Tensor, anatomy: Anatomy, *, days: Sequence[float], initial: Tensor | None = None
) -> Tensor:
    """Density on the given days, differentiable in the simulator's parameters, seed included.

    Args:
        simulator: model, start, treatments, accuracy, device and dtype; its backend doesn't matter.
        values: of its parameters, shape (num_parameters,).
        anatomy: the tissue.
        days: when to look [d], positive and ascending.
        initial: density to begin with [1], shape of the grid; it takes the place of the start, whose parameters are
            then left out of `values`.

    Returns:
        Density [1], (num_days, x, y, z).

    Raises:
        InputError, OutsideTissueError, ConvergenceError: as the simulator.
    """
    if initial is not None:
        start = DensityMap(Density(initial.detach().cpu().numpy(), anatomy.grid))
        simulator = simulator.starting(start)
    numbers = values.detach().cpu().numpy()
    simulator.check(numbers, anatomy, days)
    num_own = len(simulator.model.parameters)
    domain, box = simulator.place(numbers, anatomy, days[-1], crop=initial is None)
    sweeps = _sweeps(domain.grid.shape, domain.grid.spacing, simulator)
    if initial is None:
        cells, box = simulator.start.cells(values[num_own:].cpu().double(), domain.grid, domain.tissue)
        first = sweeps.begin(cells, box)
    else:
        first = sweeps.load(initial[domain.window.slices]) * sweeps.load(domain.tissue)
    own = [sweeps.load(value) for value in values[:num_own]]
    dynamics = simulator.model.bind(own, domain.medium, sweeps)
    tempo = simulator.tempo(numbers, domain.grid)
    grown = _run(dynamics, dynamics.begin(first), days, tempo, domain.grid.spacing, simulator.treatments, domain.window)
    (a, b, c), (i, j, k) = domain.window.lower, domain.window.upper
    x, y, z = anatomy.grid.shape
    return torch.nn.functional.pad(grown, (c, z - k, b, y - j, a, x - i))


def grow_fields(
    initial: Tensor,
    diffusivity: Tensor,
    rate: Tensor | float,
    *,
    spacing: tuple[float, float, float],
    days: Sequence[float],
    treatments: Treatments | None = None,
    accuracy: float = 5e-3,
) -> Tensor:
    """Fisher-Kolmogorov growth of a density in fields of diffusivity and rate, differentiable in all three.

    Args:
        initial: density on day 0 [1], shape (x, y, z).
        diffusivity: D(x) >= 0 [mm^2/d], same shape; zero marks closed voxels.
        rate: rho(x) >= 0 [1/d], same shape or a number.
        spacing: voxel size [mm].
        days: when to look [d], positive and ascending.
        treatments: on the same grid.
        accuracy: relative L2 error of time stepping aimed at [1].

    Returns:
        Density [1], (num_days, x, y, z).

    Raises:
        InputError: negative, infinite or undefined numbers, shapes that differ.
    """
    check_days(days)
    rates = torch.as_tensor(rate, dtype=initial.dtype, device=initial.device)
    for name, field, top in (
        ("initial density", initial, 1.0),
        ("diffusivity", diffusivity, math.inf),
        ("rate", rates, math.inf),
    ):
        low, high = float(field.detach().min()), float(field.detach().max())
        same = field.shape == initial.shape or (name == "rate" and field.ndim == 0)
        if not (0 <= low <= high <= top and math.isfinite(high) and same and initial.ndim == 3):
            raise InputError(
                name,
                expected=f"finite numbers in [0, {top:g}] on a grid of shape {tuple(initial.shape)}",
                got=f"{low:g} to {high:g}, shape {tuple(field.shape)}",
                advice="check its unit",
            )
    x, y, z = initial.shape
    sweeps = FusedSweeps((x, y, z), spacing, dtype=str(initial.dtype).removeprefix("torch."), device=initial.device)
    for treatment in treatments or ():
        if treatment.grid is not None and treatment.grid.shape != tuple(initial.shape):
            raise InputError(
                "treatments",
                expected=f"maps of shape {tuple(initial.shape)}",
                got=f"{treatment.grid.shape}",
                advice="resample them to the density's grid",
            )
    dynamics = _FieldGrowth(sweeps, sweeps.from_mobility(diffusivity), 1.0, rates, diffusivity)
    fastest = (float(rates.detach().max()), float(diffusivity.detach().max()))
    tempo = Tempo(*fastest, min(spacing), accuracy)
    return _run(dynamics, dynamics.begin(sweeps.load(initial)), days, tempo, spacing, treatments, None)


class _FieldGrowth(LogisticGrowth):
    """Growth whose coefficients are the field of diffusivity itself."""

    def close(self, state: Any, cavity: np.ndarray) -> tuple[LogisticGrowth, Any]:
        """Empty some voxels (bool); the dynamics that let no cell enter them again, and the state."""
        diffusivity = self.coefficients * self.sweeps.load(np.where(cavity, 0.0, 1.0))
        shut = replace(self, operator=self.sweeps.from_mobility(diffusivity), coefficients=diffusivity)
        return shut, self.kill(state, np.where(cavity, 0.0, 1.0))


def _run(
    dynamics: Dynamics,
    state: Any,
    days: Sequence[float],
    tempo: Tempo,
    spacing: tuple[float, float, float],
    treatments: Treatments | None,
    window: Any,
) -> Tensor:
    states = evolve(
        dynamics, state, days, tempo=tempo, spacing=spacing, treatments=treatments, window=window, advance=_checkpointed
    )
    return torch.stack([dynamics.density(now) for _, now in states])


def _checkpointed(
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
    depends = tuple({id(tensor): tensor for tensor in _tensors(dynamics)}.values())
    # stretches run on leaves of their own, or their way back would go on into where the tensors come from
    leaves = tuple(tensor.detach().requires_grad_(True) for tensor in depends)
    twin = _replaced(dynamics, {id(tensor): leaf for tensor, leaf in zip(depends, leaves, strict=True)})

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
    fields = list(_tensors(state, all_of_them=True))
    kept: list[Any] = []
    results = _Stretch.apply(run, state, index, kept, leaves, *fields, *depends)
    return _filled(kept[0], iter(results))


class _Stretch(torch.autograd.Function):
    """A stretch of the solve between two states."""

    @staticmethod
    def forward(ctx: Any, run: Any, state: Any, index: int, kept: list[Any], leaves: Any, *tensors: Tensor) -> Any:
        after = run(state, index)
        num_fields = len(tensors) - len(leaves)
        ctx.run, ctx.index, ctx.leaves = run, index, leaves
        # shapes of the state, without its tensors, which are saved as autograd wants it
        ctx.pattern = _filled(state, iter([None] * num_fields))
        ctx.save_for_backward(*tensors[:num_fields])
        kept.append(after)
        return tuple(_tensors(after, all_of_them=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        begun = [field.detach().requires_grad_(True) for field in ctx.saved_tensors]
        with torch.enable_grad():
            after = list(_tensors(ctx.run(_filled(ctx.pattern, iter(begun)), ctx.index), all_of_them=True))
        wanted = [(field, gradient) for field, gradient in zip(after, gradients, strict=True) if field.requires_grad]
        outputs, weights = zip(*wanted, strict=True)
        found = torch.autograd.grad(outputs, [*begun, *ctx.leaves], weights, allow_unused=True)
        return None, None, None, None, None, *found


def _tensors(thing: Any, *, all_of_them: bool = False) -> Iterator[Tensor]:
    """Tensors inside of tuples and objects of this package: those with a gradient, or all of them."""
    if isinstance(thing, Tensor):
        if all_of_them or thing.requires_grad:
            yield thing
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from _tensors(part, all_of_them=all_of_them)
    elif type(thing).__module__.startswith("gliocast.") and hasattr(thing, "__dict__"):
        for part in vars(thing).values():
            yield from _tensors(part, all_of_them=all_of_them)


def _replaced(thing: Any, others: dict[int, Tensor]) -> Any:
    """The same, with some tensors (by identity) replaced by others; objects of this package are copied."""
    if isinstance(thing, Tensor):
        return others.get(id(thing), thing)
    if isinstance(thing, tuple | list) and not hasattr(thing, "_fields"):
        return type(thing)(_replaced(part, others) for part in thing)
    if type(thing).__module__.startswith("gliocast.") and hasattr(thing, "__dict__"):
        twin = copy.copy(thing)
        for name, part in vars(thing).items():
            object.__setattr__(twin, name, _replaced(part, others))
        return twin
    return thing


def _filled(pattern: Any, tensors: Iterator[Any]) -> Any:
    """The same structure with other tensors in it, in the order of `_tensors`."""
    if isinstance(pattern, Tensor) or pattern is None:
        return next(tensors)
    if isinstance(pattern, tuple):
        parts = [_filled(part, tensors) for part in pattern]
        return type(pattern)(*parts) if hasattr(pattern, "_fields") else tuple(parts)
    if isinstance(pattern, Displacement):
        x, y, z = (_filled(part, tensors) for part in pattern.faces)
        empty = object.__new__(Displacement)  # patterns hold no shapes to check
        for name, part in (("x", x), ("y", y), ("z", z)):
            object.__setattr__(empty, name, part)
        return empty
    return pattern


def _sweeps(shape: tuple[int, int, int], spacing: tuple[float, float, float], simulator: Simulator) -> FusedSweeps:
    return FusedSweeps(shape, spacing, dtype=simulator.dtype, device=simulator.device)
