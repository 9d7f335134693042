"""The paper's eleven parameters from T1c, FLAIR and PET of one synthetic tumor: inverse methods side by side.

A tumor is grown in the atlas with parameters inside the prior; its scans are drawn from the likelihood that they are
then read with. Prints medians and 95 % intervals per method, and what each took. It is one draw: intervals miss the
truth now and then. Synthetic data throughout.

    python validation/eleven_parameters.py                       # 4 mm voxels, Laplace, TMCMC and NPE
    python validation/eleven_parameters.py --spacing 2 --methods laplace
    python validation/eleven_parameters.py --methods npe --sampler-seed 1    # the same scans, other random numbers
    python validation/eleven_parameters.py --parameters 10       # sqrt(D_w T) and sqrt(rho T)
    python validation/eleven_parameters.py --reading paper       # every voxel independent
"""

import argparse
import importlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gliocast.cohort import atlas_anatomy
from gliocast.core import SCHEMAS, Anatomy, Density, GliocastError, LabelMap, Posterior, Volume
from gliocast.data.atlas import load_mni152
from gliocast.growth import AgedScan, Simulator
from gliocast.inference import laplace
from gliocast.problem import Guess, Problem, mri_pet_problem

#: Inside of every prior range; whole tumor 52 ml, core 26 ml.
TRUTH = {
    "white_matter_diffusivity": 0.05,
    "proliferation_rate": 0.02,
    "tumor_age": 500.0,
    "seed_x": 30.0,
    "seed_y": -12.0,
    "seed_z": 30.0,
    "t1c_threshold": 0.7,
    "visibility_width": 0.065,
    "flair_threshold": 0.3,
    "pet_uptake": 0.8,
    "pet_noise": 0.1,
    "diffusion_length": 5.0,
    "growth_number": np.sqrt(10.0),
}

#: NPE is to stay within TMCMC's intervals at this share of its simulations or fewer.
NPE_SHARE = 0.2


class CountedProblem(Problem):
    """A problem that counts its simulations."""

    num_simulations = 0
    _lock = threading.Lock()

    def _grow(self, point: np.ndarray) -> Density | None:
        with self._lock:
            self.num_simulations += 1
        return super()._grow(point)


@dataclass(frozen=True)
class Result:
    posterior: Posterior
    num_simulations: int
    seconds: float

    def median(self) -> np.ndarray:
        return np.median(self.posterior.drawn(2001), axis=0)


def run_laplace(problem: Problem, guess: Guess, generator: np.random.Generator) -> Posterior:
    return laplace(problem, start=guess.point, spread=guess.spread, generator=generator)


def method_of(module: str, name: str) -> Callable[[Problem, Guess, np.random.Generator], Posterior]:
    """A method that needs no guess, imported when it is run."""

    def run(problem: Problem, guess: Guess, generator: np.random.Generator) -> Posterior:
        return getattr(importlib.import_module(module), name)(problem, generator=generator)

    return run


METHODS = {
    "laplace": run_laplace,
    "tmcmc": method_of("gliocast.inference.tmcmc", "tmcmc"),
    "npe": method_of("gliocast.inference.npe", "npe"),
}


def pose(anatomy: Anatomy, options: argparse.Namespace) -> tuple[CountedProblem, Guess]:
    """Scans of the true tumor, drawn from their likelihood, and the problem that they pose."""
    values = [TRUTH[p.name] for p in AgedScan(Simulator()).parameters]
    density = AgedScan(Simulator())(values, anatomy)[0]
    parametrization = "paper" if options.parameters == 11 else "identifiable"
    settings = {"parametrization": parametrization, "spacing_mm": options.spacing, "reading": options.reading}
    unseen = mri_pet_problem(*without_errors(density), anatomy, **settings)[0].observation
    imaging = np.array([TRUTH[p.name] for p in unseen.parameters])
    core, whole, uptake = unseen.sample(density, imaging, np.random.default_rng(options.seed))
    problem, guess = mri_pet_problem(
        _labels(core > 0, whole > 0, density), Volume(uptake, density.grid), anatomy, **settings
    )
    parts = (problem.forward, problem.anatomy, problem.observation, problem.prior)
    return CountedProblem(*parts), guess


