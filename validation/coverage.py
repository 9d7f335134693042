"""Do the intervals cover the truth? Digital patients with known parameters, fitted as patients are.

Truths are drawn from the prior; tumors too small to segment or too large to live with are drawn again. Outlines carry
the correlated errors of `OutlineLikelihood.sample`, or none at all. The anatomy is the atlas' own, so this checks the
likelihood's softness and what a voxel counts, not the registration. The fit knows neither size nor correlation of the
errors; other ones than the usual show whether it finds them. Synthetic data throughout.

    python validation/coverage.py --patients 40
    python validation/coverage.py --displacement 2 --correlation 10
    python validation/coverage.py --noise-free
"""

import argparse
import time
from typing import get_args

import numpy as np

from gliocast.cohort import Truth, atlas_anatomy, draw_outlines
from gliocast.core import SCHEMAS, Anatomy, Density, InputError, LabelMap, dice
from gliocast.data.atlas import load_mni152
from gliocast.growth import DIFFUSION_LENGTH, GROWTH_NUMBER, Simulator, SingleScan
from gliocast.inference import IndependentPrior, laplace_around
from gliocast.observation.mri import CORE_THRESHOLD, WHOLE_THRESHOLD, LabelErrors, Tempering
from gliocast.problem import outline_problem, temper

LEVELS = (0.5, 0.8, 0.95)
WHOLE_VOLUME_ML = (8.0, 150.0)
DENSITY_LEVELS = (0.01, 0.1, 0.8)
AGE_DAYS = 400.0
COUNTS = ("effective_observations", "tempering_core", "tempering_whole", "tempering_evaluations")


def draw_patient(
    anatomy: Anatomy, generator: np.random.Generator, errors: LabelErrors | None
) -> tuple[Truth, Density, LabelMap]:
    """A truth from the prior whose tumor could be a patient's, with its density and segmentation, exact or not."""
    prior = IndependentPrior.from_typical((DIFFUSION_LENGTH, GROWTH_NUMBER, CORE_THRESHOLD, WHOLE_THRESHOLD))
    inside = np.argwhere(anatomy.white_matter > 0.8)
    while True:
        length, number, core_threshold, whole_threshold = prior.sample(1, generator)[0]
        seed = anatomy.grid.world_from_voxel(inside[generator.integers(len(inside))])
        if whole_threshold >= core_threshold:
            continue
        truth = Truth(
            length**2 / AGE_DAYS, number**2 / AGE_DAYS, AGE_DAYS, tuple(seed), core_threshold, whole_threshold
        )
        try:
            density = Simulator()((truth.diffusivity, truth.rate, *seed), anatomy, days=[AGE_DAYS])[0]
        except InputError:
            continue
        if density.data.max() <= core_threshold:
            continue
        if errors is None:
            core, whole = density.data > core_threshold, density.data > whole_threshold
        else:
            core, whole = draw_outlines(density, truth, generator, errors)
        volume = np.sum(whole) * anatomy.grid.voxel_volume / 1000
        if WHOLE_VOLUME_ML[0] < volume < WHOLE_VOLUME_ML[1] and core.sum() > 500:
            data = (2 * whole - core).astype(np.uint8)
            return truth, density, LabelMap(data, anatomy.grid, SCHEMAS["brats-2021"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--displacement", type=float, default=LabelErrors.displacement_mm, help="of outlines [mm]")
    parser.add_argument("--correlation", type=float, default=LabelErrors.correlation_mm, help="of their errors [mm]")
    parser.add_argument("--noise-free", action="store_true", help="outlines without errors")
    parser.add_argument("--tempering", default="residuals", choices=get_args(Tempering))
    options = parser.parse_args()
    errors = LabelErrors(displacement_mm=options.displacement, correlation_mm=options.correlation)
    generator = np.random.default_rng(options.seed)
    anatomy = atlas_anatomy(load_mni152())
    scores, inside, overlaps, counts, names = [], [], [], [], ()
    since = time.perf_counter()
    for number in range(options.patients):
        truth, density, labels = draw_patient(anatomy, generator, None if options.noise_free else errors)
        problem, guess = outline_problem(labels, anatomy, tempering=options.tempering)
        tempered = temper(problem, start=guess.point, spread=guess.spread, generator=generator)
        posterior = laplace_around(tempered.problem, tempered.mode, generator=generator)
        counts.append([tempered.diagnostics.get(name, np.nan) for name in COUNTS])
        names = tuple(p.name for p in posterior.parameters)
        true = np.array([truth.identifiable()[name] for name in names])
        scores.append((posterior.mode - true) / posterior.standard_deviation)
        inside.append(
            [[low < x < high for x, (low, high) in zip(true, posterior.interval(q), strict=True)] for q in LEVELS]
        )
        fitted = SingleScan(Simulator())(posterior.mode[:5], anatomy)[0].data
        overlaps.append([dice(fitted > level, density.data > level) for level in DENSITY_LEVELS])
        print(
            f"patient {number:2d}: truth {np.round(true, 2).tolist()}, mode {np.round(posterior.mode, 2).tolist()}, "
            f"density Dice {np.round(overlaps[-1], 3).tolist()}, {time.perf_counter() - since:.0f} s",
            flush=True,
        )
    _print_table(names, np.array(scores), np.array(inside), np.array(overlaps))
    for name, values in zip(COUNTS, np.array(counts).T, strict=True):
        print(f"{name}: median {np.median(values):.3g}, {values.min():.3g} to {values.max():.3g}")


def _print_table(names: tuple[str, ...], scores: np.ndarray, inside: np.ndarray, overlaps: np.ndarray) -> None:
    print(f"\n| parameter | bias / sd | rms error / sd | {' | '.join(f'{q:.0%} interval covers' for q in LEVELS)} |")
    print("|---|---|---|" + "---|" * len(LEVELS))
    for column, name in enumerate(names):
        covers = " | ".join(f"{inside[:, row, column].mean():.0%}" for row in range(len(LEVELS)))
        rms = np.sqrt(np.mean(scores[:, column] ** 2))
        print(f"| {name} | {scores[:, column].mean():+.2f} | {rms:.2f} | {covers} |")
    covers = " | ".join(f"{inside[:, row].mean():.0%}" for row in range(len(LEVELS)))
    print(f"| all | {scores.mean():+.2f} | {np.sqrt(np.mean(scores**2)):.2f} | {covers} |")
    for level, values in zip(DENSITY_LEVELS, overlaps.T, strict=True):
        print(f"density Dice at {level:g}: median {np.median(values):.3f}, worst {values.min():.3f}")


if __name__ == "__main__":
    main()
