"""How a tumor begins: a ball of cells, a point, several balls, or a density that is known.

A start gives the cells of a small box. Its arithmetic holds for numpy arrays and for torch tensors, so that gradients
with respect to the position go through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import erf

from gliocast.core import REAL, Density, Grid, InputError, OutsideTissueError, Parameter
from gliocast.core.box import Box, bounding_box

#: Standard deviation of the initial ball [mm] and its peak density [1]. Both are conventions: what a scan shows months
#: later depends on them only through the time origin.
SEED_WIDTH_MM, SEED_PEAK = 2.0, 0.5

#: Standard deviations at which the ball is cut off [1].
_CUTOFF = 4.0

#: At least this share of the ball must lie in tissue [1].
_MIN_TISSUE = 0.05

#: Wider balls and more of them are no beginning of a tumor [mm], [1].
_MAX_WIDTH_MM, _MAX_SEEDS = 30.0, 64


def seed_parameters(suffix: str = "") -> tuple[Parameter, ...]:
    """World coordinates [mm, RAS] of one seed."""
    return tuple(
        Parameter(
            name=f"seed{suffix}_{axis}",
            symbol=f"x_{axis}",
            unit="mm",
            support=REAL,
            typical=(-np.inf, np.inf),
            source="world coordinates (RAS) of the point where growth began",
        )
        for axis in "xyz"
    )


SEED = seed_parameters()


class Start(Protocol):
    """A way to begin."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the beginning depends on, in the order of `values`."""
        ...

    def require_grid(self, grid: Grid) -> None:
        """Raise InputError unless it can be used with an anatomy on this grid."""
        ...

    def width_mm(self, grid: Grid) -> float:
        """Size of the smallest feature of the initial density [mm]; it sets the first time steps."""
        ...

    def cells(self, values: Sequence[Any] | Any, grid: Grid, tissue: np.ndarray) -> tuple[Any, Box]:
        """Initial density [1] inside of a box, and the box.

        Args:
            values: of `parameters`; floats, or a torch tensor.
            grid: where to put the cells.
            tissue: voxels where growth is possible, bool, shape of `grid`.

        Raises:
            OutsideTissueError: growth can't begin there.
        """
        ...


