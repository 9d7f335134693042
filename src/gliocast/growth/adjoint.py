r"""Gradients through growth: a discrete adjoint in bounded memory.

The density on the last days is a function of the parameters, the seed, the initial density, D(x) and rho(x); here it is
a tensor that remembers how it came about. Time steps and numbers of stages follow the parameters without being
differentiated, so the gradient is that of the scheme on its own grid of times, exact to rounding.

Memory is bounded by checkpoints (`gliocast.growth.checkpoints`). On the CPU the steps of isotropic models run backward
in compiled loops.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gliocast.core import Anatomy, Density, InputError, Treatments
from gliocast.growth.checkpoints import checkpointed
from gliocast.growth.evolve import Tempo, evolve
from gliocast.growth.kernels.fused_sweeps import FusedSweeps
from gliocast.growth.models.logistic import LogisticGrowth
from gliocast.growth.simulate import Simulator
from gliocast.growth.splitting import Dynamics
from gliocast.growth.start import DensityMap
from gliocast.growth.time_grid import check_days

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
        dynamics, state, days, tempo=tempo, spacing=spacing, treatments=treatments, window=window, advance=checkpointed
    )
    return torch.stack([dynamics.density(now) for _, now in states])


def _sweeps(shape: tuple[int, int, int], spacing: tuple[float, float, float], simulator: Simulator) -> FusedSweeps:
    return FusedSweeps(shape, spacing, dtype=simulator.dtype, device=simulator.device)
