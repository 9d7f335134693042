"""Every speed beside its peer, or a limit of the machine, measured in the same run.

python -m benchmarks                       # all, some minutes on two quiet cores
python -m benchmarks --only forward        # one theme
"""

import argparse
import time

from benchmarks import augmentation, batch, forward, gpu, gradient, kernels, memory, models, planning, volume
from benchmarks.bench import Bench, print_machine

THEMES = {
    "kernels": kernels.run,
    "forward": forward.run,
    "batch": batch.run,
    "models": models.run,
    "gradient": gradient.run,
    "volume": volume.run,
    "memory": memory.run,
    "planning": planning.run,
    "augmentation": augmentation.run,
    "gpu": gpu.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=THEMES, action="append", help="a theme; may be given several times")
    parser.add_argument("--repeats", type=int, default=5, help="timings of each job; the median counts")
    options = parser.parse_args()
    since = time.perf_counter()
    bench = Bench(options.repeats)
    print_machine()
    for name in options.only or THEMES:
        THEMES[name](bench)
    bench.close()
    print(f"\n{time.perf_counter() - since:.0f} s in all")


if __name__ == "__main__":
    main()