def without_errors(density: Density) -> tuple[LabelMap, Volume]:
    core, whole = (density.data > TRUTH[name] for name in ("t1c_threshold", "flair_threshold"))
    return _labels(core, whole, density), Volume(TRUTH["pet_uptake"] * density.data, density.grid)


def _labels(core: np.ndarray, whole: np.ndarray, density: Density) -> LabelMap:
    return LabelMap(np.where(core, 1, 2 * whole).astype(np.uint8), density.grid, SCHEMAS["brats-2021"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spacing", type=float, default=4.0, help="voxel size [mm]")
    parser.add_argument("--parameters", type=int, choices=(10, 11), default=11)
    parser.add_argument("--reading", choices=("tempered", "paper"), default="tempered")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=list(METHODS))
    parser.add_argument("--seed", type=int, default=0, help="of the scans")
    parser.add_argument("--sampler-seed", type=int, default=0, help="of the methods")
    options = parser.parse_args()
    factor = max(1, round(options.spacing))
    anatomy = atlas_anatomy(load_mni152()).coarsen((factor, factor, factor))
    problem, guess = pose(anatomy, options)
    weights = problem.observation.voxel_weights
    print("weights before any fit:", ", ".join(f"{name} {w:.3f}" for name, w in weights.items()), flush=True)
    results = {}
    for name in options.methods:
        problem.num_simulations, since = 0, time.perf_counter()
        try:
            posterior = METHODS[name](problem, guess, np.random.default_rng(options.sampler_seed))
        except GliocastError as error:  # a method that gives up doesn't take the others' results with it
            print(f"{name}: {error}", flush=True)
            continue
        results[name] = Result(posterior, problem.num_simulations, time.perf_counter() - since)
        print(f"{name}: {results[name].num_simulations} simulations, {results[name].seconds:.0f} s", flush=True)
        if "misfit_percentile" in posterior.diagnostics:
            print(
                f"{name}: {posterior.diagnostics['misfit_percentile']:.0f} % of its posterior's simulations are nearer"
            )
    if results:
        print_table(results)


def print_table(results: dict[str, Result]) -> None:
    parameters = next(iter(results.values())).posterior.parameters
    print(f"\n| parameter | unit | truth | {' | '.join(results)} |")
    print("|---|---|---|" + "---|" * len(results))
    for column, parameter in enumerate(parameters):
        cells = []
        for result in results.values():
            low, high = result.posterior.interval()[column]
            cells.append(f"{result.median()[column]:.3g} ({low:.3g} to {high:.3g})")
        print(f"| {parameter.name} | {parameter.unit} | {TRUTH[parameter.name]:.3g} | {' | '.join(cells)} |")
    true = np.array([TRUTH[p.name] for p in parameters])
    covers = [np.sum(np.prod(result.posterior.interval() - true[:, None], axis=1) < 0) for result in results.values()]
    print(f"| truths in intervals | | | {' | '.join(f'{n} of {len(true)}' for n in covers)} |")
    print(f"| simulations | | | {' | '.join(str(result.num_simulations) for result in results.values())} |")
    print(f"| time | s | | {' | '.join(f'{result.seconds:.0f}' for result in results.values())} |")
    if {"tmcmc", "npe"} <= set(results):
        low, high = results["tmcmc"].posterior.interval().T
        median = results["npe"].median()
        inside = int(np.sum((low < median) & (median < high)))
        ratio = results["npe"].num_simulations / results["tmcmc"].num_simulations
        print(
            f"\nNPE medians within TMCMC's 95 % intervals: {inside} of {len(median)}; "
            f"simulations ratio {ratio:.2f} (at most {NPE_SHARE})"
        )


if __name__ == "__main__":
    main()
