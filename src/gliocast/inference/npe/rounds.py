"""Rounds of drawing, simulating and learning, each begun where the last one ended."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from gliocast.core import ConvergenceError, InputError, Posterior, Target
from gliocast.data.cache import content_key
from gliocast.data.checkpoint import Checkpoint, generator_state, load_checkpoint, restore_generator, save_checkpoint
from gliocast.inference.npe.chapter_6 import ChapterSix
from gliocast.inference.npe.merging import merged
from gliocast.inference.npe.misfit import Metric, misfit
from gliocast.inference.npe.mixture import Mixture
from gliocast.inference.npe.npe_c import NPEC
from gliocast.inference.npe.options import NPEOptions
from gliocast.inference.npe.rows import Rows
from gliocast.inference.npe.traits import Traits

#: Components of a proposal [1]; the cost of NPE-C grows with their number times the number of rounds.
_PROPOSAL_COMPONENTS = 4

#: Simulations whose images are in memory at a time [1].
_CHUNK = 32

#: Points drawn for each one needed, before the prior is said to rule all out [1].
_MAX_DRAWS = 200

#: Least share of a round's simulations that must succeed [1].
_MIN_SUCCESS = 0.1

#: Share of the work of a round that is simulation, for progress [1].
_SIMULATION_SHARE = 0.6

#: Threads of the linear algebra: sums of floats depend on their number, results mustn't.
_NUM_THREADS = 1

#: What the arrays of a checkpoint begin with.
_LEARNED, _POSTERIOR, _METRIC = "learned.", "posterior.", "metric."


class Learner(Protocol):
    """One way to learn from rounds of simulations."""

    def learn(
        self, points: np.ndarray, rows: np.ndarray, proposal: Mixture, generator: torch.Generator
    ) -> tuple[Mixture, dict[str, float]]:
        """The posterior after one more round, and figures of how learning went."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps."""
        ...

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Undo `arrays`."""
        ...


def _learner(rows: Rows, observed: np.ndarray, dim: int, options: NPEOptions) -> Learner:
    """The one that the options name."""
    if options.variant == "chapter-6":
        return ChapterSix(observed, dim, options)
    return NPEC(observed, dim, options, rows.num_traits)


@dataclass(eq=False)
class _Standing:
    """Where the rounds stand: what has been learned, the posterior, figures of each, a metric of the last one's."""

    learner: Learner
    posterior: Mixture
    stages: list[dict[str, float]]
    metric: Metric | None = None

    def save(self, path: Path, generator: np.random.Generator, run: dict[str, str]) -> None:
        """After a round."""
        arrays = {f"{_LEARNED}{name}": part for name, part in self.learner.arrays().items()}
        arrays |= {f"{_POSTERIOR}{name}": part for name, part in self.posterior.arrays().items()}
        if self.metric is not None:
            arrays |= {f"{_METRIC}{name}": part for name, part in self.metric.arrays().items()}
        meta = {"stages": self.stages, "generator": generator_state(generator)}
        save_checkpoint(path, Checkpoint(arrays, meta), run=run)

    def load(self, path: Path, generator: np.random.Generator, run: dict[str, str]) -> None:
        """What `save` left, if it left anything."""
        saved = load_checkpoint(path, run=run)
        if saved is not None:
            self.learner.restore(_named(saved.arrays, _LEARNED))
            self.posterior = Mixture.of_arrays(_named(saved.arrays, _POSTERIOR))
            self.stages = list(saved.meta["stages"])
            metric = _named(saved.arrays, _METRIC)
            self.metric = Metric.of_arrays(metric) if metric else None
            restore_generator(generator, saved.meta["generator"])


@dataclass(frozen=True, eq=False)
class Learned:
    """What rounds have taught.

    Args:
        posterior: over whitened parameters.
        stages: figures of every round.
        metric: distances among what the last round simulated.
        reduce: of observations to rows.
    """

    posterior: Mixture
    stages: dict[str, np.ndarray]
    metric: Metric
    reduce: Rows


def run_rounds(
    target: Target,
    options: NPEOptions,
    first: Mixture,
    generator: np.random.Generator,
    checkpoint: Path | None,
    progress: Callable[[float], None] | None,
) -> Learned:
    """What all rounds teach, the first of which draws from a mixture over whitened parameters."""
    reduce = Rows(target.observed.shape, Traits(target.observed.shape) if options.variant == "npe-c" else None)
    if not np.isfinite(target.observed).all():
        raise InputError("observation", expected="finite numbers", got="others", advice="repair what was observed")
    observed = reduce(target.observed)
    standing = _Standing(_learner(reduce, observed, len(target.parameters), options), first, [])
    run = _identity(target, options, first, generator)
    total = options.num_rounds * options.num_simulations + options.num_replicates
    if checkpoint is not None:
        standing.load(checkpoint, generator, run)
    for number in range(len(standing.stages), options.num_rounds):

        def advance(fraction: float, number: int = number) -> None:
            if progress is not None:
                progress((number + fraction) * options.num_simulations / total)

        rows = _round(target, reduce, standing, options.num_simulations, generator, advance)
        if number == options.num_rounds - 1:
            standing.metric = Metric.of_round(rows, reduce.num_traits)
        if checkpoint is not None:
            standing.save(checkpoint, generator, run)
        advance(1.0)
    stages = {name: np.array([stage[name] for stage in standing.stages]) for name in standing.stages[0]}
    assert standing.metric is not None  # the last round is over
    return Learned(standing.posterior, stages, standing.metric, reduce)


