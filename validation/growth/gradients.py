"""The discrete adjoint at a realistic size: against finite differences, and what it costs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gliocast.core import Grid
from gliocast.growth import Simulator, adjoint
from gliocast.growth.evolve import Tempo

from .scenes import OWN, model, patchy
from .table import Row, below, between, told

SIZE = 64
DAYS = 40.0
CENTER = (31.3, 33.1, 30.6)
#: Of time steps; gradients are exact whatever it is.
ACCURACY = 2e-2
#: Memory is measured at these numbers of time steps, on a smaller grid.
NUM_STEPS, MEMORY_SIZE = (64, 576), 40
VALIDATION = Path(__file__).parents[1]
FIELD_MB = MEMORY_SIZE**3 * 8 / 1e6

Tensor = torch.Tensor
EXACT = "relative; the gradient of the scheme itself against central differences in float64"


@dataclass(frozen=True)
class Paced(Simulator):
    """A simulator with the time steps of one point, which gradients don't differentiate.

    Args:
        point: the point.
    """

    point: tuple[float, ...] = ()

    def tempo(self, values: object, grid: Grid) -> Tempo:
        """That of the point."""
        return super().tempo(self.point, grid)


def rows() -> Iterator[Row]:
    for name, days in (("Fisher-Kolmogorov", DAYS), ("tensor", 5.0), ("proliferative-necrotic", 8.0)):
        yield below(
            f"{name}, {SIZE}^3, {days:g} d, float64: along a random direction of parameters and seed",
            parameter_error(name, days),
            1e-7,
            EXACT,
        )
    yield below(f"Initial density, {SIZE}^3, along a random direction", initial_error(), 1e-7, EXACT)
    for number, label in enumerate(("initial density", "D(x)", "rho(x)")):
        yield below(f"Fields, {SIZE}^3: along a random direction of {label}", field_error(number), 1e-7, EXACT)
    value, gradient = seconds()
    yield below(
        f"Time of value and gradient in all three fields over time of the value ({SIZE}^3, float32; {value:.2f} s)",
        gradient / value,
        20.0,
        "two recomputations and a way back of two to four sweeps for one make 6; threads on busy cores cost more",
    )
    few, many = (peak_memory(num_steps, returned=True) for num_steps in NUM_STEPS)
    whole = NUM_STEPS[1] * FIELD_MB
    yield between(
        f"Peak memory of a gradient where freed arrays go back to the system, {NUM_STEPS[0]} steps ({few:.0f} MB) to "
        f"{NUM_STEPS[1]} ({many:.0f} MB; {MEMORY_SIZE}^3, float64, all states {whole:.0f} MB): exponent in the steps",
        float(np.log(many / few) / np.log(NUM_STEPS[1] / NUM_STEPS[0])),
        0.2,
        0.65,
        "2 sqrt(N) states, 0.5, beside what a step needs, 0",
    )
    yield told(
        "The same with glibc's own choice, which keeps freed arrays below 32 MB in its heap",
        f"{peak_memory(NUM_STEPS[0], returned=False):.0f} and {peak_memory(NUM_STEPS[1], returned=False):.0f} MB",
        "some of what was freed stays resident; see the text",
    )


def weights(seed: int = 0, size: int = SIZE) -> Tensor:
    return torch.rand((size, size, size), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mismatch(loss: Callable[[Tensor], Tensor], point: Tensor, direction: Tensor, step: float) -> float:
    """Relative difference of the derivative along a direction and its central difference."""
    point = point.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(point), point)
    predicted = float((gradient * direction).sum())
    with torch.no_grad():
        ends = [float(loss(point.detach() + sign * step * direction)) for sign in (1, -1)]
    return abs((ends[0] - ends[1]) / (2 * step) / predicted - 1)


def parameter_error(name: str, days: float) -> float:
    anatomy = patchy((SIZE, SIZE, SIZE))
    numbers = np.array((*OWN[name], *CENTER))
    simulator = Paced(model(name, anatomy.grid), dtype="float64", accuracy=ACCURACY, point=tuple(numbers))
    scale = np.r_[numbers[:-3], np.ones(3)] * np.random.default_rng(2).uniform(0.3, 1, len(numbers))

    def loss(point: Tensor) -> Tensor:
        return (weights() * adjoint.grow(simulator, point, anatomy, days=[days])[0]).sum()

    return mismatch(loss, torch.tensor(numbers), torch.tensor(scale), 1e-4)


def initial_error() -> float:
    anatomy = patchy((SIZE, SIZE, SIZE))
    own = torch.tensor(OWN["Fisher-Kolmogorov"], dtype=torch.float64)
    simulator = Simulator(dtype="float64", accuracy=ACCURACY)

    def loss(first: Tensor) -> Tensor:
        return (weights() * adjoint.grow(simulator, own, anatomy, days=[DAYS], initial=first)[0]).sum()

    return mismatch(loss, 0.1 + 0.4 * weights(1), weights(2) - 0.5, 1e-4)


def field_error(number: int) -> float:
    """Of the initial density, D(x) or rho(x); the largest D and rho set the time steps and stay as they are."""
    fields = [0.1 + 0.4 * weights(1), 0.1 + 0.2 * weights(2), 0.05 + 0.05 * weights(3)]
    direction = fields[number] * (weights(4) - 0.3)
    if number > 0:
        fields[number][0, 0, 0] *= 2
        direction[0, 0, 0] = 0

    def loss(field: Tensor) -> Tensor:
        given = [field if n == number else other for n, other in enumerate(fields)]
        grown = adjoint.grow_fields(*given, spacing=(1.0, 1.0, 3.0), days=[DAYS], accuracy=ACCURACY)
        return (weights() * grown[0]).sum()

    return mismatch(loss, fields[number], direction, 1e-4)


def seconds(repeats: int = 6) -> tuple[float, float]:
    """Shortest time of a value, and of the value with its gradient in the initial density, D(x) and rho(x)."""
    fields = [(0.1 + 0.4 * weights(1)).float(), (0.1 + 0.2 * weights(2)).float(), (0.05 + 0.05 * weights(3)).float()]

    def value() -> Tensor:
        return adjoint.grow_fields(*fields, spacing=(1.0, 1.0, 1.0), days=[DAYS]).square().sum()

    before = clock(value, repeats)
    for field in fields:
        field.requires_grad_()
    return before, clock(lambda: value().backward(), repeats)


def clock(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats + 1):  # the first one compiles
        since = time.perf_counter()
        run()
        times.append(time.perf_counter() - since)
    return min(times[1:])  # threads that wait for a core spin, so other times say more of the machine


def peak_memory(num_steps: int, *, returned: bool) -> float:
    """What a process of its own takes for a gradient beyond what a short one takes [MB].

    Args:
        num_steps: of the solve.
        returned: whether freed arrays go back to the system at once, so that only those in use count.
    """
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1"}
    if returned:
        environment["MALLOC_MMAP_THRESHOLD_"] = "65536"
    command = [sys.executable, "-m", __name__, str(num_steps)]
    return float(
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=VALIDATION).stdout
    )


def measure_memory(num_steps: int) -> None:
    """Print by how much the peak of this process rises with a gradient through so many steps [MB]."""
    rate, length = 0.1, 0.5  # at this accuracy a step is as long as 0.05 / rate

    def gradient(days: float) -> None:
        first = (0.1 + 0.4 * weights(1, MEMORY_SIZE)).requires_grad_()
        fields = torch.full_like(first, 0.01), first.new_tensor(rate)
        grown = adjoint.grow_fields(first, *fields, spacing=(1.0, 1.0, 1.0), days=[days], accuracy=5e-5)
        grown.square().sum().backward()

    gradient(2 * length)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from now on
    before = resident_memory("VmRSS")
    gradient(num_steps * length)
    print(resident_memory("VmHWM") - before)


def resident_memory(entry: str) -> float:
    """Of this process, now or its peak [MB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(entry)) / 1024


if __name__ == "__main__":
    measure_memory(int(sys.argv[1]))
