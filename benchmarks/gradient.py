"""What a gradient costs, in time and in memory."""

import numpy as np
import torch
from benchmarks.bench import Bench, clock, line, table
from benchmarks.forward import CROP_CASE
from benchmarks.memory import in_fresh_process

from gliocast.core import Anatomy
from gliocast.growth import Simulator
from gliocast.growth.adjoint import grow


def value_and_gradient(anatomy: Anatomy) -> np.ndarray:
    """Gradient of a sum over the final density in all five parameters."""
    values = torch.tensor(CROP_CASE.values, dtype=torch.float32, requires_grad=True)
    grow(Simulator(), values, anatomy, days=[CROP_CASE.days]).square().sum().backward()
    return np.asarray(values.grad)


def value(anatomy: Anatomy) -> float:
    """The sum alone, by the same sweeps."""
    with torch.no_grad():
        values = torch.tensor(CROP_CASE.values, dtype=torch.float32)
        return float(grow(Simulator(), values, anatomy, days=[CROP_CASE.days]).square().sum())


def run(bench: Bench) -> None:
    print(f"\n## Value and gradient in all five parameters\n\n128^3 crop, {CROP_CASE}\n")
    table("what", "seconds", "over the simulator's value")
    plain = clock(lambda: CROP_CASE.solve(Simulator(), bench.crop), bench.repeats)
    line("value, the simulator", plain, 1)
    same = clock(lambda: value(bench.crop), bench.repeats)
    line("value, the sweeps of the gradient (no active box)", same, f"{same.median / plain.median:.1f}")
    both = clock(lambda: value_and_gradient(bench.crop), 2)
    line("value and gradient", both, f"{both.median / plain.median:.1f}")
    bench.figure(
        "value and gradient, 128^3",
        f"{both.median:.2f} s",
        f"value by the same sweeps {same.median:.2f} s",
        f"{both.median / same.median:.1f}x",
    )
    bench.figure(
        "value and gradient, 128^3",
        f"{both.median:.2f} s",
        f"value by the simulator {plain.median:.3f} s",
        f"{both.median / plain.median:.1f}x",
    )
    memory = in_fresh_process("gradient")
    if memory is not None:
        print(f"\nresident: {memory}; value and gradient take {memory.grown:.0f} MB")
        field = 4e-6 * 128**3
        ratio = f"{memory.grown / field:.0f} fields"
        bench.figure("value and gradient, memory", f"{memory.grown:.0f} MB", f"one field {field:.1f} MB", ratio)
