"""Memory of one solve on 240 x 240 x 155 voxels, in a process of its own.

python -m benchmarks.memory head|gradient
"""

import ctypes
import gc
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from benchmarks.bench import SEED_MM, Bench

from gliocast.core import Anatomy, Grid
from gliocast.growth import Simulator

#: The grid of a BraTS scan at 1 mm.
_SHAPE = 240, 240, 155

#: Target [MB].
_MOST = 1000

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Resident(NamedTuple):
    """Resident memory of a process [MB].

    Args:
        imports: with everything imported.
        before: with the anatomy and the compiled loops too.
        peak: the most during the job.
    """

    imports: float
    before: float
    peak: float

    @property
    def grown(self) -> float:
        """What the job took [MB]."""
        return self.peak - self.before

    def __str__(self) -> str:
        return f"imports {self.imports:.0f} MB, with anatomy {self.before:.0f} MB, at most {self.peak:.0f} MB"


def in_fresh_process(what: str) -> Resident | None:
    """Memory of a job; None where it can't be seen."""
    if not _RESET.exists():
        print("memory: peak not measured on this system")
        return None
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", what],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    return Resident(*(float(number) for number in done.stdout.split()))


def run(bench: Bench) -> None:
    print(f"\n## Memory of a solve on {' x '.join(map(str, _SHAPE))} voxels, float32\n")
    memory = in_fresh_process("head")
    if memory is None:
        return
    print(f"resident: {memory}; the solve takes {memory.grown:.0f} MB")
    field = 4e-6 * np.prod(_SHAPE)
    bench.figure(
        "memory, 240x240x155",
        f"{memory.grown:.0f} MB",
        f"one field {field:.0f} MB",
        f"{memory.grown / field:.1f} fields",
        "1 GB",
        met=memory.grown < _MOST,
    )


def scan_anatomy(head: Anatomy) -> Anatomy:
    """The head on the grid of a scan: rows of background added, the lowest slices of the cerebellum left out."""
    parts = []
    offset = [(n - m) // 2 if n > m else n - m for n, m in zip(_SHAPE, head.grid.shape, strict=True)]
    for part in (head.white_matter, head.gray_matter, head.csf, head.brain):
        kept = part[tuple(slice(max(-o, 0), None) for o in offset)]
        pads = [(max(o, 0), n - max(o, 0) - m) for o, n, m in zip(offset, _SHAPE, kept.shape, strict=True)]
        parts.append(np.pad(kept, pads))
    affine = head.grid.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ offset
    return Anatomy(*parts, Grid(_SHAPE, affine))


def _resident(name: str) -> float:
    for entry in _STATUS.read_text().splitlines():
        if entry.startswith(name):
            return float(entry.split()[1]) / 1e3
    raise RuntimeError(f"{name} not in {_STATUS}")


def _measure(what: str) -> None:
    bench = Bench()
    imports = _resident("VmRSS")
    if what == "gradient":
        from benchmarks.gradient import value_and_gradient

        anatomy = bench.crop
        value_and_gradient(bench.coarse)  # loads the compiled loops

        def job() -> None:
            value_and_gradient(anatomy)
    else:
        anatomy = scan_anatomy(bench.head)
        Simulator()((1.0, 0.05, *SEED_MM), bench.coarse, days=[10.0])

        def job() -> None:
            Simulator()((1.0, 0.05, *SEED_MM), anatomy, days=[100.0])

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the heap keeps for later would hide what the solve takes
    before = _resident("VmRSS")
    _RESET.write_text("5")  # the peak is counted from here
    job()
    print(imports, before, _resident("VmHWM"))


if __name__ == "__main__":
    _measure(sys.argv[1])
