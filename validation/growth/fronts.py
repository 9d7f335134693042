"""How fast fronts travel, on voxels of any size."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar

from gliocast.core import Density
from gliocast.growth import DensityMap, Simulator
from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.models.fisher_kolmogorov import PROLIFERATION_RATE, WHITE_MATTER_DIFFUSIVITY

from .scenes import solve, uniform
from .table import Row, below, between, told

#: Between these multiples of the division time 1 / rho a front's way is measured [1].
AGES = (30.0, 60.0)
ACCURACY = 1e-3


def rows() -> Iterator[Row]:
    for diffusivity, rate in ((1.5, 0.02), (1.0, 0.05), (0.3, 0.03)):
        width = np.sqrt(diffusivity / rate)
        excess = speed(diffusivity, rate, 1.0) / (2 * np.sqrt(diffusivity * rate)) - 1
        yield below(
            f"Fronts travel at 2 sqrt(D rho), Bramson's lag added: D = {diffusivity:g} mm^2/d, rho = {rate:g} /d, "
            f"sqrt(D / rho) = {width:.1f} mm, 1 mm, days {AGES[0] / rate:.0f} to {AGES[1] / rate:.0f}; relative error",
            abs(excess),
            0.01,
            "voxels make (h / width)^2 / 24, at most 0.4 %; later terms of the lag as much",
        )
    for ratio in (0.5, 1.0, 2.0, 3.0, 6.0):
        diffusivity, rate = 0.2, 0.05
        h = ratio * np.sqrt(diffusivity / rate)
        theory, _ = lattice_front(diffusivity, rate, h)
        measured = speed(diffusivity, rate, h)
        yield between(
            f"Voxels {ratio:g} times as wide as sqrt(D / rho): the front is {100 * (theory / 0.2 - 1):.1f} % too fast, "
            "as theory has it for lattices; ratio to that",
            measured / theory,
            0.99,
            1.01,
            "time steps and later terms of the lag",
        )
    yield told(
        "Pairs of D and rho, log-uniform over their typical ranges, for which sqrt(D / rho) is below 1 mm, 2 mm, 3 mm",
        ", ".join(f"{100 * share_below(h):.0f} %" for h in (1.0, 2.0, 3.0)),
        "there the front is thinner than such a voxel, and more than 4 % too fast",
    )
    loss = 1 - boxed_speed(1.0, 0.05, 1.0) / speed(1.0, 0.05, 1.0)
    yield below(
        "What the simulator's active box costs of the speed (D = 1, rho = 0.05, 1 mm)",
        abs(loss),
        0.025,
        "a pulled front is slowed by pi^2 / (2 log^2) of the level at which its tail is cut, 3.7 % for 1e-5; the box "
        "keeps two diffusion lengths more",
    )


def speed(diffusivity: float, rate: float, h: float) -> float:
    """Measured speed with the lag added [mm/d], the whole line swept."""
    shape = line(diffusivity, rate, h)
    first = np.zeros(shape)
    first[0, 0, :8] = 1
    days = [age / rate for age in AGES]
    anatomy = uniform(shape, (h, h, h))
    grown = solve(FisherKolmogorov(), (diffusivity, rate), anatomy, first, days, accuracy=ACCURACY)
    return pace([fields["density"] for fields in grown], h, diffusivity, rate)


def boxed_speed(diffusivity: float, rate: float, h: float) -> float:
    """The same as the simulator solves it."""
    shape = line(diffusivity, rate, h)
    anatomy = uniform(shape, (h, h, h))
    first = np.zeros(shape, np.float32)
    first[0, 0, :8] = 1
    simulator = Simulator(
        start=DensityMap(Density(first, anatomy.grid)), accuracy=ACCURACY, backend="numba-single", dtype="float64"
    )
    grown = simulator((diffusivity, rate), anatomy, days=[age / rate for age in AGES])
    return pace([density.data for density in grown], h, diffusivity, rate)


def line(diffusivity: float, rate: float, h: float) -> tuple[int, int, int]:
    way = lattice_front(diffusivity, rate, h)[0] * AGES[1] / rate
    return 1, 1, 50 + int((way + 15 * np.sqrt(diffusivity / rate)) / h)


def pace(densities: list[np.ndarray], h: float, diffusivity: float, rate: float) -> float:
    early, late = (position(density[0, 0], h) for density in densities)
    _, slope = lattice_front(diffusivity, rate, h)
    lag = 1.5 / slope * np.log(AGES[1] / AGES[0])
    return (late - early + lag) * rate / (AGES[1] - AGES[0])


def position(density: np.ndarray, h: float) -> float:
    """Where a line falls below one half [mm]."""
    last = int(np.flatnonzero(density > 0.5)[-1])
    return h * (last + (density[last] - 0.5) / (density[last] - density[last + 1]))


def lattice_front(diffusivity: float, rate: float, h: float) -> tuple[float, float]:
    """Speed [mm/d] and slope [1/mm] of a pulled front on cells of size h.

    The speed is the least over slopes k of (rho + 2 D (cosh kh - 1) / h^2) / k; for small h 2 sqrt(D rho) at
    sqrt(rho / D).
    """

    def speed_of(slope: float) -> float:
        return (rate + 2 * diffusivity / h**2 * (np.cosh(slope * h) - 1)) / slope

    found = minimize_scalar(speed_of, bounds=(1e-3 / h, 20 / h), method="bounded")
    return float(found.fun), float(found.x)


def share_below(h: float) -> float:
    """Share of the typical ranges where sqrt(D / rho) < h."""
    draws = np.random.default_rng(0).uniform(size=(100_000, 2))
    bounds = np.log([WHITE_MATTER_DIFFUSIVITY.typical, PROLIFERATION_RATE.typical])
    diffusivity, rate = np.exp(bounds[:, 0] + draws * np.diff(bounds, axis=1).T).T
    return float(np.mean(diffusivity / rate < h**2))
