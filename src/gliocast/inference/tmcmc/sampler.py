r"""Transitional Markov chain Monte Carlo.

Particles drawn from the prior are led to the posterior by degrees: stage after stage they are weighted toward a higher
power of the likelihood (`tempering`), resampled, and moved by Metropolis steps that leave the stage's distribution as
it is (`moves`), all of them in one batch of the target. The mean weights multiply to the evidence.

Source: Ching and Chen, Transitional Markov chain Monte Carlo method for Bayesian model updating, model class selection,
and model averaging, J. Eng. Mech. 133 (2007) 816. Where we depart from it: each resampled particle moves on its own,
instead of one chain for all copies of a particle, so that a stage is a few large batches; and all but "plain" move
until they forget where they began (as sequential Monte Carlo samplers do, Del Moral, Doucet and Jasra 2006), without
which the evidence and narrow ridges come out wrong.
"""

from collections.abc import Callable
from pathlib import Path as FilePath

import numpy as np

from gliocast.core import ConvergenceError, Posterior, Target
from gliocast.inference.tmcmc.moves import Kernel, first_tuning, make_kernel
from gliocast.inference.tmcmc.options import TMCMCOptions
from gliocast.inference.tmcmc.path import Particles, Path
from gliocast.inference.tmcmc.reference import Reference
from gliocast.inference.tmcmc.state import Journal, State
from gliocast.inference.tmcmc.tempering import (
    effective_samples,
    evidence_error,
    incremental_weights,
    next_exponent,
    systematic_resampling,
)

#: A stage in which fewer particles than this moved at all has collapsed [1].
_LEAST_MOVED = 0.02

#: Particles with likelihood that a covariance needs, per parameter [1].
_LIVE_PER_PARAMETER = 2


