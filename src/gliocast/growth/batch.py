"""Many solves at once as one solve of stacked tensors: the way to keep a GPU busy.

All members of a batch share one window, which holds what any of them can reach, and one number of time steps and of
stages, those of the hardest member; the steps themselves are each member's own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from gliocast.core import Anatomy, Box, ConvergenceError, Density, OutsideTissueError
from gliocast.growth.domain import Domain
from gliocast.growth.evolve import Tempo, evolve
from gliocast.growth.kernels.torch_sweeps import TorchSweeps
from gliocast.growth.simulate import Simulator

#: Solves that are stacked at a time; bounds the memory, some twenty fields each.
CHUNK = 64


def grow_batch(
    simulator: Simulator, values: np.ndarray, anatomies: Sequence[Anatomy], days: Sequence[float], *, chunk: int = CHUNK
) -> Iterator[list[Density] | None]:
    """Density on the given days for each row of values, in order; None where growth can't begin or be resolved.

    Args:
        simulator: model, start, treatments, accuracy, device and dtype.
        values: (num_solves, num_parameters).
        anatomies: one for each row, all of one shape.
        days: when to look [d].
        chunk: rows that are stacked at a time.
    """
    if simulator.model.stacks == "nothing":
        yield from (_alone(simulator, row, place, days) for row, place in zip(values, anatomies, strict=True))
        return
    for first in range(0, len(values), chunk):
        rows, places = values[first : first + chunk], list(anatomies[first : first + chunk])
        domains = [_place(simulator, row, place, days) for row, place in zip(rows, places, strict=True)]
        able = [n for n, domain in enumerate(domains) if domain is not None]
        results: list[list[Density] | None] = [None] * len(rows)
        for group in _groups(simulator, places, able):
            windows = [domains[n] for n in group]
            members = [places[n] for n in group]
            try:
                grown = _solve(simulator, rows[group], members, windows, days)  # type: ignore[arg-type]
            except ConvergenceError:  # of one member; the others must not pay
                grown = [_alone(simulator, rows[n], places[n], days) for n in group]  # type: ignore[misc]
            for n, densities in zip(group, grown, strict=True):
                results[n] = densities
        yield from results


def _alone(simulator: Simulator, row: np.ndarray, anatomy: Anatomy, days: Sequence[float]) -> list[Density] | None:
    try:
        return simulator(row, anatomy, days=days)
    except (OutsideTissueError, ConvergenceError):
        return None


def _groups(simulator: Simulator, anatomies: Sequence[Anatomy], able: list[int]) -> list[list[int]]:
    """Rows that can be stacked: all of them, or, where the model's media can't be, those of one anatomy each."""
    if simulator.model.stacks == "anatomies":
        return [able] if able else []
    groups: dict[int, list[int]] = {}
    for n in able:
        groups.setdefault(id(anatomies[n]), []).append(n)
    return list(groups.values())


def _place(simulator: Simulator, row: np.ndarray, anatomy: Anatomy, days: Sequence[float]) -> Box | None:
    """What one solve can reach, in the indices of its anatomy."""
    simulator.check(row, anatomy, days)
    try:
        domain, _ = simulator.place(row, anatomy, days[-1], crop=True)
    except (OutsideTissueError, ConvergenceError):
        return None
    return domain.window


def _solve(
    simulator: Simulator, values: np.ndarray, anatomies: list[Anatomy], windows: list[Box], days: Sequence[float]
) -> list[list[Density]]:
    window = windows[0]
    for other in windows[1:]:
        window = window.union(other)
    own, places = np.split(np.asarray(values, dtype=float), [len(simulator.model.parameters)], axis=1)
    kept: dict[int, Domain] = {}
    for anatomy in anatomies:
        kept.setdefault(id(anatomy), simulator.prepare(anatomy, window))
    domains = [kept[id(anatomy)] for anatomy in anatomies]
    grid = domains[0].grid
    options: dict[str, Any] = {"dtype": simulator.dtype, "device": simulator.device, "compiled": simulator.compiled}
    sweeps = TorchSweeps(grid.shape, grid.spacing, **options)
    starts = [
        simulator.start.cells(place, domain.grid, domain.tissue) for place, domain in zip(places, domains, strict=True)
    ]
    first = torch.stack([sweeps.begin(cells, box) for cells, box in starts])
    # one medium for all is broadcast, several are stacked
    medium: Any = domains[0].medium if len(kept) == 1 else type(domains[0].medium).stack([d.medium for d in domains])
    dynamics = simulator.model.bind([_columns(sweeps, column) for column in own.T], medium, sweeps)
    tempo = Tempo(*simulator.model.speeds(list(own.T)), simulator.start.width_mm(grid), simulator.accuracy)
    if simulator.treatments is not None:  # drugs need a common clock
        tempo = Tempo(np.max(tempo.rate), np.max(tempo.diffusivity), tempo.width_mm, tempo.accuracy)
    run = evolve(
        dynamics,
        dynamics.begin(first),
        days,
        tempo=tempo,
        spacing=grid.spacing,
        treatments=simulator.treatments,
        window=window,
        load_steps=lambda steps: [_columns(sweeps, step) if np.ndim(step) else step for step in steps],
    )
    results: list[list[Density]] = [[] for _ in anatomies]
    with torch.no_grad():
        for day, state in run:
            fields = sweeps.unload(dynamics.density(state))
            for densities, anatomy, field in zip(results, anatomies, fields, strict=True):
                full = np.zeros(anatomy.grid.shape, dtype=np.float32)
                full[window.slices] = np.clip(field, 0, 1)
                densities.append(Density(full, anatomy.grid, day))
    return results


def _columns(sweeps: TorchSweeps, numbers: np.ndarray) -> torch.Tensor:
    """One number for each member of a batch, ready to meet fields."""
    return sweeps.load(np.ascontiguousarray(numbers))[:, None, None, None]
