"""Table 2 of Learn-Morph-Infer: how near the inferred tumor comes to the true one, on tumors that no network has seen.

Tumors are drawn as the training tumors are, with another seed, and outlined exactly, as in the paper: what is measured
is inference, not raters. The answer of each network is simulated and compared with the truth; then that of the first
one drawn to the outlines, and refined. "outlines" is the paper's network; "references" the one that reads reference
tumors (Fisher-Kolmogorov growth only). Dice between the densities at three levels, and the mean absolute error of the
density where either tumor has more than a hundredth, by tissue. Truth and answer are solved on the same voxels. A tumor
with less than a milliliter above 0.8 counts in the mean like any other; a second line leaves such tumors out of that
column. Synthetic data throughout.

    python validation/morph_infer.py --model fisher-kolmogorov --spacing 2 --tumors 200 --refine

Processes take a tumor each, so seconds are of a machine at work; `--processes 1` has it to itself. With `--folder`,
tumors that were measured there before, by the same code and with the same options, aren't measured again.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

import gliocast
from gliocast.cohort import atlas_anatomy
from gliocast.cohort.atlas_tumors import (
    LEARNING_PRESSURE_KPA,
    LEARNING_SPACING_MM,
    MODELS,
    AtlasTumor,
    TumorSource,
    learning_forward,
)
from gliocast.cohort.shards import make_shards, require_same_set
from gliocast.core import SCHEMAS, Anatomy, ConvergenceError, InputError, LabelMap, Posterior, dice
from gliocast.data import whole_file
from gliocast.data.atlas import load_mni152
from gliocast.growth import MassEffect, Simulator
from gliocast.inference.morph_infer import MorphInfer, load_weights, look_at_patient, shipped_weights
from gliocast.pipeline.morph_infer import MorphInferOptions, answered, drawn_closer, refined
from gliocast.problem import Problem, outline_problem

#: The seed of tumors that no network was trained on.
TEST_SEED = 1000
NETWORKS = ("references", "outlines")
LEVELS = (0.01, 0.1, 0.8)
INTERVALS = (0.5, 0.8, 0.95)
FAINTEST = 0.01
DENSE_MM3 = 1000.0

T = TypeVar("T")

PAPER = {
    "fisher-kolmogorov": {"network": (0.943, 0.932, 0.861, 0.057), "time-dependent": (0.607, 0.558, 0.423, 0.463)},
    "mass-effect": {"network": (0.886, 0.850, 0.783, 0.054), "time-dependent": (0.846, 0.807, 0.737, 0.087)},
}


@dataclass(frozen=True)
class Row:
    """What one way to answer came to on one tumor.

    Args:
        errors: Dice at each level, mean absolute error in white matter, gray matter, fluid and all tissue.
        seconds: from the answer that it starts with.
        covered: whether each central interval covers each true parameter; None where the answer has none.
    """

    errors: list[float]
    seconds: float
    covered: list[list[bool]] | None


@dataclass(frozen=True)
class Measured:
    """One tumor: its number, whether it has a milliliter above the densest level, and a row for each way to answer."""

    number: int
    dense: bool
    rows: dict[str, Row]

    def __str__(self) -> str:
        shown = " ".join(f"{name} {np.round(row.errors, 3).tolist()}" for name, row in self.rows.items())
        return f"tumor {self.number}: {shown}"


@dataclass(frozen=True)
class Trial:
    """What is measured, and where it is kept: a file for each tumor."""

    folder: Path
    model: str
    spacing: int
    networks: tuple[str, ...]
    weights: Path | None
    refine: bool

    def run(self, numbers: range, processes: int) -> list[Measured]:
        """The tumors of these numbers."""
        require_same_set(self.folder, self._description(), "measurements")
        paths = [self._path(number) for number in numbers]
        make_shards(self.folder, self._description(), paths, partial(self._keep, numbers), num_workers=processes)
        return [self._read(number) for number in numbers]

    def measure(self, number: int) -> Measured:
        """Measure one tumor."""
        forward, anatomy = learning_forward(self.model), anatomy_of(self.spacing)
        tumor = TumorSource(self.model, TEST_SEED)[number]
        truth = grown(forward, tumor.identifiable, anatomy)
        assert truth is not None  # the source keeps tumors that grow
        core, whole = (truth > level for level in tumor.thresholds)
        rows = {}
        for name, (answer, seconds) in self._answers(number, core, whole).items():
            point = answer.mode if isinstance(answer, Posterior) else answer
            covered = covers(answer, tumor) if isinstance(answer, Posterior) else None
            rows[name] = Row(errors(grown(forward, point[:5], anatomy), truth, anatomy), seconds, covered)
        dense = np.count_nonzero(truth > LEVELS[-1]) * anatomy.grid.voxel_volume > DENSE_MM3
        return Measured(number, bool(dense), rows)

    def _answers(
        self, number: int, core: np.ndarray, whole: np.ndarray
    ) -> dict[str, tuple[Posterior | np.ndarray, float]]:
        """Each answer and its seconds; the time-dependent network's is a point."""
        anatomy, weights = anatomy_of(self.spacing), load_weights(self.weights or shipped_weights(self.model))
        if weights.parametrization == "time-dependent":
            window = look_at_patient(core, whole, anatomy, weights.spacing_mm)
            return {"outlines": timed(lambda: MorphInfer(weights).point(window))}
        problem = problem_of(self.model, core, whole, anatomy)
        answers = {name: timed(partial(self._answered, problem, number, name)) for name in self.networks}
        last = self.networks[0]
        answers["drawn"], last = timed(partial(self._drawn, problem, number, last)), "drawn"
        if self.refine:
            search = partial(refined, problem, answers[last][0], MorphInferOptions())
            answers["refined"] = timed(partial(search, generator=np.random.default_rng(number)))
        return answers

    def _answered(self, problem: Problem, number: int, network: str, *, closer: bool = False) -> Posterior:
        choice = MorphInferOptions(network=network, refinement="none", weights=self.weights, closer=closer)
        return answered(problem, choice, generator=np.random.default_rng(number))

    def _drawn(self, problem: Problem, number: int, network: str) -> Posterior:
        return drawn_closer(problem, self._answered(problem, number, network, closer=True))

    def _keep(self, numbers: range, index: int) -> None:
        measured = self.measure(numbers[index])
        with whole_file(self._path(measured.number)) as temporary:
            temporary.write_text(json.dumps(asdict(measured)))
        print(measured, flush=True)

    def _read(self, number: int) -> Measured:
        kept = json.loads(self._path(number).read_text())
        return Measured(number, kept["dense"], {name: Row(**row) for name, row in kept["rows"].items()})

    def _path(self, number: int) -> Path:
        return self.folder / f"tumor-{number:04d}.json"

    def _description(self) -> dict[str, object]:
        options = {key: str(value) for key, value in asdict(self).items() if key != "folder"}
        return {**options, "code": code_digest(self.weights)}