def tmcmc(
    target: Target,
    *,
    generator: np.random.Generator,
    options: TMCMCOptions | None = None,
    start: Reference | None = None,
    checkpoint: FilePath | str | None = None,
    progress: Callable[[float], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Posterior:
    """Sample the posterior and estimate the evidence, without a first guess.

    Args:
        target: the posterior; each move of all particles is one batch.
        generator: source of randomness.
        options: how to sample.
        start: where tempering begins, by default the prior. Begin around an approximate posterior
            (`Reference.from_posterior`) or a point (`Reference.around`) to save the stages that lead there.
        checkpoint: file in which the first particles and every stage are kept. Where the file is there already, the run
            goes on from it and ends as it would have without the interruption; the caller removes it.
        progress: called with the fraction of the expected work that is done.
        note: called with a line per stage.

    Returns:
        Equally weighted samples, the best point seen as mode, the log-evidence [nat]. `diagnostics` holds its standard
        error (too small where few particles found the way from a plateau of the likelihood to its peak, see
        docs/samplers.md), the number of evaluations and of stages, and as ``effective_samples`` what the samples are
        worth to the worst-known mean; `stages` holds exponent, acceptance, effective sample size, scale (standard
        deviations), correlation left, log-evidence and its error so far, and evaluations.

    Raises:
        InputError: the checkpoint is damaged or of another run.
        ConvergenceError: the target returned nan, has no likelihood where tempering begins, all particles were
            rejected, or the stages ran out.
    """
    options = (options or TMCMCOptions()).begun_from(prior=start is None)
    path = Path(target, start or Reference.prior(len(target.parameters)))
    journal = Journal(checkpoint, path, options, generator)
    state = journal.resume()
    if state is None:
        state = _begin(path, options, generator)
        journal.write(state)
    while state.exponent < 1:
        _advance(state, path, options, generator)
        journal.write(state)
        if progress is not None:
            # exponents grow by about the same factor from stage to stage
            progress(1 - np.log(state.exponent) / min(np.log(state.history["exponent"][0]), -1e-9))
        if note is not None:
            note(state.describe())
    return _posterior(state, path, options)


def _begin(path: Path, options: TMCMCOptions, generator: np.random.Generator) -> State:
    """Particles of the reference."""
    num_first = options.num_first or options.num_samples
    particles = path.evaluate(path.reference.sample(num_first, generator))
    dim = particles.points.shape[1]
    num_live = int(np.isfinite(particles.gains).sum())
    if num_live < _LIVE_PER_PARAMETER * dim:
        raise ConvergenceError(
            "tmcmc",
            expected=f"at least {_LIVE_PER_PARAMETER * dim} particles with likelihood to begin with",
            got=f"{num_live} of {num_first}",
            advice="check prior and data, or begin nearer to the posterior",
        )
    return State(particles, np.arange(num_first), first_tuning(options.move, dim), num_first)


def _advance(state: State, path: Path, options: TMCMCOptions, generator: np.random.Generator) -> None:
    """One stage: weigh, resample, move."""
    if state.num_stages >= options.max_stages:
        raise ConvergenceError(
            "tmcmc",
            expected=f"the posterior within {options.max_stages} stages",
            got=f"an exponent of {state.exponent:.3g}",
            advice="allow more stages, or begin nearer to the posterior",
        )
    exponent = next_exponent(state.particles.gains, state.exponent, options.variation)
    weights, log_mean = incremental_weights(state.particles.gains, exponent - state.exponent)
    kernel = make_kernel(options.move, state.particles.points, weights, state.tuning, generator)
    state.log_evidence += log_mean
    state.evidence_error = evidence_error(weights, state.roots, state.num_first)
    rows = systematic_resampling(weights, options.num_samples, generator)
    state.particles, state.roots = state.particles.take(rows), state.roots[rows]
    state.exponent = exponent
    before = path.num_evaluations
    acceptance, correlation = _move(state, path, kernel, options, generator)
    state.tuning = kernel.tuning
    state.record(
        exponent=exponent,
        acceptance=acceptance,
        effective_sample_size=1 / np.sum(weights**2),
        scale=kernel.scale,
        correlation=correlation,
        log_evidence=state.log_evidence,
        log_evidence_error=state.evidence_error,
        evaluations=path.num_evaluations - before,
    )


def _move(
    state: State, path: Path, kernel: Kernel, options: TMCMCOptions, generator: np.random.Generator
) -> tuple[float, float]:
    """Move all particles until they forget where they began; acceptance and the correlation that is left."""
    enough = options.final_correlation if state.exponent == 1 else options.correlation
    max_moves = 1 if options.move == "plain" else options.max_moves
    origin, moved = _features(kernel, state.particles), np.zeros(options.num_samples, dtype=bool)
    acceptances = []
    for _ in range(max_moves):
        points, log_correction = kernel.propose(state.particles.points, generator)
        proposed = path.evaluate(points)
        change = proposed.log_density(state.exponent) - state.particles.log_density(state.exponent)
        probabilities = np.exp(np.minimum(change + log_correction, 0.0))
        accepted = generator.random(len(probabilities)) < probabilities
        state.particles = state.particles.replaced(accepted, proposed)
        moved |= accepted
        kernel.learn(probabilities)
        acceptances.append(probabilities.mean())
        correlation = _correlation(origin, _features(kernel, state.particles))
        if correlation < enough:
            break
    if moved.mean() < _LEAST_MOVED:
        raise ConvergenceError(
            "tmcmc",
            expected="particles that move",
            got=f"all but {moved.sum()} of {len(moved)} particles rejected at exponent {state.exponent:.3g}",
            advice="check the likelihood for noise, or take more particles",
        )
    return float(np.mean(acceptances)), correlation


def _features(kernel: Kernel, particles: Particles) -> np.ndarray:
    """What particles shall forget: where they are, and how likely they are, on which the evidence depends."""
    return np.column_stack([kernel.features(particles.points), particles.gains])


def _correlation(before: np.ndarray, now: np.ndarray) -> float:
    """Largest correlation of a feature's rank with what it was, (num, num_features) each [1].

    Of ranks, because early stages hold stragglers so unlikely that they alone would decide the values' correlation.
    """
    before, now = (np.argsort(np.argsort(values, axis=0), axis=0) - (len(values) - 1) / 2 for values in (before, now))
    products = np.mean(before * now, axis=0)
    return float(np.max(products / np.maximum(before.std(axis=0) * now.std(axis=0), np.finfo(float).tiny)))


def _posterior(state: State, path: Path, options: TMCMCOptions) -> Posterior:
    num, points = options.num_samples, state.particles.points
    return Posterior(
        parameters=path.target.parameters,
        samples=path.target.prior.color(points),
        weights=np.full(num, 1 / num),
        log_densities=path.log_posterior(state.particles),
        mode=path.best_point,
        diagnostics={
            "log_posterior": path.best_height,
            "evaluations": float(path.num_evaluations),
            "stages": float(state.num_stages),
            "log_evidence_error": state.evidence_error,
            "effective_samples": effective_samples(points, state.roots),
        },
        method=f"transitional MCMC ({options.move})",
        log_evidence=state.log_evidence,
        stages={name: np.array(values) for name, values in state.history.items()},
    )
