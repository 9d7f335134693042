"""What a solve is compared with: a plain numpy solver, and the toolkit of others where it is installed."""

import math
import time
from dataclasses import dataclass

import numpy as np

from gliocast.core import Anatomy


@dataclass(frozen=True)
class Explicit:
    """Fisher-Kolmogorov growth by explicit Euler steps in numpy: what one writes in an afternoon.

    The equation, the finite volumes and their harmonic face coefficients are those of gliocast; the steps follow the
    rule of TumorGrowthToolkit, three quarters of what is stable and a hundred more.

    Args:
        mobility: D(x) / D_w [1].
        spacing: voxel size [mm].
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        days: how long to grow [d].
    """

    mobility: np.ndarray
    spacing: tuple[float, float, float]
    diffusivity: float
    rate: float
    days: float

    @property
    def num_steps(self) -> int:
        """Steps of the whole solve [1]."""
        return math.ceil(8 * self.diffusivity * self.days / min(self.spacing) ** 2 + 100)

    def solve(self, density: np.ndarray, *, num_steps: int | None = None) -> tuple[np.ndarray, float]:
        """Density after some of the steps (None: all of them), and the seconds that all of them take."""
        u = density.astype(float)
        faces = [self._faces(axis) for axis in range(3)]
        steps = self.num_steps if num_steps is None else num_steps
        step = self.days / self.num_steps
        since = time.perf_counter()
        for _ in range(steps):
            change = self.rate * u * (1 - u)
            for axis, face in enumerate(faces):
                flux = face * np.diff(u, axis=axis)
                change[_inner(axis, 0, -1)] += flux
                change[_inner(axis, 1, None)] -= flux
            u += step * change
        return u, (time.perf_counter() - since) * self.num_steps / steps

    def _faces(self, axis: int) -> np.ndarray:
        """D over h^2 on the faces between cells: harmonic means."""
        cells = self.mobility.astype(float)
        left, right = cells[_inner(axis, 0, -1)], cells[_inner(axis, 1, None)]
        total = np.where(left + right > 0, left + right, 1)
        return 2 * left * right / total * self.diffusivity / self.spacing[axis] ** 2


def _inner(axis: int, start: int, stop: int | None) -> tuple[slice, ...]:
    index = [slice(None)] * 3
    index[axis] = slice(start, stop)
    return tuple(index)


def toolkit_seconds(
    anatomy: Anatomy, seed: np.ndarray, diffusivity: float, rate: float, days: float, *, share: float = 1.0
) -> float | None:
    """Seconds of a solve by TumorGrowthToolkit as it is, None where it isn't installed.

    Args:
        share: of the time to grow that is done; the seconds are scaled up.
    """
    try:
        from TumorGrowthToolkit.FK import Solver
    except ImportError:
        return None
    place = anatomy.grid.voxel_from_world(seed) / anatomy.grid.shape
    values = {
        "Dw": diffusivity,
        "rho": rate,
        "gm": anatomy.gray_matter,
        "wm": anatomy.white_matter,
        "RatioDw_Dg": 10.0,
        "stopping_time": days * share,
        "resolution_factor": 1,
        **{f"N{axis}T1_pct": float(p) for axis, p in zip("xyz", place, strict=True)},
    }
    since = time.perf_counter()
    result = Solver(values).solve()
    seconds = time.perf_counter() - since
    if not result["success"]:
        raise RuntimeError(result["error"])
    rule = 8 * diffusivity * days / min(anatomy.grid.spacing) ** 2
    return seconds * (rule + 100) / (rule * share + 100)
