"""Is the error of time stepping below what was asked? Tumors over the whole prior, against steps that are far shorter.

D_w, rho and the age are drawn log-uniformly from 0.02 to 1.5 mm^2/d, 0.002 to 0.2 /d and 50 to 600 d, seeds from white
matter of MNI152 at 2 mm. The error is the relative L2 distance of the density on the last day. Changing the constants
of `growth.time_grid` means running this.

    python validation/time_steps.py --tumors 30
"""

import argparse

import numpy as np

from gliocast.cohort import atlas_anatomy
from gliocast.core import Anatomy
from gliocast.data.atlas import load_mni152
from gliocast.growth import Simulator

LOWEST, HIGHEST = (0.02, 0.002, 50.0), (1.5, 0.2, 600.0)
ASKED = (1e-1, 2e-2, 5e-3, 1e-3)
#: What the references aim at [1]: steps thirteen times shorter than by default, float64.
REFERENCE = 3e-5


def draw_tumors(anatomy: Anatomy, count: int, generator: np.random.Generator) -> np.ndarray:
    """D_w, rho, age and the seed's coordinates of each tumor."""
    numbers = np.exp(generator.uniform(np.log(LOWEST), np.log(HIGHEST), (count, 3)))
    places = np.argwhere(anatomy.white_matter > 0.6)
    seeds = anatomy.grid.world_from_voxel(places[generator.integers(len(places), size=count)])
    return np.hstack([numbers, seeds])


def grow(simulator: Simulator, tumor: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    diffusivity, rate, days, *seed = tumor
    return simulator((diffusivity, rate, *seed), anatomy, days=[days])[0].data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tumors", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    anatomy = atlas_anatomy(load_mni152()).coarsen((2, 2, 2))
    tumors = draw_tumors(anatomy, options.tumors, np.random.default_rng(options.seed))
    errors = np.empty((len(ASKED), len(tumors)))
    for n, tumor in enumerate(tumors):
        reference = grow(Simulator(accuracy=REFERENCE, dtype="float64"), tumor, anatomy)
        for m, asked in enumerate(ASKED):
            density = grow(Simulator(accuracy=asked), tumor, anatomy)
            errors[m, n] = np.linalg.norm(density - reference) / np.linalg.norm(reference)
    print("| asked | median | 90 % | largest | above what was asked | D_w, rho, days of the largest |")
    print("|---|---|---|---|---|---|")
    for asked, row in zip(ASKED, errors, strict=True):
        worst = ", ".join(f"{number:.3g}" for number in tumors[row.argmax(), :3])
        share = f"{np.count_nonzero(row > asked)} of {len(row)}"
        print(
            f"| {asked:g} | {np.median(row):.1e} | {np.quantile(row, 0.9):.1e} | {row.max():.1e} | {share} | {worst} |"
        )


if __name__ == "__main__":
    main()
