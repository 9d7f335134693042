"""How much the voxels that growth is solved on matter: the same parameters on coarser ones, beside 2 or 1 mm.

Fronts as wide as a voxel travel too fast on a lattice (the narrower, the more so), so parameters that fit on one voxel
size grow another tumor on another one. Unseen tumors of validation/morph_infer.py, synthetic; densities are
interpolated linearly to the finer voxels.

    python validation/voxel_size.py --tumors 12
    python validation/voxel_size.py --tumors 6 --fine 1
"""

import argparse

import numpy as np
from scipy import ndimage

from gliocast.cohort import atlas_anatomy
from gliocast.cohort.atlas_tumors import TumorSource, learning_forward
from gliocast.core import Density, Grid, dice
from gliocast.data.atlas import load_mni152

TEST_SEED, SPACINGS = 1000, (1, 2, 3, 4)
LEVELS = (0.01, 0.1, 0.8)


def carried(density: Density, grid: Grid) -> np.ndarray:
    """A density on another grid."""
    lattice = np.linalg.inv(density.grid.affine) @ grid.affine
    return ndimage.affine_transform(density.data, lattice[:3, :3], lattice[:3, 3], grid.shape, order=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tumors", type=int, default=12)
    parser.add_argument(
        "--fine", type=int, choices=SPACINGS[:-1], default=2, help="voxels that others are held to [mm]"
    )
    options = parser.parse_args()
    finest, *coarser = (spacing for spacing in SPACINGS if spacing >= options.fine)
    brain = atlas_anatomy(load_mni152())
    anatomies = {spacing: brain.coarsen((spacing,) * 3) for spacing in (finest, *coarser)}
    forward, source = learning_forward("fisher-kolmogorov"), TumorSource("fisher-kolmogorov", TEST_SEED)
    rows: dict[int, list[list[float]]] = {spacing: [] for spacing in coarser}
    for number in range(options.tumors):
        values = source[number].identifiable
        densities = {spacing: forward(values, anatomy, days=[1.0])[0] for spacing, anatomy in anatomies.items()}
        fine, inside = densities[finest].data, anatomies[finest].brain
        for spacing in coarser:
            there = carried(densities[spacing], anatomies[finest].grid)
            overlaps = [dice((there > level) & inside, (fine > level) & inside) for level in LEVELS]
            volume = densities[spacing].volume_above(0.1) / densities[finest].volume_above(0.1)
            rows[spacing].append([*overlaps, volume])
    print(f"| mean of {options.tumors} | Dice at 0.01 | at 0.1 | at 0.8 | volume above 0.1 over that at {finest} mm |")
    print("|---|---|---|---|---|")
    for spacing, part in rows.items():
        print(f"| {spacing} mm | {' | '.join(f'{value:.3f}' for value in np.mean(part, axis=0))} |")


if __name__ == "__main__":
    main()
