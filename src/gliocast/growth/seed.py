"""How a tumor begins: a small Gaussian ball of cells."""

import numpy as np
from scipy.special import erf

from gliocast.core import Grid, OutsideTissueError
from gliocast.core.box import Box

#: Standard deviation of the initial ball [mm] and its peak density [1]. Both are conventions: what a scan shows months
#: later depends on them only through the time origin.
SEED_WIDTH_MM, SEED_PEAK = 2.0, 0.5

#: Standard deviations at which the ball is cut off [1].
_CUTOFF = 4.0

#: At least this share of the ball must lie in tissue [1].
_MIN_TISSUE = 0.05


def gaussian_seed(grid: Grid, tissue: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, Box]:
    """Cell averages of a Gaussian ball, moved out of closed cells without loss of mass until cells are full.

    Averages over whole cells make the ball's mass independent of the grid and a smooth function of its position.

    Args:
        grid: where to put it; the ball is round in world space if the grid's axes are orthogonal.
        tissue: cells where growth is possible, bool.
        position: center, world coordinates [mm, RAS], shape (3,).

    Returns:
        Initial density, float64, and a box that holds it.

    Raises:
        OutsideTissueError: the seed lies outside the brain tissue.
    """
    center = grid.voxel_from_world(np.asarray(position))
    lower, upper, profiles = [], [], []
    for axis, (spacing, size) in enumerate(zip(grid.spacing, grid.shape, strict=True)):
        width = SEED_WIDTH_MM / spacing
        reach = _CUTOFF * width + 1
        first = int(np.clip(np.floor(center[axis] - reach), 0, size - 1))
        last = int(np.clip(np.ceil(center[axis] + reach) + 1, first + 1, size))
        edges = (np.arange(first, last + 1) - 0.5 - center[axis]) / (width * np.sqrt(2))
        profiles.append(np.diff(erf(edges)) / 2)
        lower.append(first)
        upper.append(last)
    box = Box((lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2]))
    ball = np.einsum("i,j,k->ijk", *profiles) * tissue[box.slices]
    inside = ball.sum()
    if inside < _MIN_TISSUE:
        point = ", ".join(f"{x:.1f}" for x in position)
        raise OutsideTissueError(
            "seed",
            expected="a point in white or gray matter",
            got=f"({point}) mm, with {100 * inside:.0f} % of the seed in tissue",
            advice="move it into the brain (world coordinates, RAS)",
        )
    mass = SEED_PEAK * (2 * np.pi) ** 1.5 * SEED_WIDTH_MM**3 / grid.voxel_volume
    density = np.zeros(grid.shape)
    density[box.slices] = np.minimum(ball * (mass / inside), 1.0)
    return density, box