@dataclass(frozen=True)
class GaussianSeed:
    """A Gaussian ball of cells, moved out of closed voxels without loss of mass until voxels are full.

    Averages over whole voxels make the ball's mass independent of the grid and a smooth function of its position.

    Args:
        width: standard deviation [mm].
        peak: density in the middle of an undisturbed ball [1].
        num_seeds: several balls at once; where they overlap, densities add up to at most 1.
    """

    width: float = SEED_WIDTH_MM
    peak: float = SEED_PEAK
    num_seeds: int = 1

    def __post_init__(self) -> None:
        if not (0 < self.width <= _MAX_WIDTH_MM and 0 < self.peak <= 1 and 1 <= self.num_seeds <= _MAX_SEEDS):
            raise InputError(
                "seed",
                expected=f"a width in (0, {_MAX_WIDTH_MM:g}] mm, a peak in (0, 1] and 1 to {_MAX_SEEDS} seeds",
                got=f"{self.width}, {self.peak}, {self.num_seeds}",
                advice=f"begin with {SEED_WIDTH_MM:g} mm, {SEED_PEAK:g} and 1",
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """World coordinates of each seed [mm, RAS]."""
        if self.num_seeds == 1:
            return SEED
        return tuple(parameter for n in range(self.num_seeds) for parameter in seed_parameters(f"_{n + 1}"))

    def require_grid(self, grid: Grid) -> None:
        """Any grid will do."""

    def width_mm(self, grid: Grid) -> float:
        """The balls' standard deviation [mm]."""
        return self.width

    def cells(self, values: Sequence[Any] | Any, grid: Grid, tissue: np.ndarray) -> tuple[Any, Box]:
        """Initial density of all balls; see `Start`."""
        mass = self.peak * (2 * np.pi) ** 1.5 * self.width**3
        positions = [values[3 * n : 3 * n + 3] for n in range(self.num_seeds)]
        return _together([_ball(position, grid, tissue, self.width, mass) for position in positions])


@dataclass(frozen=True)
class PointSeed:
    """All cells in the voxels around a point, trilinearly shared so that the position counts.

    Args:
        mass: volume of tissue at carrying capacity that the cells would fill [mm^3].
    """

    mass: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.mass <= _MAX_WIDTH_MM**3:
            raise InputError("seed", expected="a positive mass [mm^3]", got=f"{self.mass}", advice="begin with 1")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """World coordinates of the point [mm, RAS]."""
        return SEED

    def require_grid(self, grid: Grid) -> None:
        """Any grid will do."""

    def width_mm(self, grid: Grid) -> float:
        """A voxel."""
        return min(grid.spacing)

    def cells(self, values: Sequence[Any] | Any, grid: Grid, tissue: np.ndarray) -> tuple[Any, Box]:
        """Initial density around the point; see `Start`."""
        center = _voxel(values, grid)
        lower = tuple(int(np.clip(np.floor(c.item()), 0, n - 1)) for c, n in zip(center, grid.shape, strict=True))
        upper = tuple(min(a + 2, n) for a, n in zip(lower, grid.shape, strict=True))
        box = Box(lower, upper)  # type: ignore[arg-type]
        hats = []
        for axis in range(3):
            distance = abs(_like(np.arange(lower[axis], upper[axis], dtype=float), center[axis]) - center[axis])
            hats.append((1 - distance).clip(min=0))
        return _fill(hats, box, grid, tissue, self.mass, values), box


@dataclass(frozen=True, eq=False)
class DensityMap:
    """A density that is known, say of an earlier fit.

    Args:
        density: on the anatomy's grid.
    """

    density: Density

    def __post_init__(self) -> None:
        data = self.density.data
        if not np.isfinite(data).all() or data.min() < 0 or data.max() > 1 or not data.any():
            raise InputError(
                "initial density", expected="values in [0, 1], some positive", got="others", advice="check its unit"
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None."""
        return ()

    def require_grid(self, grid: Grid) -> None:
        """Raise InputError unless this is the density's grid."""
        grid.require_same(self.density.grid, "initial density")

    def width_mm(self, grid: Grid) -> float:
        """A voxel."""
        return min(grid.spacing)

    def cells(self, values: Sequence[Any] | Any, grid: Grid, tissue: np.ndarray) -> tuple[Any, Box]:
        """The density inside tissue; see `Start`."""
        window = self.density.grid.locate(grid, "initial density")
        data = np.where(tissue, self.density.data[window.slices], 0)
        if not data.any():
            raise OutsideTissueError(
                "initial density", expected="cells in white or gray matter", got="none", advice="check its place"
            )
        box = bounding_box(data > 0)
        return data[box.slices], box


def _ball(position: Any, grid: Grid, tissue: np.ndarray, width_mm: float, mass: float) -> tuple[Any, Box]:
    """One Gaussian ball."""
    center = _voxel(position, grid)
    lower, upper, profiles = [], [], []
    for axis, (spacing, size) in enumerate(zip(grid.spacing, grid.shape, strict=True)):
        width = width_mm / spacing
        middle, reach = center[axis].item(), _CUTOFF * width + 1
        first = int(np.clip(np.floor(middle - reach), 0, size - 1))
        last = int(np.clip(np.ceil(middle + reach) + 1, first + 1, size))
        edges = (_like(np.arange(first, last + 1) - 0.5, center[axis]) - center[axis]) / (width * np.sqrt(2))
        cumulated = edges.erf() if hasattr(edges, "erf") else erf(edges)
        profiles.append((cumulated[1:] - cumulated[:-1]) / 2)
        lower.append(first)
        upper.append(last)
    box = Box((lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2]))
    return _fill(profiles, box, grid, tissue, mass, position), box


def _fill(profiles: list[Any], box: Box, grid: Grid, tissue: np.ndarray, mass: float, position: Any) -> Any:
    """A separable bump in open voxels, scaled to a mass [mm^3]."""
    x, y, z = profiles
    bump = x[:, None, None] * y[:, None] * z * _like(tissue[box.slices].astype(float), x)
    inside = bump.sum()
    if inside < _MIN_TISSUE:
        point = ", ".join(f"{c:.1f}" for c in (position.tolist() if hasattr(position, "tolist") else position))
        raise OutsideTissueError(
            "seed",
            expected="a point in white or gray matter",
            got=f"({point}) mm, with {100 * float(inside):.0f} % of the seed in tissue",
            advice="move it into the brain (world coordinates, RAS)",
        )
    return (bump * (mass / grid.voxel_volume / inside)).clip(max=1)


def _voxel(position: Any, grid: Grid) -> Any:
    """Fractional voxel indices of a world position; keeps the history of a tensor."""
    inverse = np.linalg.inv(grid.affine[:3, :3])
    if not hasattr(position, "detach"):
        position = np.asarray(position, dtype=float)
    return _like(inverse, position) @ (position - _like(grid.affine[:3, 3], position))


def _like(array: np.ndarray, example: Any) -> Any:
    """An array of the example's kind."""
    return example.new_tensor(np.ascontiguousarray(array)) if hasattr(example, "new_tensor") else array


def _together(parts: list[tuple[Any, Box]]) -> tuple[Any, Box]:
    """The sum of several boxes' cells, at most 1."""
    if len(parts) == 1:
        return parts[0]
    whole = parts[0][1]
    for _, box in parts:
        whole = whole.union(box)
    shape = tuple(b - a for a, b in zip(whole.lower, whole.upper, strict=True))
    total: Any = 0
    for cells, box in parts:
        pads = [(a - w, v - b) for a, w, b, v in zip(box.lower, whole.lower, box.upper, whole.upper, strict=True)]
        total = total + pad(cells, pads)
    return total.reshape(shape).clip(max=1), whole


def pad(cells: Any, pads: list[tuple[int, int]]) -> Any:
    """Zeros around an array or tensor of three axes: (before, after) along each."""
    if hasattr(cells, "new_tensor"):
        from torch.nn.functional import pad as torch_pad  # a second of import that only tensors need

        (a, b), (c, d), (e, f) = pads
        return torch_pad(cells, (e, f, c, d, a, b))
    return np.pad(cells, pads)
