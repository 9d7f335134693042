"""Table 2 of Learn-Morph-Infer: how near the inferred tumor comes to the true one, on tumors that no network has seen.

Tumors are drawn as the training tumors are, with another seed, and outlined exactly, as in the paper: what is measured
is inference, not raters. The answer of each network is simulated and compared with the truth; then that of the first
one drawn to the outlines, and refined. "outlines" is the paper's network; "references" the one that reads reference
tumors (Fisher-Kolmogorov growth only). With mass effect nothing is drawn, refinement comes at once. Dice between the
densities at three levels, and the mean absolute error of the density where either tumor has more than a hundredth, by
tissue. Truth and answer are solved on the same voxels. A tumor with less than a milliliter above 0.8 counts in the mean
like any other; a second line leaves such tumors out of that column. Synthetic data throughout.

    python validation/morph_infer.py --model fisher-kolmogorov --spacing 2 --tumors 200 --refine
"""

import argparse
import time
from functools import lru_cache
from pathlib import Path

import numpy as np

from gliocast.cohort import atlas_anatomy
from gliocast.cohort.atlas_tumors import (
    LEARNING_PRESSURE_KPA,
    LEARNING_SPACING_MM,
    MODELS,
    AtlasTumor,
    TumorSource,
    learning_forward,
)
from gliocast.core import SCHEMAS, Anatomy, ConvergenceError, InputError, LabelMap, Posterior, dice
from gliocast.data.atlas import load_mni152
from gliocast.growth import MassEffect, Simulator
from gliocast.inference.morph_infer import MorphInfer, load_weights, look_at_patient, shipped_weights
from gliocast.pipeline.morph_infer import MorphInferOptions, answered, drawn_closer, refined
from gliocast.problem import Problem, outline_problem

#: The seed of tumors that no network was trained on.
TEST_SEED = 1000
NETWORKS = ("references", "outlines")
LEVELS = (0.01, 0.1, 0.8)
FAINTEST = 0.01
DENSE_MM3 = 1000.0

PAPER = {
    "fisher-kolmogorov": {"network": (0.943, 0.932, 0.861, 0.057), "time-dependent": (0.607, 0.558, 0.423, 0.463)},
    "mass-effect": {"network": (0.886, 0.850, 0.783, 0.054), "time-dependent": (0.846, 0.807, 0.737, 0.087)},
}


@lru_cache(maxsize=1)
def anatomy_of(spacing: int) -> Anatomy:
    """The atlas' brain on voxels of some millimeters."""
    return atlas_anatomy(load_mni152()).coarsen((spacing, spacing, spacing))


def errors(found: np.ndarray | None, truth: np.ndarray, anatomy: Anatomy) -> list[float]:
    """Dice at each level, and mean absolute error in white matter, gray matter, fluid and all tissue."""
    found = np.zeros_like(truth) if found is None else found
    region = np.maximum(found, truth) > FAINTEST
    difference = np.abs(found - truth)
    shares = (anatomy.white_matter, anatomy.gray_matter, anatomy.csf)
    largest = np.argmax(np.stack(shares), axis=0)
    inside = [region & (largest == index) & anatomy.brain for index in range(3)]
    tissue = inside[0] | inside[1]
    means = [float(difference[part].mean()) if part.any() else 0.0 for part in (*inside, tissue)]
    return [dice(found > level, truth > level) for level in LEVELS] + means


def problem_of(model: str, core: np.ndarray, whole: np.ndarray, anatomy: Anatomy) -> Problem:
    """The inverse problem of two outlines."""
    data = np.select([core, whole], [1, 2]).astype(np.uint8)
    labels = LabelMap(data, anatomy.grid, SCHEMAS["brats-2021"])
    if model == "fisher-kolmogorov":
        return outline_problem(labels, anatomy)[0]
    known = {"tumor_pressure": LEARNING_PRESSURE_KPA}
    return outline_problem(labels, anatomy, simulator=Simulator(MassEffect()), known=known)[0]


