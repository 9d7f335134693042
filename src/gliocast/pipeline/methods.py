"""The inverse methods that the command line knows by name, and how one is run.

Every method is a row: name, title, the frozen options that it takes, and a function that hands it what it needs. What a
row imports is imported when it is used.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gliocast.core import DisplaceableObservation, InputError, Monitor, Posterior
from gliocast.data import content_key, unfinished_file
from gliocast.inference import Mode
from gliocast.problem import Guess, Problem, Tempered, displaced, temper

#: Used unless one says otherwise.
DEFAULT_METHOD = "laplace"


@dataclass(frozen=True, eq=False)
class Task:
    """What a method works on.

    Args:
        problem: the posterior.
        guess: where a search begins.
        generator: source of randomness.
        monitor: watches; the stage has begun.
        checkpoint: file that an interrupted method goes on from, None for a method that can't, or needn't.
    """

    problem: Problem
    guess: Guess
    generator: np.random.Generator
    monitor: Monitor
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Method:
    """An inverse method by name.

    Args:
        name: as the command line writes it.
        title: as reports and records write it.
        options: gives the class of its options, a frozen dataclass with `num_samples`.
        solve: runs it with such options.
        resumes: whether it goes on from a checkpoint.
    """

    name: str
    title: str
    options: Callable[[], Callable[..., Any]]
    solve: Callable[[Task, Any], Posterior]
    resumes: bool = False

    def settings(self, num_samples: int | None = None) -> Any:
        """Its options, with as many samples as one wants, or as are usual."""
        options = self.options()
        return options() if num_samples is None else options(num_samples=num_samples)


@dataclass(frozen=True, eq=False)
class Fit:
    """What a method found, and how.

    Args:
        posterior: of the parameters.
        method: that found it.
        settings: its options.
        checkpoint: what it kept in case of an interruption, to be removed when the results are safe; may not exist.
    """

    posterior: Posterior
    method: Method
    settings: Any
    checkpoint: Path | None = None

    def record(self) -> dict[str, Any]:
        """Name, title and settings, for JSON."""
        return {"name": self.method.name, "title": self.method.title, "settings": asdict(self.settings)}

    def forget(self) -> None:
        """Remove the checkpoint."""
        if self.checkpoint is not None:
            with suppress(OSError):  # a file of the cache that stays does no harm
                self.checkpoint.unlink(missing_ok=True)


def fit(
    method: Method,
    problem: Problem,
    guess: Guess,
    *,
    num_samples: int | None,
    seed: int,
    resume: bool,
    monitor: Monitor,
) -> Fit:
    """Run a method from its checkpoint, if there is one, or from the beginning.

    A checkpoint lies in the cache under a key made of all that the result depends on, so that it can never be another
    job's.

    Args:
        method: which one.
        problem: the posterior.
        guess: where a search begins.
        num_samples: posterior samples; None for the method's own number.
        seed: of the random generator.
        resume: whether to go on with what an interrupted run left, or to drop it.
        monitor: watches; the stage has begun.
    """
    settings = method.settings(num_samples)
    checkpoint = unfinished_file(_key(method, settings, problem, guess, seed)) if method.resumes else None
    task = Task(problem, guess, np.random.default_rng(seed), monitor, checkpoint)
    if checkpoint is not None and checkpoint.exists():
        if resume:
            monitor.note(f"{method.name}: goes on where an interrupted run stopped")
        else:
            checkpoint.unlink()
    posterior = method.solve(task, settings)
    if not posterior.method:
        posterior = replace(posterior, method=method.title)
    if posterior.log_evidence is not None:
        monitor.note(f"{method.name}: log-evidence {posterior.log_evidence:.1f}")
    return Fit(posterior, method, settings, checkpoint)


def find_method(name: str) -> Method:
    """The method of a name; raises InputError where there is none."""
    if name not in METHODS:
        raise InputError("method", expected=f"one of {', '.join(METHODS)}", got=name, advice="pick one of these")
    return METHODS[name]


def _key(method: Method, settings: Any, problem: Problem, guess: Guess, seed: int) -> str:
    """Hash of all that a result depends on; what no array shows shows in the likelihood of the guess."""
    anatomy = problem.anatomy
    tissue = (anatomy.white_matter, anatomy.gray_matter, anatomy.csf, anatomy.brain, anatomy.grid.affine)
    probes = problem.prior.color(np.outer((-1.0, 0.0, 2.0), np.ones(len(problem.parameters))))
    likelihood = problem.log_likelihood(guess.point[None])
    words = (version("gliocast"), method.name, repr(settings), *(parameter.name for parameter in problem.parameters))
    return content_key("fit", *words, seed, problem.observed, *tissue, probes, likelihood, guess.point, guess.spread)


def _laplace_options() -> type:
    from gliocast.inference import LaplaceOptions

    return LaplaceOptions


def _laplace(task: Task, options: Any) -> Posterior:
    from gliocast.inference import laplace_around

    tempered = _tempered(task)
    return tempered.noted(laplace_around(tempered.problem, tempered.mode, generator=task.generator, options=options))


def _tempered(task: Task) -> Tempered:
    """The problem whose voxels count what the correlation of their residuals leaves them, and its mode."""
    guess, advance = task.guess, task.monitor.advance
    return temper(task.problem, start=guess.point, spread=guess.spread, generator=task.generator, progress=advance)


def _tmcmc_options() -> type:
    from gliocast.inference.tmcmc import TMCMCOptions

    return TMCMCOptions


def _tmcmc(task: Task, options: Any) -> Posterior:
    from gliocast.inference.tmcmc import tmcmc

    tempered = _tempered(task)
    posterior = tmcmc(
        tempered.problem,
        generator=task.generator,
        options=options,
        checkpoint=task.checkpoint,
        progress=task.monitor.advance,
        note=task.monitor.note,
    )
    return tempered.noted(posterior)


def _npe_options() -> type:
    from gliocast.inference.npe import NPEOptions

    return NPEOptions


def _npe(task: Task, options: Any) -> Posterior:
    from gliocast.inference.npe import misfit_sentence, npe

    problem, start = _learnable(task)
    posterior = npe(
        problem,
        generator=task.generator,
        options=options,
        start=start,
        checkpoint=task.checkpoint,
        progress=task.monitor.advance,
    )
    for line in _rounds(posterior):
        task.monitor.note(line)
    task.monitor.note(f"npe: {misfit_sentence(posterior) or _explained(posterior)}")
    return posterior


def _learnable(task: Task) -> tuple[Problem, Mode | None]:
    """The problem with simulations that err as far as the scan does from a quick fit, and the fit's mode.

    A scan whose errors are stated, or are parameters, is simulated with these, and nothing is fitted.
    """
    displaceable = isinstance(task.problem.observation, DisplaceableObservation)
    if not (displaceable and task.problem.weighs_by_residuals):
        return task.problem, None
    tempered = _tempered(task)
    # after CMA-ES a mode's covariance has no size
    start = tempered.mode if tempered.mode.method == "gauss-newton" else None
    return displaced(tempered.problem, tempered.mode), start


def _explained(posterior: Posterior) -> str:
    percentile = posterior.diagnostics["misfit_percentile"]
    return f"the scan looks like simulations of its posterior (farther out than {percentile:.0f} % of them)"


def _morph_infer_options(refinement: Literal["none", "map", "tmcmc"]) -> Callable[[], Callable[..., Any]]:
    def options() -> Callable[..., Any]:
        from gliocast.pipeline.morph_infer import MorphInferOptions

        return partial(MorphInferOptions, refinement=refinement)

    return options


def _morph_infer(task: Task, options: Any) -> Posterior:
    from gliocast.pipeline.morph_infer import morph_infer  # torch comes with it, for two seconds

    return morph_infer(
        task.problem,
        generator=task.generator,
        options=options,
        checkpoint=task.checkpoint,
        progress=task.monitor.advance,
        note=task.monitor.note,
    )


def _rounds(posterior: Posterior) -> list[str]:
    """What went on from round to round, a line each."""
    columns = {name.replace("_", " "): values for name, values in posterior.stages.items()}
    return [
        f"round {number}: " + ", ".join(f"{name} {value:.4g}" for name, value in zip(columns, row, strict=True))
        for number, row in enumerate(zip(*columns.values(), strict=True), start=1)
    ]


_KNOWN = (
    Method("laplace", "maximum a posteriori with Laplace approximation", _laplace_options, _laplace),
    Method("tmcmc", "transitional Markov chain Monte Carlo", _tmcmc_options, _tmcmc, resumes=True),
    Method("npe", "sequential neural posterior estimation", _npe_options, _npe, resumes=True),
    Method("morph-infer", "Learn-Morph-Infer, refined by a search", _morph_infer_options("map"), _morph_infer),
    Method("morph-infer-network", "Learn-Morph-Infer without a search", _morph_infer_options("none"), _morph_infer),
    Method(
        "morph-infer-tmcmc",
        "Learn-Morph-Infer, refined by transitional Markov chain Monte Carlo",
        _morph_infer_options("tmcmc"),
        _morph_infer,
        resumes=True,
    ),
)

#: All of them, by name.
METHODS = {method.name: method for method in _KNOWN}
