"""One solve: seconds and error beside explicit steps in numpy, in a 128^3 crop and in a whole head at 1 mm."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from benchmarks.bench import REFINED, SEED_MM, Bench, clock, line, relative_error, table
from benchmarks.peers import Explicit, toolkit_seconds

from gliocast.anatomy.mobility import mobility
from gliocast.core import Anatomy
from gliocast.growth import Simulator
from gliocast.growth.evolve import evolve

#: Diffusivity in white over gray matter [1].
RATIO = 10.0

#: Steps of a peer that are run where all of them would take minutes [1].
_FEW = 8


@dataclass(frozen=True)
class Case:
    """A tumor to grow from the seed of all benchmarks.

    Args:
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        days: how long [d].
    """

    diffusivity: float
    rate: float
    days: float

    @property
    def values(self) -> tuple[float, ...]:
        """Parameters of a Fisher-Kolmogorov simulator."""
        return self.diffusivity, self.rate, *SEED_MM

    def solve(self, simulator: Simulator, anatomy: Anatomy) -> np.ndarray:
        """Density on the last day."""
        return simulator(self.values, anatomy, days=[self.days])[0].data

    def updates(self, simulator: Simulator, anatomy: Anatomy) -> int:
        """Voxel updates of all diffusion sweeps."""
        return sweep(simulator, self.values, anatomy, self.days).num_updates

    def explicit(self, anatomy: Anatomy) -> Explicit:
        """The same by explicit steps."""
        return Explicit(mobility(anatomy, RATIO), anatomy.grid.spacing, self.diffusivity, self.rate, self.days)

    def __str__(self) -> str:
        return f"D_w {self.diffusivity:g} mm^2/d, rho {self.rate:g} /d, {self.days:g} d"


CROP_CASE = Case(0.5, 0.05, 100.0)
HEAD_CASE = Case(1.0, 0.05, 100.0)


def sweep(simulator: Simulator, values: Any, anatomy: Anatomy, days: float) -> Any:
    """The sweeps of a solve once it is done, with their count of voxel updates."""
    domain, dynamics, state = simulator._begin(values, anatomy, days)
    tempo = simulator.tempo(values, domain.grid)
    list(evolve(dynamics, state, [days], tempo=tempo, spacing=domain.grid.spacing))
    return dynamics.sweeps


def first_cells(anatomy: Anatomy) -> np.ndarray:
    """The beginning that all solvers share."""
    simulator = Simulator()
    cells, box = simulator.start.cells(SEED_MM, anatomy.grid, simulator.model.tissue(anatomy))
    density = np.zeros(anatomy.grid.shape)
    density[box.slices] = cells
    return density


def run(bench: Bench) -> None:
    print("\n## One solve\n")
    print("The error is the relative L2 distance to a refined run: the same grid, float64, steps 16 times shorter.\n")
    _crop(bench)
    _head(bench)


def _crop(bench: Bench) -> None:
    print(f"128^3 crop of MNI152 at 1 mm, {CROP_CASE}\n")
    table("solver", "seconds", "relative L2 error", "voxel updates")
    seconds = error = 0.0
    for accuracy in (2e-2, 1e-3, 5e-3):
        simulator = Simulator(accuracy=accuracy)
        time = clock(lambda solve=simulator: CROP_CASE.solve(solve, bench.crop), 2 * bench.repeats)
        seconds, error = time.median, relative_error(CROP_CASE.solve(simulator, bench.crop), bench.refined)
        updates = CROP_CASE.updates(simulator, bench.crop)
        line(f"gliocast, accuracy {accuracy:g}", time, f"{error:.1e}", f"{updates / 1e6:.0f}e6")
    explicit = CROP_CASE.explicit(bench.crop)
    density, peer = explicit.solve(first_cells(bench.crop))
    peer_error = relative_error(density, bench.refined)
    work = explicit.num_steps * density.size
    line(f"numpy, {explicit.num_steps} explicit steps", f"{peer:.3g} s", f"{peer_error:.1e}", f"{work / 1e6:.0f}e6")
    met = seconds <= 0.15 and error <= 5e-3
    here = f"{seconds:.3f} s at {error:.1e}"
    bench.figure(
        "128^3, 100 d",
        here,
        f"numpy {peer:.3g} s at {peer_error:.1e}",
        f"{peer / seconds:.0f}x",
        "0.15 s at 5e-3",
        met=met,
    )
    other = toolkit_seconds(bench.crop, SEED_MM, CROP_CASE.diffusivity, CROP_CASE.rate, CROP_CASE.days)
    if other is None:
        line("TumorGrowthToolkit", "peer not installed", "", "")
        return
    line("TumorGrowthToolkit", f"{other:.3g} s", "as numpy, whose steps it shares", f"{work / 1e6:.0f}e6")
    bench.figure("128^3, 100 d", here, f"TumorGrowthToolkit {other:.3g} s", f"{other / seconds:.0f}x")


def _head(bench: Bench) -> None:
    print(f"\nWhole head, {' x '.join(map(str, bench.head.grid.shape))} voxels of MNI152 at 1 mm, {HEAD_CASE}\n")
    table("solver", "seconds", "relative L2 error", "voxel updates")
    simulator = Simulator()
    refined = HEAD_CASE.solve(replace(simulator, accuracy=REFINED, dtype="float64"), bench.head)
    time = clock(lambda: HEAD_CASE.solve(simulator, bench.head), bench.repeats)
    error = relative_error(HEAD_CASE.solve(simulator, bench.head), refined)
    line("gliocast", time, f"{error:.1e}", f"{HEAD_CASE.updates(simulator, bench.head) / 1e6:.0f}e6")
    explicit = HEAD_CASE.explicit(bench.head)
    _, peer = explicit.solve(first_cells(bench.head), num_steps=_FEW)
    line(f"numpy, {_FEW} of {explicit.num_steps} explicit steps, scaled up", f"{peer:.3g} s", "not run", "")
    here = f"{time.median:.2f} s at {error:.1e}"
    met = time.median <= 1.5 and error <= 5e-3
    bench.figure(
        "head, 100 d", here, f"numpy {peer:.3g} s (scaled up)", f"{peer / time.median:.0f}x", "1.5 s at 5e-3", met=met
    )
    other = toolkit_seconds(bench.head, SEED_MM, HEAD_CASE.diffusivity, HEAD_CASE.rate, HEAD_CASE.days, share=0.01)
    if other is None:
        line("TumorGrowthToolkit", "peer not installed", "", "")
        return
    line("TumorGrowthToolkit, an eighth of the steps, scaled up", f"{other:.3g} s", "not run", "")
    bench.figure("head, 100 d", here, f"TumorGrowthToolkit {other:.3g} s (scaled up)", f"{other / time.median:.0f}x")
