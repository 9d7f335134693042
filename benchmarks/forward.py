"""Speed and error of the forward solver, beside the memory bandwidth of the machine, in one run.

The case: Fisher-Kolmogorov growth in a 128^3 crop of MNI152 tissue at 1 mm, D_w 0.5 mm^2/d, rho 0.05 /d, 100 d. The
error is the relative L2 distance to a refined run: the same grid, float64, time steps some thirty times shorter.

    python benchmarks/forward.py
"""

import argparse
import platform
import statistics
import subprocess
import time
from collections.abc import Callable

import numba
import numpy as np

from gliocast.cohort import atlas_anatomy
from gliocast.core import Anatomy
from gliocast.data.atlas import load_mni152
from gliocast.growth import Simulator
from gliocast.growth.evolve import evolve

SIZE = 128
SEED_MM = np.array([28.0, -10.0, 30.0])
DIFFUSIVITY, RATE, DAYS = 0.5, 0.05, 100.0
REFINED_ACCURACY = 5e-6
#: What one voxel update of a Runge-Kutta-Legendre stage must move at least: density, two earlier stages, the first
#: stage's density and Laplacian, three face coefficients read, one density written, float32.
BYTES_PER_UPDATE = 4 * 9


def crop(anatomy: Anatomy) -> Anatomy:
    center = np.round(anatomy.grid.voxel_from_world(SEED_MM)).astype(int)
    lower = np.clip(center - SIZE // 2, 0, np.array(anatomy.grid.shape) - SIZE)
    window = tuple(slice(a, a + SIZE) for a in lower)
    parts = (anatomy.white_matter, anatomy.gray_matter, anatomy.csf, anatomy.brain)
    cut = (np.ascontiguousarray(part[window]) for part in parts)
    return Anatomy(*cut, anatomy.grid.crop(tuple(lower), tuple(lower + SIZE)))


def median_seconds(job: Callable[[], object], repeats: int) -> float:
    job()
    times = []
    for _ in range(repeats):
        since = time.perf_counter()
        job()
        times.append(time.perf_counter() - since)
    return statistics.median(times)


@numba.njit(parallel=True, fastmath=True)
def triad(a, b, c, scale):
    for n in numba.prange(a.size):
        a[n] = b[n] + scale * c[n]


def stream_bandwidth() -> float:
    """STREAM triad over arrays far larger than any cache [GB/s]."""
    a, b, c = (np.ones(40_000_000, np.float32) for _ in range(3))
    return 3 * a.nbytes / median_seconds(lambda: triad(a, b, c, np.float32(0.5)), 5) / 1e9


def count_updates(anatomy: Anatomy, accuracy: float) -> int:
    """Voxel updates of one solve."""
    simulator = Simulator(accuracy=accuracy)
    values = (DIFFUSIVITY, RATE, *SEED_MM)
    domain, dynamics, state = simulator._begin(values, anatomy, DAYS)
    tempo = simulator._tempo(values, domain.grid)
    list(evolve(dynamics, state, [DAYS], tempo=tempo, spacing=domain.grid.spacing))
    return dynamics.sweeps.num_updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    anatomy = crop(atlas_anatomy(load_mni152()))
    values = (DIFFUSIVITY, RATE, *SEED_MM)
    refined = Simulator(accuracy=REFINED_ACCURACY, dtype="float64")(values, anatomy, days=[DAYS])[0].data
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    triad_rate = stream_bandwidth()
    print(f"commit {commit.strip() or 'unknown'}, {platform.machine()}, {numba.get_num_threads()} threads")
    print(f"case {SIZE}^3 at 1 mm, D_w {DIFFUSIVITY} mm^2/d, rho {RATE} /d, {DAYS:g} d")
    print(f"STREAM triad {triad_rate:.1f} GB/s\n")
    print("| accuracy asked | seconds (median) | relative L2 error | voxel updates | moved, GB/s | share of triad |")
    print("|---|---|---|---|---|---|")
    for accuracy in (2e-2, 5e-3, 1e-3):
        simulator = Simulator(accuracy=accuracy)
        density = simulator(values, anatomy, days=[DAYS])[0].data
        error = np.linalg.norm(density - refined) / np.linalg.norm(refined)
        seconds = median_seconds(lambda solve=simulator: solve(values, anatomy, days=[DAYS]), options.repeats)
        updates = count_updates(anatomy, accuracy)
        moved = updates * BYTES_PER_UPDATE / seconds / 1e9
        share = moved / triad_rate
        print(f"| {accuracy:g} | {seconds:.3f} | {error:.1e} | {updates / 1e6:.0f}e6 | {moved:.1f} | {share:.0%} |")
    early, late = Simulator()((DIFFUSIVITY, 0.0, *SEED_MM), anatomy, days=[1e-3, DAYS])
    drift = abs(late.burden() / early.burden() - 1)
    print(f"\nmass under pure diffusion over {DAYS:g} d changes by {drift:.1e} (relative)")


if __name__ == "__main__":
    main()
