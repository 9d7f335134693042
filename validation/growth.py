"""Physics of every growth equation, as a table of checks: claim, figure, tolerance and its reason.

Quick versions of most stand in tests/growth; here grids are finer, sweeps wider and solves longer. Saves nothing.

    python validation/growth.py              # all themes, some minutes on two cores
    python validation/growth.py fronts laws  # some
"""

import argparse
import importlib
import sys
import time

from growth.table import print_theme

THEMES = {
    "fronts": "Speed of fronts",
    "diffusion": "Heat kernels and orders of convergence",
    "balance": "Balance of mass",
    "bounds": "Densities in [0, 1], walls",
    "symmetry": "Symmetries",
    "necrosis": "Necrosis and nutrient",
    "pressure": "Elasticity and mass effect",
    "therapy": "Treatments",
    "laws": "Laws of volume growth",
    "gradients": "Gradients and their cost",
    "backends": "Implementations",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("themes", nargs="*", help=f"of {', '.join(THEMES)}; all by default")
    chosen = parser.parse_args().themes or list(THEMES)
    if unknown := set(chosen) - set(THEMES):
        parser.error(f"no such theme: {', '.join(sorted(unknown))}")
    since, count, failed = time.perf_counter(), 0, 0
    for name in chosen:
        begun = time.perf_counter()
        rows, wrong = print_theme(THEMES[name], importlib.import_module(f"growth.{name}").rows())
        print(f"{name}: {rows} rows, {wrong} failed, {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        count, failed = count + rows, failed + wrong
    print(f"\n{count} rows, {failed} failed, {time.perf_counter() - since:.0f} s.")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
