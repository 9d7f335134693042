"""Many solves at once, as inference asks for them: 64^3 voxels at 2 mm, parameters over the whole prior."""

import os
import time
from collections.abc import Iterable

import numpy as np
from benchmarks.bench import Bench, clock, line, table
from benchmarks.forward import first_cells, sweep
from benchmarks.kernels import stage_seconds
from benchmarks.peers import Explicit

from gliocast.core import Anatomy
from gliocast.growth import DIFFUSION_LENGTH, GROWTH_NUMBER, Simulator
from gliocast.growth.models.fisher_kolmogorov import PROLIFERATION_RATE, WHITE_MATTER_DIFFUSIVITY, mobility

#: Solves in a batch, and those that slower ways are given [1].
NUM_SOLVES, _FEW = 64, 4

#: Ages at diagnosis [d], those behind the typical diffusion lengths of `single_scan`.
_AGES = 200.0, 600.0


def typical_tumors(anatomy: Anatomy, count: int) -> np.ndarray:
    """Parameters of tumors that a scan could show, (count, 5); their age is the unit of time.

    D_w, rho and age come log-uniformly from their typical ranges, as far as diffusion length and growth number are
    typical too; seeds come from anywhere in white matter.
    """
    generator = np.random.default_rng(0)
    places = np.argwhere(anatomy.white_matter > 0.5)
    ranges = np.log([WHITE_MATTER_DIFFUSIVITY.typical, PROLIFERATION_RATE.typical, _AGES])
    rows: list[list[float]] = []
    while len(rows) < count:
        diffusivity, rate, age = np.exp(generator.uniform(*ranges.T))
        groups = (DIFFUSION_LENGTH, diffusivity * age), (GROWTH_NUMBER, rate * age)
        if all(group.typical[0] <= np.sqrt(square) <= group.typical[1] for group, square in groups):
            place = anatomy.grid.world_from_voxel(places[generator.integers(len(places))])
            rows.append([diffusivity * age, rate * age, *place])
    return np.array(rows)


def consume(results: Iterable[object]) -> None:
    """Wait for all results and keep none."""
    for _ in results:
        pass


def run(bench: Bench) -> None:
    print(f"\n## A batch of {NUM_SOLVES} solves, 64^3 voxels at 2 mm\n")
    values = typical_tumors(bench.coarse, NUM_SOLVES)
    simulator = Simulator()
    together = clock(lambda: consume(simulator.batch(values, bench.coarse, days=[1.0])), bench.repeats).median
    updates = sum(sweep(simulator, row, bench.coarse, 1.0).num_updates for row in values)
    limit = updates * stage_seconds((64, 64, 64), bench.repeats) / 64**3 / NUM_SOLVES
    each = together / NUM_SOLVES
    table("how", "ms a solve")
    line("one solve on each thread", f"{1e3 * each:.1f}")
    few = values[:: NUM_SOLVES // _FEW]
    for name, job in _others(bench.coarse, few).items():
        line(f"{name}, {_FEW} of the solves", f"{1e3 * job:.1f}")
        if name.startswith("numpy"):
            own = clock(lambda: consume(simulator.batch(few, bench.coarse, days=[1.0])), bench.repeats).median / _FEW
            bench.figure(
                f"64^3, {_FEW} solves", f"{1e3 * own:.1f} ms each", f"numpy {1e3 * job:.0f} ms", f"{job / own:.0f}x"
            )
    line(f"its {updates / NUM_SOLVES / 1e6:.1f}e6 voxel updates at the speed of a stage in cache", f"{1e3 * limit:.1f}")
    bench.figure(
        f"64^3, {NUM_SOLVES} solves",
        f"{1e3 * each:.1f} ms each",
        f"stages alone {1e3 * limit:.1f} ms",
        f"{limit / each:.0%}",
        "25 ms",
        met=each <= 0.025,
    )


def _others(anatomy: Anatomy, values: np.ndarray) -> dict[str, float]:
    """Seconds a solve of the other ways, by name."""
    threads = os.cpu_count() or 1
    seconds = {"one after the other, all threads on one": _each(values, anatomy, Simulator())}
    stacked = Simulator(backend="torch")
    since = time.perf_counter()
    consume(stacked.batch(values, anatomy, days=[1.0]))
    seconds["stacked as torch tensors"] = (time.perf_counter() - since) / len(values)
    total = 0.0
    for diffusivity, rate, *_ in values:
        explicit = Explicit(mobility(anatomy, 10.0), anatomy.grid.spacing, diffusivity, rate, 1.0)
        total += explicit.solve(first_cells(anatomy), num_steps=5)[1]
    # numpy takes one thread, so as many solves may run at once as there are cores
    seconds[f"numpy, explicit steps, scaled up from 5, on {threads} cores"] = total / len(values) / threads
    return seconds


def _each(values: np.ndarray, anatomy: Anatomy, simulator: Simulator) -> float:
    def job() -> None:
        for row in values:
            simulator(row, anatomy, days=[1.0])

    return clock(job, 2).median / len(values)