def replicated_misfit(
    target: Target, learned: Learned, posterior: Posterior, num_replicates: int, generator: np.random.Generator
) -> dict[str, float]:
    """How the observation differs from simulations at samples of the posterior, see `misfit`."""
    points = target.prior.whiten(posterior.drawn(num_replicates))
    replicated = _simulate(target, points, learned.reduce, generator, lambda _: None)[1]
    with fixed_threads():
        return misfit(learned.metric, learned.reduce(target.observed), replicated)


def _round(
    target: Target,
    reduce: Rows,
    standing: _Standing,
    num_simulations: int,
    generator: np.random.Generator,
    progress: Callable[[float], None],
) -> np.ndarray:
    """Draw from the last posterior, simulate, and learn; what was simulated."""
    with fixed_threads():
        proposal = merged(standing.posterior, _PROPOSAL_COMPONENTS)
        points = draw(target, proposal, num_simulations, generator)[0]
    points, rows = _simulate(target, points, reduce, generator, lambda share: progress(_SIMULATION_SHARE * share))
    _require_variety(rows)
    with fixed_threads():
        seed = torch.Generator().manual_seed(int(generator.integers(2**63)))
        standing.posterior, figures = standing.learner.learn(points, rows, proposal, seed)
    counts = {"simulations": float(num_simulations), "failed_simulations": float(num_simulations - len(points))}
    standing.stages.append(counts | figures)
    return rows


def _identity(target: Target, options: NPEOptions, first: Mixture, generator: np.random.Generator) -> dict[str, str]:
    """What a run depends on, for a checkpoint to tell runs apart."""
    ones = np.ones((1, len(target.parameters)))
    return {
        "observation": content_key(target.observed),
        "parameters": content_key(repr(target.parameters)),
        "prior": content_key(target.prior.color(np.concatenate([-ones, ones]))),
        "options": repr(options),
        "first proposal": content_key(*first.arrays().values()),
        "seed": content_key(json.dumps(generator_state(generator), sort_keys=True)),
    }


def _named(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def draw(
    target: Target, mixture: Mixture, num_points: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points where the prior doesn't vanish: whitened, in natural units, and their log-prior.

    Raises:
        ConvergenceError: there are hardly any.
    """
    kept, found, drawn = [], 0, 0
    while found < num_points:
        if drawn > _MAX_DRAWS * num_points:
            raise ConvergenceError(
                "npe",
                expected="draws that the prior allows",
                got=f"{found} among {drawn}",
                advice="check the prior",
            )
        points = mixture.sample(num_points, generator)
        natural = target.prior.color(points)
        log_prior = target.log_prior(natural)
        allowed = np.isfinite(log_prior)
        kept.append((points[allowed], natural[allowed], log_prior[allowed]))
        found, drawn = found + int(allowed.sum()), drawn + num_points
    points, natural, log_prior = (np.concatenate(parts)[:num_points] for parts in zip(*kept, strict=True))
    return points, natural, log_prior


def _simulate(
    target: Target,
    points: np.ndarray,
    reduce: Rows,
    generator: np.random.Generator,
    progress: Callable[[float], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Points whose simulation succeeded, and the rows of what was simulated.

    A simulation that holds anything but finite numbers failed. Leaving it out is no bias: such a thing isn't observed,
    and the likelihood of what was observed vanishes there.

    Raises:
        ConvergenceError: hardly any succeeded.
    """
    rows: list[np.ndarray] = []
    for first in range(0, len(points), _CHUNK):
        observations = target.simulate(target.prior.color(points[first : first + _CHUNK]), generator)
        rows.extend(reduce(observation) for observation in observations)
        progress(len(rows) / len(points))
    together = np.stack(rows)
    whole = np.isfinite(together).all(axis=1)
    if whole.sum() < _MIN_SUCCESS * len(points):
        raise ConvergenceError(
            "npe",
            expected="simulations",
            got=f"{len(points) - whole.sum()} of {len(points)} that are not a number",
            advice="repair the target, or narrow the prior",
        )
    return points[whole], together[whole]


def _require_variety(rows: np.ndarray) -> None:
    """Raise ConvergenceError if all simulations are the same."""
    if (rows == rows[0]).all():
        raise ConvergenceError(
            "npe",
            expected="simulations that differ from one another",
            got="a round of equal ones",
            advice="check that the prior holds tumors that can be seen",
        )


@contextmanager
def fixed_threads() -> Iterator[None]:
    """The same number of threads everywhere, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(_NUM_THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
