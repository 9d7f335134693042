"""The other equations: mass effect against its target, and all beside Fisher-Kolmogorov."""

import cProfile
import pstats
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.bench import SEED_MM, Bench, clock, line, table
from benchmarks.forward import CROP_CASE

from gliocast.core import Anatomy, DiffusionTensor
from gliocast.growth import Simulator, models

#: Pressure of tissue full of tumor cells [kPa].
_TUMOR_PRESSURE = 1.5

#: delta [1/d], s_h [1], D_s [mm^2/d], sigma, beta [1/d]: inside of their typical ranges.
_NECROSIS = 0.1, 0.3, 2.0, 0.3, 0.3

#: Where the time of a mass-effect solve goes: parts of the paths of modules.
_PARTS = {"elasticity": "elasticity/", "transport": "transport", "diffusion and reaction": "kernels/"}


def run(bench: Bench) -> None:
    print(f"\n## Other equations\n\n128^3 crop, {CROP_CASE}\n")
    table("equation", "seconds", "over Fisher-Kolmogorov")
    days = [CROP_CASE.days]
    plain = clock(lambda: CROP_CASE.solve(Simulator(), bench.crop), bench.repeats).median
    line("Fisher-Kolmogorov", f"{plain:.3f}", 1)
    for name, (model, own) in _equations(bench.crop).items():
        simulator, values = Simulator(model), (CROP_CASE.diffusivity, CROP_CASE.rate, *own, *SEED_MM)
        repeats = 1 if name == "mass effect" else 2
        time = clock(lambda s=simulator, v=values: s(v, bench.crop, days=days), repeats).median
        line(name, f"{time:.3f}", f"{time / plain:.1f}")
        beside = f"Fisher-Kolmogorov {plain:.3f} s"
        if name == "mass effect":
            bench.figure(name, f"{time:.1f} s", beside, f"{time / plain:.0f}x", "30 s", met=time <= 30)
            _break_down(simulator, values, bench.crop, time)
        else:
            bench.figure(name, f"{time:.2f} s", beside, f"{time / plain:.1f}x")
    if not hasattr(models, "MassEffect"):
        print("\nmass effect: not in this version")


def _equations(anatomy: Anatomy) -> dict[str, tuple[Any, tuple[float, ...]]]:
    """Models and their parameters beyond D_w and rho, by name."""
    equations: dict[str, tuple[Any, tuple[float, ...]]] = {
        "diffusion tensor": (models.TensorFisherKolmogorov(_water(anatomy)), ()),
        "proliferating and necrotic": (models.ProliferativeNecrotic(), _NECROSIS),
    }
    if hasattr(models, "MassEffect"):
        equations["mass effect"] = models.MassEffect(), (_TUMOR_PRESSURE,)
    return equations


def _water(anatomy: Anatomy) -> DiffusionTensor:
    """Water whose fibers turn through space: 1.7e-3 mm^2/s along, a quarter of it across, in every voxel."""
    points = np.moveaxis(np.indices(anatomy.grid.shape, dtype=np.float32), 0, -1) / 20
    fibers = np.stack([np.cos(points[..., 0]), np.sin(points[..., 1]), np.cos(points[..., 2] + 1)], axis=-1)
    fibers /= np.linalg.norm(fibers, axis=-1, keepdims=True)
    tensors = 0.425 * np.eye(3, dtype=np.float32) + 1.275 * fibers[..., :, None] * fibers[..., None, :]
    return DiffusionTensor.from_matrices((1e-3 * tensors).astype(np.float32), anatomy.grid)


def _break_down(simulator: Simulator, values: tuple[float, ...], anatomy: Anatomy, seconds: float) -> None:
    """Print which modules a solve spends its time in; compiled loops count for who calls them."""
    profile = cProfile.Profile()
    profile.runcall(simulator, values, anatomy, days=[CROP_CASE.days])
    shares = dict.fromkeys([*_PARTS, "the rest"], 0.0)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, _), (_, _, own, _, _) in stats.items():
        path = Path(file).as_posix()
        part = next((name for name, mark in _PARTS.items() if "growth" in path and mark in path), "the rest")
        shares[part] += own
    total = sum(shares.values())
    print("\nmass effect: " + ", ".join(f"{name} {seconds * own / total:.1f} s" for name, own in shares.items()))
