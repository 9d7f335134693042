"""Wall time [s] and peak memory [MB] of a command, from a small process: a child's peak begins with its parent's.

python -m benchmarks.process COMMAND
"""

import os
import sys
import time


def main(command: list[str]) -> None:
    """Run a command and print what it took."""
    since = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    kilobyte = 1 if sys.platform == "darwin" else 1e3  # ru_maxrss is in bytes there
    print(time.perf_counter() - since, usage.ru_maxrss * kilobyte / 1e6)


if __name__ == "__main__":
    main(sys.argv[1:])
