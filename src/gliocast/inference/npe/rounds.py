"""Rounds of drawing, simulating and learning, each begun where the last one ended."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from gliocast.core import ConvergenceError, InputError, Target
from gliocast.data.cache import content_key
from gliocast.inference.npe.blocks import Blocks
from gliocast.inference.npe.chapter_6 import ChapterSix
from gliocast.inference.npe.checkpoint import load_checkpoint, save_checkpoint
from gliocast.inference.npe.merging import merged
from gliocast.inference.npe.mixture import Mixture
from gliocast.inference.npe.npe_c import NPEC
from gliocast.inference.npe.options import NPEOptions

#: Components of a proposal [1]; the cost of NPE-C grows with their number times the number of rounds.
_PROPOSAL_COMPONENTS = 4

#: Simulations whose images are in memory at a time [1].
_CHUNK = 32

#: Points drawn for each one needed, before the prior is said to rule all out [1].
_MAX_DRAWS = 200

#: Share of the work of a round that is simulation, for progress [1].
_SIMULATION_SHARE = 0.6

#: Threads of the linear algebra: sums of floats depend on their number, results mustn't.
_NUM_THREADS = 1


def run_rounds(
    target: Target,
    options: NPEOptions,
    generator: np.random.Generator,
    checkpoint: Path | None,
    progress: Callable[[float], None] | None,
) -> tuple[Mixture, dict[str, np.ndarray]]:
    """The mixture over whitened parameters after the last round, and figures of every round."""
    blocks, dim = Blocks(target.observed.shape), len(target.parameters)
    observed = blocks(target.observed)
    if not np.isfinite(observed).all():
        raise InputError("observation", expected="finite numbers", got="others", advice="repair what was observed")
    learner = (ChapterSix if options.variant == "chapter-6" else NPEC)(observed, dim, options)
    state = json.dumps(generator.bit_generator.state, sort_keys=True, default=_plain)
    key = content_key(repr(options), repr(target.parameters), target.observed, state)
    posterior, stages = Mixture.prior(dim), list[dict[str, float]]()
    if checkpoint is not None and (saved := load_checkpoint(checkpoint, key=key)) is not None:
        arrays, meta = saved
        parts = {name.removeprefix("posterior_"): arrays.pop(name) for name in list(arrays) if "posterior_" in name}
        posterior, stages = Mixture.of_arrays(parts), meta["stages"]
        generator.bit_generator.state = meta["generator"]
        learner.restore(arrays)
    for number in range(len(stages), options.num_rounds):

        def advance(fraction: float, number: int = number) -> None:
            if progress is not None:
                progress((number + fraction) / options.num_rounds)

        proposal = merged(posterior, _PROPOSAL_COMPONENTS)
        points = draw(target, proposal, options.num_simulations, generator)[0]
        points, rows = _simulate(target, points, blocks, generator, lambda share: advance(_SIMULATION_SHARE * share))
        with _fixed_threads():
            seed = torch.Generator().manual_seed(int(generator.integers(2**63)))
            posterior, figures = learner.learn(points, rows, proposal, seed)
        failed = options.num_simulations - len(points)
        stages.append({"simulations": float(options.num_simulations), "failed_simulations": float(failed)} | figures)
        if checkpoint is not None:
            arrays = learner.arrays() | {f"posterior_{name}": part for name, part in posterior.arrays().items()}
            meta = {"stages": stages, "generator": generator.bit_generator.state}
            save_checkpoint(checkpoint, key=key, arrays=arrays, meta=json.loads(json.dumps(meta, default=_plain)))
        advance(1.0)
    return posterior, {name: np.array([stage[name] for stage in stages]) for name in stages[0]}


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
    blocks: Blocks,
    generator: np.random.Generator,
    progress: Callable[[float], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Points whose simulation succeeded, and the rows of what was simulated.

    A simulation that holds anything but finite numbers failed. Leaving it out is no bias: such a thing isn't observed,
    and the likelihood of what was observed vanishes there.
    """
    rows = []
    for first in range(0, len(points), _CHUNK):
        observations = target.simulate(target.prior.color(points[first : first + _CHUNK]), generator)
        rows.extend(blocks(observation) for observation in observations)
        progress(len(rows) / len(points))
    together = np.stack(rows)
    whole = np.isfinite(together).all(axis=1)
    if whole.sum() < len(points) / 10:
        raise ConvergenceError(
            "npe",
            expected="simulations",
            got=f"{len(points) - int(whole.sum())} of {len(points)} that are not a number",
            advice="repair the target, or narrow the prior",
        )
    return points[whole], together[whole]


@contextmanager
def _fixed_threads() -> Iterator[None]:
    """The same number of threads everywhere, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(_NUM_THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _plain(value: object) -> object:
    """Arrays and numbers of numpy in a generator's state, as JSON has them."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