def grown(forward, values: np.ndarray, anatomy: Anatomy) -> np.ndarray | None:
    try:
        return forward(values, anatomy, days=[1.0])[0].data
    except (InputError, ConvergenceError):
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--tumors", type=int, default=200)
    parser.add_argument("--spacing", type=int, default=LEARNING_SPACING_MM, help="voxels that truth is solved on [mm]")
    parser.add_argument("--first", type=int, default=0, help="number of the first test tumor")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, help="by default all that the model has")
    parser.add_argument("--weights", type=Path, help="of the network of outlines; by default those that are shipped")
    parser.add_argument("--refine", action="store_true", help="the first answer by a search, too")
    options = parser.parse_args()
    plain = options.model == "fisher-kolmogorov" and options.weights is None
    networks = options.networks or (NETWORKS if plain else ("outlines",))
    weights = load_weights(options.weights or shipped_weights(options.model))
    forward, source = learning_forward(options.model), TumorSource(options.model, TEST_SEED)
    anatomy = anatomy_of(options.spacing)
    rows: dict[str, list[list[float]]] = {name: [] for name in (*networks, "drawn", "refined")}
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    covered: dict[str, list[np.ndarray]] = {name: [] for name in rows}
    dense = []
    for number in range(options.first, options.first + options.tumors):
        tumor = source[number]
        truth = grown(forward, tumor.identifiable, anatomy)
        core, whole = (truth > level for level in tumor.thresholds)
        dense.append(np.count_nonzero(truth > LEVELS[-1]) * anatomy.grid.voxel_volume > DENSE_MM3)
        problem, answers = problem_of(options.model, core, whole, anatomy), []
        for name in networks:
            since, generator = time.perf_counter(), np.random.default_rng(number)
            if weights.parametrization == "time-independent":
                choice = MorphInferOptions(network=name, refinement="none", weights=options.weights)
                answers.append(answered(problem, choice, generator=generator))
                point = answers[-1].mode
                covered[name].append(calibration(answers[-1], tumor))
            else:
                point = MorphInfer(weights).point(look_at_patient(core, whole, anatomy, weights.spacing_mm))
            seconds[name].append(time.perf_counter() - since)
            rows[name].append(errors(grown(forward, point[:5], anatomy), truth, anatomy))
        if answers and problem.cheaper is None:
            since = time.perf_counter()
            answers[0] = drawn_closer(problem, answers[0])
            seconds["drawn"].append(time.perf_counter() - since)
            rows["drawn"].append(errors(grown(forward, answers[0].mode[:5], anatomy), truth, anatomy))
            covered["drawn"].append(calibration(answers[0], tumor))
        if options.refine:
            since, generator = time.perf_counter(), np.random.default_rng(number)
            point = refined(problem, answers[0], MorphInferOptions(), generator=generator).mode
            seconds["refined"].append(time.perf_counter() - since)
            rows["refined"].append(errors(grown(forward, point[:5], anatomy), truth, anatomy))
        shown = " ".join(f"{name} {np.round(part[-1], 3).tolist()}" for name, part in rows.items() if part)
        print(f"tumor {number}: {np.round(tumor.identifiable[:2], 2).tolist()} {shown}", flush=True)
    report(options, weights.parametrization, rows, seconds, covered, np.array(dense))


def calibration(answer: Posterior, tumor: AtlasTumor) -> np.ndarray:
    """Whether the central 50, 80 and 95 % intervals of an answer cover the truth, (3, num_parameters)."""
    truth = np.array([*tumor.identifiable, *tumor.thresholds])
    ends = [np.array(answer.interval(level)).T for level in (0.5, 0.8, 0.95)]
    return np.array([(low < truth) & (truth < high) for low, high in ends])


def report(options, parametrization, rows, seconds, covered, dense) -> None:
    print(f"\n## {options.model}, {parametrization}, {len(dense)} unseen tumors, {options.spacing} mm\n")
    print("| | Dice at 0.01 | at 0.1 | at 0.8 | MAE white | gray | fluid | tissue | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, part in rows.items():
        if part:
            figures = np.array(part)
            means = " | ".join(f"{value:.3f}" for value in figures.mean(axis=0))
            print(f"| {name}, mean | {means} | {np.mean(seconds[name]):.2f} |")
            middle = " | ".join(f"{value:.3f}" for value in np.median(figures, axis=0))
            print(f"| {name}, median | {middle} | {np.max(seconds[name]):.2f} (longest) |")
            there = f"mean of {dense.sum()} with 1 ml above 0.8"
            print(f"| {name}, {there} | | | {figures[dense, 2].mean():.3f} | | | | | |")
    kind = "time-dependent" if parametrization == "time-dependent" else "network"
    *overlaps, error = PAPER[options.model][kind]
    print(f"| the paper's {kind} | {' | '.join(f'{value:.3f}' for value in overlaps)} | {error:.3f} | | | | 2 |")
    for name, part in covered.items():
        if part:
            shares = ", ".join(f"{share:.0%}" for share in np.mean(part, axis=(0, 2)))
            print(f"\n{name}: own 50, 80 and 95 % intervals cover {shares} of the true parameters.")


if __name__ == "__main__":
    main()
