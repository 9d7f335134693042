"""The same solves on a GPU, in seconds, where there is one."""

import numpy as np
import torch
from benchmarks.batch import NUM_SOLVES, consume, typical_tumors
from benchmarks.bench import Bench, clock, line, relative_error, table
from benchmarks.forward import CROP_CASE, HEAD_CASE

from gliocast.growth import Simulator


def run(bench: Bench) -> None:
    print("\n## GPU\n")
    if not torch.cuda.is_available():
        print("no GPU here")
        return
    simulator, plain = Simulator(backend="torch", device="cuda"), Simulator()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    table("what", "GPU", "CPU, same run", "distance of the two densities")
    for name, case, anatomy in (("128^3, 100 d", CROP_CASE, bench.crop), ("head, 100 d", HEAD_CASE, bench.head)):
        fast = clock(lambda c=case, a=anatomy: c.solve(simulator, a), bench.repeats)
        slow = clock(lambda c=case, a=anatomy: c.solve(plain, a), 2)
        apart = relative_error(case.solve(simulator, anatomy), case.solve(plain, anatomy))
        line(name, fast, slow, f"{apart:.1e}")
        ratio = f"{slow.median / fast.median:.1f}x"
        bench.figure(f"GPU: {name}", f"{fast.median:.3f} s", f"CPU {slow.median:.2f} s", ratio)
    values = typical_tumors(bench.coarse, NUM_SOLVES)
    fast = clock(lambda: consume(simulator.batch(values, bench.coarse, days=[1.0])), bench.repeats)
    slow = clock(lambda: consume(plain.batch(values, bench.coarse, days=[1.0])), 2)
    both = (next(iter(s.batch(values[:1], bench.coarse, days=[1.0]))) for s in (simulator, plain))
    first, second = (np.asarray(densities[0].data) for densities in both if densities is not None)
    line(f"64^3, batch of {NUM_SOLVES}", fast, slow, f"{relative_error(first, second):.1e}")
    here, there = (1e3 * time.median / NUM_SOLVES for time in (fast, slow))
    bench.figure(
        f"GPU: 64^3, {NUM_SOLVES} solves", f"{here:.1f} ms each", f"CPU {there:.1f} ms", f"{there / here:.1f}x"
    )
