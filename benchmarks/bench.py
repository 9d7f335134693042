"""What all benchmarks share: anatomies, a clock, the machine, and a table of figures beside their peers."""

import gc
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numba
import numpy as np

from gliocast.cohort import atlas_anatomy
from gliocast.core import Anatomy, Box
from gliocast.data.atlas import load_mni152
from gliocast.growth import Simulator

#: Where tumors begin [mm, RAS]: deep white matter of the right hemisphere of MNI152.
SEED_MM = np.array([28.0, -10.0, 30.0])

#: What the refined runs aim at [1]: steps sixteen times shorter than by default, float64.
REFINED = 2e-5


@dataclass(frozen=True)
class Seconds:
    """Wall time of a job that ran several times [s]."""

    median: float
    least: float

    def __str__(self) -> str:
        return f"{self.median:.3g} s (least {self.least:.3g})"


def clock(job: Callable[[], object], repeats: int, *, warm: bool = True) -> Seconds:
    """Time a job, by default after one run that compiles and fills caches."""
    if warm:
        job()
    times = []
    for _ in range(repeats):
        gc.collect()
        since = time.perf_counter()
        job()
        times.append(time.perf_counter() - since)
    return Seconds(statistics.median(times), min(times))


def relative_error(data: np.ndarray, reference: np.ndarray) -> float:
    """Relative L2 distance [1]."""
    return float(np.linalg.norm(data - reference) / np.linalg.norm(reference))


def table(*columns: str) -> None:
    """Print the head of a table."""
    line(*columns)
    print("|" + "---|" * len(columns), flush=True)


def line(*cells: object) -> None:
    """Print a line of a table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


@dataclass
class Bench:
    """One run of benchmarks on one machine.

    Args:
        repeats: of a timing; the median counts.
    """

    repeats: int = 5
    rows: list[tuple[str, ...]] = field(default_factory=list)

    @cached_property
    def head(self) -> Anatomy:
        """MNI152 at 1 mm."""
        return atlas_anatomy(load_mni152())

    @cached_property
    def crop(self) -> Anatomy:
        """128^3 voxels of it around the seed."""
        return _crop(self.head, 128)

    @cached_property
    def coarse(self) -> Anatomy:
        """64^3 voxels of it at 2 mm, around the seed."""
        return _crop(self.head.coarsen((2, 2, 2)), 64)

    @cached_property
    def triad(self) -> float:
        """Bandwidth of a STREAM triad over arrays larger than any cache, all threads [GB/s]."""
        return stream_triad(40_000_000, self.repeats)

    @cached_property
    def refined(self) -> np.ndarray:
        """The 128^3 case with steps so short that they leave no error to speak of."""
        from benchmarks.forward import CROP_CASE

        return CROP_CASE.solve(Simulator(accuracy=REFINED, dtype="float64"), self.crop)

    def figure(
        self, what: str, here: str, beside: str, ratio: str, target: str = "", *, met: bool | None = None
    ) -> None:
        """Keep a figure for the closing table."""
        verdict = {None: target, True: f"{target}: met", False: f"{target}: **missed**"}[met]
        self.rows.append((what, here, beside, ratio, verdict))

    def close(self) -> None:
        """Print every figure beside its peer or limit."""
        print("\n## All figures\n")
        table("what", "here", "beside it, same run", "ratio", "target")
        for row in self.rows:
            line(*row)


def _crop(anatomy: Anatomy, size: int) -> Anatomy:
    center = np.round(anatomy.grid.voxel_from_world(SEED_MM)).astype(int)
    lower = np.clip(center - size // 2, 0, np.array(anatomy.grid.shape) - size)
    return anatomy.crop(Box(tuple(lower), tuple(lower + size)))


@numba.njit(parallel=True, fastmath=True)
def _triad(a, b, c, scale):
    for n in numba.prange(a.size):
        a[n] = b[n] + scale * c[n]


def stream_triad(size: int, repeats: int) -> float:
    """The triad a = b + s c over arrays of `size` float32, twelve bytes an element [GB/s]; the best of several runs."""
    a, b, c = (np.ones(size, np.float32) for _ in range(3))
    sweeps = max(1, 4_000_000 // size)

    def job() -> None:
        for _ in range(sweeps):
            _triad(a, b, c, np.float32(0.5))

    return sweeps * 3 * a.nbytes / clock(job, 2 * repeats).least / 1e9


def print_machine() -> None:
    """Threads, processor, versions, commit and load; no names."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    about = {key.strip(): text.strip() for key, _, text in (entry.partition(":") for entry in lines)}
    flags = [flag for flag in ("avx2", "fma", "avx512f") if flag in about.get("flags", "").split()]
    print(f"commit {commit.strip() or 'unknown'}, Python {platform.python_version()}, numpy {np.__version__}", end=", ")
    print(f"numba {numba.__version__} with {numba.get_num_threads()} threads")
    model = about.get("model name", platform.machine())
    print(f"{os.cpu_count()} cores of {model} ({', '.join(flags) or 'flags unknown'})")
    load = os.getloadavg()[0]
    print(f"load before the run {load:.1f}" + (": OTHERS ARE AT WORK, times are too long" if load > 0.5 else ""))
