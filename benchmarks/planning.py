"""A plan with a coverage target on 240 x 240 x 155 voxels and 200 posterior samples, as `gliocast plan` makes it.

The case is MNI152 on the grid of a scan at 1 mm, with a tumor of typical numbers and samples of it at 2 mm. What is
timed is a process of its own: Python's imports, reading, planning around falx and tentorium, and writing.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.bench import SEED_MM, Bench, line, table
from benchmarks.memory import scan_anatomy

from gliocast.anatomy import Correspondence
from gliocast.core import Anatomy, Density
from gliocast.data import open_series, write_volume
from gliocast.data.atlas import load_mni152
from gliocast.growth import Simulator
from gliocast.planning import barriers_from_atlas

#: Posterior samples [1].
NUM_SAMPLES = 200
#: Diffusivity times age [mm^2] and proliferation rate times age [1] in the middle of the samples.
_MIDDLE = 45.0, 11.0
#: Standard deviation of the samples' logarithms [1], and of their seeds [mm].
_SPREAD, _SEED_SPREAD_MM = 0.15, 1.0
#: Densities at which T1c and FLAIR begin to show the tumor [1].
_CORE, _WHOLE = 0.6, 0.25
#: What a plan may take [s], [MB].
_MOST_SECONDS, _MOST_MEMORY = 10.0, 3000.0

_SAMPLES = "samples.nii.gz"


def run(bench: Bench) -> None:
    """Print what plans with and without posterior samples take."""
    print(f"\n## A plan on 240 x 240 x 155 voxels, {NUM_SAMPLES} posterior samples, a process of its own\n")
    with tempfile.TemporaryDirectory() as place:
        case = Path(place)
        options = write_case(case, bench.head)
        coverage = ["--model", "coverage", "--value", "0.95", "--samples", str(case / _SAMPLES)]
        table("targets", "seconds, median (least)", "peak memory, MB")
        jobs = {"help alone": ["--help"], "iso-volume": options, "coverage": [*options, *coverage]}
        seconds, memory = {}, {}
        for name, arguments in jobs.items():
            runs = [_run([*arguments, "--quiet", "--out", str(case / name)]) for _ in range(bench.repeats)]
            times, peaks = zip(*runs, strict=True)
            seconds[name], memory[name] = float(np.median(times)), max(peaks)
            line(name, f"{seconds[name]:.2f} ({min(times):.2f})", f"{memory[name]:.0f}")
    met = seconds["coverage"] <= _MOST_SECONDS and memory["coverage"] <= _MOST_MEMORY
    bench.figure(
        f"plan, 240x240x155, {NUM_SAMPLES} samples",
        f"{seconds['coverage']:.1f} s, {memory['coverage'] / 1e3:.1f} GB",
        f"iso-volume {seconds['iso-volume']:.1f} s",
        f"{seconds['coverage'] / seconds['iso-volume']:.1f}x",
        f"{_MOST_SECONDS:g} s, {_MOST_MEMORY / 1e3:g} GB",
        met=met,
    )


def write_case(folder: Path, head: Anatomy) -> list[str]:
    """Write the files of a plan; returns the options that name them, samples left out."""
    anatomy = scan_anatomy(head)
    grid = anatomy.grid
    density = Simulator()((*_MIDDLE, *SEED_MM), anatomy, days=[1.0])[0].data
    labels = np.select([density > _CORE, density > _WHOLE], [4, 2]).astype(np.uint8)
    nodes = np.moveaxis(grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0)
    barriers = barriers_from_atlas(load_mni152(), Correspondence(nodes.astype(np.float32), grid), grid)
    assert barriers is not None  # the atlas has both
    images = {
        "density": density,
        "seg": labels,
        "white-matter": anatomy.white_matter,
        "gray-matter": anatomy.gray_matter,
        "csf": anatomy.csf,
        **{name: mask.astype(np.uint8) for name, mask in barriers.masks.items()},
    }
    for name, data in images.items():
        write_volume(folder / f"{name}.nii.gz", data, grid)
    coarse = anatomy.coarsen((2, 2, 2))
    numbers = tuple(float(n) for n in range(NUM_SAMPLES))
    with open_series(folder / _SAMPLES, coarse.grid, days=numbers) as append:
        for sample in _samples(coarse):
            append(sample.data)
    return [part for name in images for part in (f"--{name}", str(folder / f"{name}.nii.gz"))]


def _samples(coarse: Anatomy) -> Iterator[Density]:
    """Tumors around the middle one."""
    generator = np.random.default_rng(0)
    values = np.array([*_MIDDLE, *SEED_MM]) * np.ones((NUM_SAMPLES, 1))
    values[:, :2] *= np.exp(_SPREAD * generator.standard_normal((NUM_SAMPLES, 2)))
    values[:, 2:] += _SEED_SPREAD_MM * generator.standard_normal((NUM_SAMPLES, 3))
    for days in Simulator().batch(values, coarse, days=[1.0]):
        assert not isinstance(days, Exception)
        yield days[0]


def _run(arguments: list[str]) -> tuple[float, float]:
    """Wall time [s] and peak memory [MB] of `gliocast plan`."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.process", sys.executable, "-m", "gliocast.cli.main", "plan", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    seconds, memory = (float(number) for number in done.stdout.splitlines()[-1].split())
    return seconds, memory
