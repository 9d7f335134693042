"""Do the intervals cover the truth? Digital patients with known parameters, fitted by each inverse method.

Truths are drawn from the prior; tumors too small to segment or too large to live with are drawn again. Outlines carry
correlated errors of a rater, of a size and a length that no method is told (`--displacement`, `--correlation`; 0 for
outlines without error). The anatomy is the atlas' own, so this checks likelihoods and methods, not the registration.

Two questions are asked of a method. Expected coverage: do its central intervals hold the truth as often as they say?
Simulation-based calibration (Talts et al., 2018): is the rank of the truth among posterior samples uniform? Ranks of
each parameter go through a Kolmogorov-Smirnov test; the smallest p-value is multiplied by the number of parameters. A
method whose 95 % intervals cover less than an honest method's would in 39 of 40 such tables is called overconfident.
Synthetic data throughout.

    python validation/coverage.py --patients 40                        (as patients are fitted: laplace, 2 mm)
    python validation/coverage.py --grid 3 --patients 16 --methods tmcmc npe
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy.stats import binom, kstest

from gliocast.cohort import Truth, atlas_anatomy
from gliocast.core import SCHEMAS, Anatomy, Density, InputError, LabelMap, Silence, dice
from gliocast.data.atlas import load_mni152
from gliocast.growth import DIFFUSION_LENGTH, GROWTH_NUMBER, Simulator, SingleScan
from gliocast.inference import IndependentPrior
from gliocast.observation import LabelErrors, draw_outlines
from gliocast.observation.mri import CORE_THRESHOLD, WHOLE_THRESHOLD
from gliocast.pipeline.methods import METHODS, Task
from gliocast.problem import outline_problem

LEVELS = (0.5, 0.8, 0.95)
WHOLE_VOLUME_ML = (8.0, 150.0)
CORE_VOLUME_ML = 0.5
DENSITY_LEVELS = (0.01, 0.1)
AGE_DAYS = 400.0
NUM_RANKS = 99


def draw_patient(
    anatomy: Anatomy, errors: LabelErrors | None, generator: np.random.Generator
) -> tuple[Truth, Density, LabelMap]:
    """A truth from the prior whose tumor could be a patient's, with its density and segmentation."""
    prior = IndependentPrior.from_typical((DIFFUSION_LENGTH, GROWTH_NUMBER, CORE_THRESHOLD, WHOLE_THRESHOLD))
    inside = np.argwhere(anatomy.white_matter > 0.8)
    milliliters = anatomy.grid.voxel_volume / 1000
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
        if density.data.max() < core_threshold:
            continue
        if errors is None:
            core, whole = density.data > core_threshold, density.data > whole_threshold
        else:
            core, whole = draw_outlines(density, core_threshold, whole_threshold, errors, generator)
        if (
            WHOLE_VOLUME_ML[0] < whole.sum() * milliliters < WHOLE_VOLUME_ML[1]
            and core.sum() * milliliters > CORE_VOLUME_ML
        ):
            data = (2 * whole - core).astype(np.uint8)
            return truth, density, LabelMap(data, anatomy.grid, SCHEMAS["brats-2021"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=["laplace"])
    parser.add_argument("--grid", type=int, default=1, help="voxels that truth is solved and outlined on [mm]")
    parser.add_argument("--samples", type=int, help="posterior samples, of tmcmc in every stage")
    parser.add_argument("--displacement", type=float, default=1.2, help="rater's error [mm]; 0 for none")
    parser.add_argument("--correlation", type=float, default=6.0, help="length over which it is correlated [mm]")
    parser.add_argument("--alone", action="store_true", help="morph-infer's network without the solves that follow")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    anatomy = atlas_anatomy(load_mni152()).coarsen((options.grid,) * 3)
    errors = None
    if options.displacement > 0:
        errors = LabelErrors(displacement_mm=options.displacement, correlation_mm=options.correlation)
    for name in options.methods:
        _examine(name, anatomy, errors, options)


def _examine(name: str, anatomy: Anatomy, errors: LabelErrors | None, options: argparse.Namespace) -> None:
    generator = np.random.default_rng(options.seed)
    method = METHODS[name]
    settings = method.settings(options.samples)
    if options.alone:
        settings = replace(settings, closer=False)
    scores, inside, ranks, overlaps, seconds, names = [], [], [], [], [], ()
    for number in range(options.patients):
        truth, density, labels = draw_patient(anatomy, errors, generator)
        problem, guess = outline_problem(labels, anatomy)
        since = time.perf_counter()
        task = Task(problem, guess, np.random.default_rng([options.seed, number]), Silence())
        posterior = method.solve(task, settings)
        seconds.append(time.perf_counter() - since)
        names = tuple(p.name for p in posterior.parameters)
        true = np.array([truth.identifiable()[name] for name in names])
        scores.append((posterior.mean - true) / posterior.standard_deviation)
        inside.append(
            [[low < x < high for x, (low, high) in zip(true, posterior.interval(q), strict=True)] for q in LEVELS]
        )
        ranks.append((posterior.drawn(NUM_RANKS) < true).sum(axis=0))
        fitted = SingleScan(Simulator())(posterior.mode[:5], anatomy)[0].data
        overlaps.append([dice(fitted > level, density.data > level) for level in DENSITY_LEVELS])
        print(
            f"{name}, patient {number:2d}: truth {np.round(true, 2).tolist()}, "
            f"mode {np.round(posterior.mode, 2).tolist()}, density Dice {np.round(overlaps[-1], 3).tolist()}, "
            f"{seconds[-1]:.1f} s",
            flush=True,
        )
    rater = f"errors of {options.displacement:g} mm over {options.correlation:g} mm" if errors else "no errors"
    print(f"\n## {name}, {options.patients} patients, {options.grid} mm, outlines with {rater}")
    _print_table(names, np.array(scores), np.array(inside), np.array(overlaps))
    _print_verdict(np.array(inside), np.array(ranks), np.array(seconds))


def _print_verdict(inside: np.ndarray, ranks: np.ndarray, seconds: np.ndarray) -> None:
    """Simulation-based calibration, and whether the method is surer than it may be."""
    patients, dim = ranks.shape
    shares = (ranks + 0.5) / (NUM_RANKS + 1)
    p_value = min(1.0, dim * min(kstest(column, "uniform").pvalue for column in shares.T))
    covered = inside[:, -1].mean()
    least = binom.ppf(0.025, patients, LEVELS[-1]) / patients  # parameters of one patient fail together at worst
    verdict = "overconfident" if covered < least else "not overconfident"
    print(f"ranks: p = {p_value:.2g}; 95 % intervals cover {covered:.0%}, at least {least:.0%} expected: {verdict}")
    print(f"{np.mean(seconds):.1f} s per patient, the longest {np.max(seconds):.1f} s\n")


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