def code_digest(weights: Path | None) -> str:
    """Of the package as it is here, with the weights that it ships and those that are asked for."""
    digest, package = hashlib.sha256(), Path(gliocast.__file__).parent
    own = sorted([*package.rglob("*.py"), *package.rglob("*.safetensors")])
    for path in own if weights is None else [*own, weights]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What a function returns, and the seconds it took."""
    since = time.perf_counter()
    return work(), time.perf_counter() - since


def covers(answer: Posterior, tumor: AtlasTumor) -> list[list[bool]]:
    """Whether each central interval of an answer covers each true parameter."""
    truth = (*tumor.identifiable, *tumor.thresholds)
    return [
        [bool(low < x < high) for x, (low, high) in zip(truth, answer.interval(level), strict=True)]
        for level in INTERVALS
    ]


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--tumors", type=int, default=200)
    parser.add_argument("--spacing", type=int, default=LEARNING_SPACING_MM, help="voxels that truth is solved on [mm]")
    parser.add_argument("--first", type=int, default=0, help="number of the first test tumor")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, help="by default all that the model has")
    parser.add_argument("--weights", type=Path, help="of the network of outlines; by default those that are shipped")
    parser.add_argument("--refine", action="store_true", help="the first answer by a search, too")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="keeps what was measured of each tumor")
    options = parser.parse_args()
    plain = options.model == "fisher-kolmogorov" and options.weights is None
    networks = tuple(options.networks or (NETWORKS if plain else ("outlines",)))
    with TemporaryDirectory() as passing:
        folder = options.folder or Path(passing)
        trial = Trial(folder, options.model, options.spacing, networks, options.weights, options.refine)
        report(trial, trial.run(range(options.first, options.first + options.tumors), options.processes))


def report(trial: Trial, measured: list[Measured]) -> None:
    """Print the table."""
    has_intervals = all(row.covered for row in measured[0].rows.values())
    parametrization = "time-independent" if has_intervals else "time-dependent"
    dense = np.array([one.dense for one in measured])
    print(f"\n## {trial.model}, {parametrization}, {len(dense)} unseen tumors, {trial.spacing} mm\n")
    print("| | Dice at 0.01 | at 0.1 | at 0.8 | MAE white | gray | fluid | tissue | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in measured[0].rows:
        rows = [one.rows[name] for one in measured]
        figures, seconds = np.array([row.errors for row in rows]), [row.seconds for row in rows]
        means = " | ".join(f"{value:.3f}" for value in figures.mean(axis=0))
        print(f"| {name}, mean | {means} | {np.mean(seconds):.2f} |")
        middle = " | ".join(f"{value:.3f}" for value in np.median(figures, axis=0))
        print(f"| {name}, median | {middle} | {np.max(seconds):.2f} (longest) |")
        there = f"mean of {dense.sum()} with 1 ml above 0.8"
        print(f"| {name}, {there} | | | {figures[dense, 2].mean():.3f} | | | | | |")
    kind = "network" if has_intervals else "time-dependent"
    *overlaps, error = PAPER[trial.model][kind]
    print(f"| the paper's {kind} | {' | '.join(f'{value:.3f}' for value in overlaps)} | {error:.3f} | | | | 2 |")
    for name in measured[0].rows if has_intervals else ():
        shares = np.mean([one.rows[name].covered for one in measured], axis=(0, 2))
        written = ", ".join(f"{share:.0%}" for share in shares)
        print(f"\n{name}: own 50, 80 and 95 % intervals cover {written} of the true parameters.")


if __name__ == "__main__":
    main()
