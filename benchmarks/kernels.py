"""The sweeps of a solve beside the memory bandwidth of the machine: a roofline, for big arrays and inside of cache."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from benchmarks.bench import Bench, clock, line, stream_triad, table

from gliocast.growth.kernels.compiled import MIN_SHARED_CELLS
from gliocast.growth.kernels.conductance import empty_faces
from gliocast.growth.kernels.numba_loops import SHARED, SINGLE

#: Shapes whose arrays are larger than any cache, and those of the boxes of inference at 2 mm.
_BIG, _SMALL = (256, 256, 160), (64, 64, 64)

#: Edges of the cubes on which one thread is held against all, about where threads begin to share.
_EDGES = (16, 32, 64)

#: Bytes of float32 that each sweep must read and write per voxel at least: arrays it touches, once each.
_BYTES = {
    "_first_stage": 4 * 6,  # u and three faces; L u and the first stage
    "_stage": 4 * 8,  # u, L u, two stages and three faces; the next stage
    "_logistic": 4 * 2,
    "_faces": 4 * 4,  # mobility; three faces
}


def stage_seconds(shape: tuple[int, int, int], repeats: int) -> float:
    """Seconds of one stage of diffusion on all threads, the least of several."""
    return _seconds(_sweeps(shape)["_stage"], shape, repeats)


def run(bench: Bench) -> None:
    print("\n## Sweeps beside a STREAM triad\n")
    print("Bytes are what a sweep must move at least; the triad a = b + s c counts twelve an element, as STREAM does.")
    print("It also reads the line that it writes, as a sweep in place doesn't, so a sweep may come out above it.\n")
    table("sweep", "bytes per voxel", "box", "ns per voxel", "GB/s", "triad GB/s", "share")
    for shape in (_BIG, _SMALL):
        size = int(np.prod(shape))
        # as many bytes in three arrays as a stage has in eight
        triad = bench.triad if shape == _BIG else stream_triad(8 * size // 3, bench.repeats)
        for name, job in _sweeps(shape).items():
            seconds = _seconds(job, shape, 2 * bench.repeats)
            rate = _BYTES[name] * size / seconds / 1e9
            box = "x".join(map(str, shape))
            line(
                name,
                _BYTES[name],
                box,
                f"{seconds / size * 1e9:.2f}",
                f"{rate:.1f}",
                f"{triad:.1f}",
                f"{rate / triad:.0%}",
            )
            if name == "_stage":
                place = "beyond cache" if shape == _BIG else "in cache"
                target, met = ("60 %", rate >= 0.6 * triad) if shape == _BIG else ("", None)
                bench.figure(
                    f"stage of diffusion, {place}",
                    f"{rate:.1f} GB/s",
                    f"triad {triad:.1f} GB/s",
                    f"{rate / triad:.0%}",
                    target,
                    met=met,
                )
    _hold_one_thread_against_all(bench)


def _hold_one_thread_against_all(bench: Bench) -> None:
    print("\n## One thread beside all of them\n")
    print(f"A stage of diffusion; from {MIN_SHARED_CELLS} cells on threads share it.\n")
    table("cells", "one thread", "all", "ratio")
    for edge in _EDGES:
        shape = (edge, edge, edge)
        one, every = (_seconds(_sweeps(shape, loops)["_stage"], shape, bench.repeats) for loops in (SINGLE, SHARED))
        line(edge**3, f"{one * 1e6:.0f} us", f"{every * 1e6:.0f} us", f"{one / every:.2f}")


def _seconds(job: Callable[[], Any], shape: tuple[int, int, int], repeats: int) -> float:
    sweeps = max(1, 4_000_000 // int(np.prod(shape)))

    def several() -> None:
        for _ in range(sweeps):
            job()

    return clock(several, repeats).least / sweeps


def _sweeps(shape: tuple[int, int, int], loops: SimpleNamespace = SHARED) -> dict[str, Callable[[], Any]]:
    """The sweeps on fields of their own."""
    real = np.float32
    generator = np.random.default_rng(0)
    cells = generator.random(shape, real)
    box, squares = ((0, 0, 0), shape), (real(1), real(1), real(1))
    faces = empty_faces(shape, real)
    loops.faces(cells, *faces, *box, *squares)
    lap, y, previous = (np.ones(shape, real) for _ in range(3))
    small = (real(1.2), real(-0.3), real(1e-3), real(1e-3))
    grown = generator.random(shape, real)
    return {
        "_first_stage": lambda: loops.first_stage(cells, lap, y, *faces, *box, real(1e-3)),
        "_stage": lambda: loops.stage(cells, lap, y, previous, previous, *faces, *box, *small),
        "_logistic": lambda: loops.logistic(grown, *box, real(1.01)),
        "_faces": lambda: loops.faces(cells, *faces, *box, *squares),
    }
