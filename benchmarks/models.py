"""The other equations: mass effect against its target, and all beside Fisher-Kolmogorov."""

import cProfile
import pstats
import time
from pathlib import Path

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
    equations = {
        "diffusion tensor": (models.TensorFisherKolmogorov(_water(bench.crop)), ()),
        "proliferating and necrotic": (models.ProliferativeNecrotic(), _NECROSIS),
    }
    for name, (model, own) in equations.items():
        simulator, values = Simulator(model), (CROP_CASE.diffusivity, CROP_CASE.rate, *own, *SEED_MM)
        took = clock(lambda s=simulator, v=values: s(v, bench.crop, days=days), 2).median
        line(name, f"{took:.3f}", f"{took / plain:.1f}")
        bench.figure(name, f"{took:.2f} s", f"Fisher-Kolmogorov {plain:.3f} s", f"{took / plain:.1f}x")
    _mass_effect(bench, plain)


def _mass_effect(bench: Bench, plain: float) -> None:
    """One solve, and which modules it spends its time in; compiled loops count for who calls them."""
    simulator = Simulator(models.MassEffect())
    values = (CROP_CASE.diffusivity, CROP_CASE.rate, _TUMOR_PRESSURE, *SEED_MM)
    simulator(values, bench.coarse, days=[1.0])  # compiles
    profile = cProfile.Profile()
    since = time.perf_counter()
    profile.runcall(simulator, values, bench.crop, days=[CROP_CASE.days])
    seconds = time.perf_counter() - since
    line("mass effect", f"{seconds:.2f}", f"{seconds / plain:.0f}")
    shares = dict.fromkeys([*_PARTS, "the rest"], 0.0)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, _), (_, _, own, _, _) in stats.items():
        path = Path(file).as_posix()
        part = next((name for name, mark in _PARTS.items() if "growth" in path and mark in path), "the rest")
        shares[part] += own
    total = sum(shares.values())
    print("\nmass effect: " + ", ".join(f"{name} {seconds * own / total:.1f} s" for name, own in shares.items()))
    beside = f"Fisher-Kolmogorov {plain:.3f} s"
    bench.figure("mass effect", f"{seconds:.1f} s", beside, f"{seconds / plain:.0f}x", "30 s", met=seconds <= 30)


def _water(anatomy: Anatomy) -> DiffusionTensor:
    """Water whose fibers turn through space: 1.7e-3 mm^2/s along, a quarter of it across, in every voxel."""
    points = np.moveaxis(np.indices(anatomy.grid.shape, dtype=np.float32), 0, -1) / 20
    fibers = np.stack([np.cos(points[..., 0]), np.sin(points[..., 1]), np.cos(points[..., 2] + 1)], axis=-1)
    fibers /= np.linalg.norm(fibers, axis=-1, keepdims=True)
    tensors = 0.425 * np.eye(3, dtype=np.float32) + 1.275 * fibers[..., :, None] * fibers[..., None, :]
    return DiffusionTensor.from_matrices((1e-3 * tensors).astype(np.float32), anatomy.grid)
