"""Tumors of digital patients: from a life to densities, and what they make of the brain. Synthetic."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage

from gliocast.cohort.lives import Growth, Life, draw_life
from gliocast.cohort.refine import refine
from gliocast.core import (
    Anatomy,
    Box,
    ConvergenceError,
    Density,
    OutsideTissueError,
    Radiotherapy,
    Resection,
    Snapshot,
    Treatments,
    Volume,
    block_mean,
)
from gliocast.growth import FisherKolmogorov, GaussianSeed, MassEffect, Simulator
from gliocast.growth.stop import VolumeReached

#: Voxels that growth with mass effect is solved on, and that the age of every tumor is found on, in fine ones [1].
_COARSE = 2

#: Relative L2 error of time stepping [1].
_ACCURACY = 1e-2

#: Least volume of the core at the first scan [ml].
_SMALLEST_CORE_ML = 1.0

#: A tumor takes at most so long to reach its volume [d]; lives of which it doesn't are drawn again, so often at most.
_MAX_DAYS, _MAX_LIVES = 4000.0, 50


def draw_grown_life(brain: Anatomy, growth: Growth, generator: np.random.Generator) -> tuple[Life, float]:
    """A life, and the age at which its tumor has reached its volume [d].

    Args:
        brain: where it grows.
        growth: equation.
        generator: source of randomness.

    Raises:
        ConvergenceError: no life has such a tumor.
    """
    coarse = brain.coarsen((_COARSE,) * 3)
    for _ in range(_MAX_LIVES):
        life = draw_life(brain, generator, growth=growth)
        simulator = _simulator(replace(life, growth="fisher-kolmogorov"))
        goal = VolumeReached(1000 * life.whole_ml, life.flair_threshold)
        try:
            grown = simulator.until(_values(life)[:2] + _seeds(life), coarse, goal, max_days=_MAX_DAYS)
        except (OutsideTissueError, ConvergenceError):
            continue
        if grown.density.volume_above(life.t1c_threshold) >= 1000 * _SMALLEST_CORE_ML:
            return life, round(float(grown.density.day or 0), 2)
    raise ConvergenceError(
        "cohort", expected="a tumor that reaches its volume", got=f"none in {_MAX_LIVES} lives", advice="report it"
    )


def _simulator(life: Life, treatments: Treatments | None = None) -> Simulator:
    model = MassEffect() if life.growth == "mass-effect" else FisherKolmogorov()
    start = GaussianSeed(num_seeds=len(life.seeds))
    return Simulator(model, start, treatments, accuracy=_ACCURACY, backend="numba-single")


def _values(life: Life) -> list[float]:
    pressure = [life.pressure_kpa] if life.growth == "mass-effect" else []
    return [life.diffusivity, life.rate, *pressure]


def _seeds(life: Life) -> list[float]:
    return [coordinate for seed in life.seeds for coordinate in seed]


def grow(life: Life, brain: Anatomy, days: list[float], treatments: Treatments | None = None) -> Iterator[Snapshot]:
    """The tumor on some days of its own clock, on the brain's grid; `displacement` [mm] is the one field, if any.

    Args:
        life: what it is made with.
        brain: as it was before the tumor.
        days: after the first cells [d], ascending.
        treatments: what is done to it, on the same clock.
    """
    values = _values(life) + _seeds(life)
    if life.growth != "mass-effect":
        for snapshot in _simulator(life, treatments).snapshots(values, brain, days=days):
            yield Snapshot(snapshot.density)
        return
    factors, whole = (_COARSE,) * 3, Box((0, 0, 0), brain.grid.shape)
    coarse = brain.coarsen(factors)
    given = None if treatments is None else _coarsened(treatments, factors)
    for snapshot in _simulator(life, given).snapshots(values, coarse, days=days):
        cells = refine(snapshot.density.data, _COARSE, whole) * brain.brain
        moved = np.stack([refine(part, _COARSE, whole) for part in snapshot.fields["displacement"]])
        density = Density(np.clip(cells, 0, 1), brain.grid, snapshot.density.day)
        yield Snapshot(density, {"displacement": moved})


def _coarsened(treatments: Treatments, factors: tuple[int, int, int]) -> Treatments:
    """The same treatments on coarser voxels."""
    entries = []
    for entry in treatments:
        if isinstance(entry, Resection):
            share = block_mean(entry.cavity.data.astype(np.float32), factors)
            entry = replace(entry, cavity=Volume(share >= 0.5, entry.grid.coarsen(factors)))
        elif isinstance(entry, Radiotherapy):
            entry = replace(entry, dose=Volume(block_mean(entry.dose.data, factors), entry.grid.coarsen(factors)))
        entries.append(entry)
    return Treatments(tuple(entries))


def brain_of_the_day(brain: Anatomy, snapshot: Snapshot, cavity: np.ndarray | None = None) -> Anatomy:
    """The brain as the tumor and the surgeon have left it.

    Args:
        brain: as it was, on voxels of 1 mm along R, A and S.
        snapshot: the tumor, with the `displacement` of tissue if there is any.
        cavity: of the resection, bool, which fluid fills.
    """
    moved = snapshot.fields.get("displacement")
    parts = [brain.white_matter, brain.gray_matter, brain.csf]
    if moved is not None:
        places = np.indices(brain.grid.shape, dtype=np.float32) - moved
        parts = [ndimage.map_coordinates(part, places, order=1, mode="nearest", prefilter=False) for part in parts]
    if cavity is not None:
        parts = [np.where(cavity, np.float32(value), part) for part, value in zip(parts, (0, 0, 1), strict=True)]
    white, gray, fluid = (part * brain.brain for part in parts)
    return Anatomy(white, gray, fluid, brain.brain, brain.grid)
