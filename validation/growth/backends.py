"""One tumor from every implementation."""

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from gliocast.core import Anatomy, GrowthModel
from gliocast.growth import MassEffect, Simulator

from .scenes import CLINICAL, OWN, model, patchy
from .table import Row, below, told

SHAPE, CENTER, DAYS = (40, 38, 16), (19.3, 18.2, 24.6), [20.0, 50.0]


def rows() -> Iterator[Row]:
    anatomy = patchy(SHAPE, CLINICAL)
    for name, (equation, own) in equations(anatomy).items():
        reference = grow(equation, own, anatomy, dtype="float64", backend="numba-single")
        for dtype, limit in (("float64", 2e-5), ("float32", 5e-5)):
            for backend in ("numba", "numba-single", "torch"):
                if (dtype, backend) == ("float64", "numba-single"):
                    continue
                ours = grow(equation, own, anatomy, dtype=dtype, backend=backend)
                yield below(
                    f"{name}: {backend}, {dtype}, against numba-single, float64: largest difference of a density",
                    float(abs(ours - reference).max()),
                    limit,
                    "the box leaves out what is below 1e-5 of the first peak"
                    + ("; rounding of some hundred sweeps" if dtype == "float32" else ""),
                )
    if shutil.which("c++") is None or sys.platform == "win32":
        yield told("Compiled torch", "not measured", "this machine has no C++ compiler")
        return
    for name in ("Fisher-Kolmogorov", "proliferative-necrotic"):
        equation, own = model(name, anatomy.grid), OWN[name]
        plain, compiled = (grow(equation, own, anatomy, backend="torch", compiled=flag) for flag in (False, True))
        yield below(
            f"{name}: compiled torch against plain torch, float32: largest difference of a density",
            float(abs(compiled - plain).max()),
            5e-6,
            "the same sums in another order",
        )


def equations(anatomy: Anatomy) -> dict[str, tuple[GrowthModel, tuple[float, ...]]]:
    found: dict[str, tuple[GrowthModel, tuple[float, ...]]] = {
        name: (model(name, anatomy.grid), own) for name, own in OWN.items()
    }
    found["mass effect"] = MassEffect(), (0.2, 0.08, 2.0)
    return found


def grow(equation: GrowthModel, own: tuple[float, ...], anatomy: Anatomy, **options: Any) -> np.ndarray:
    return np.stack([density.data for density in Simulator(equation, **options)((*own, *CENTER), anatomy, days=DAYS)])
