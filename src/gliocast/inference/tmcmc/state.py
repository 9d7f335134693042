"""Where a run stands, and the journal that keeps it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path as FilePath

import numpy as np

from gliocast.core import InputError
from gliocast.data.cache import content_key
from gliocast.data.checkpoint import (
    Checkpoint,
    generator_state,
    load_checkpoint,
    restore_generator,
    save_checkpoint,
)
from gliocast.inference.tmcmc.options import TMCMCOptions
from gliocast.inference.tmcmc.path import Particles, Path

#: Relative difference of the best point's likelihood that another machine's rounding may make [1].
_SAME_LIKELIHOOD = 1e-6

#: Whitened coordinates at which priors are compared [standard deviations].
_PROBES = (-1.5, 0.0, 2.0)


@dataclass
class State:
    """Where a run stands after a stage.

    Args:
        particles: of the stage, equally weighted.
        roots: the first stage's particle that each descends from, (num_samples,).
        tuning: of the moves.
        num_first: particles of the first stage.
        exponent: of the stage [1].
        log_evidence: of the stage's distribution [nat].
        evidence_error: its standard error [nat].
        history: a figure per stage, by name.
    """

    particles: Particles
    roots: np.ndarray
    tuning: np.ndarray
    num_first: int
    exponent: float = 0.0
    log_evidence: float = 0.0
    evidence_error: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)

    @property
    def num_stages(self) -> int:
        """Stages that are done."""
        return len(self.history.get("exponent", []))

    def record(self, **figures: float) -> None:
        """Append the figures of a stage to the history."""
        for name, value in figures.items():
            self.history.setdefault(name, []).append(float(value))

    def describe(self) -> str:
        """The last stage in a line."""
        last = {name: values[-1] for name, values in self.history.items()}
        return (
            f"stage {self.num_stages}: exponent {last['exponent']:.3g}, acceptance {last['acceptance']:.0%}, "
            f"effective sample size {last['effective_sample_size']:.0f}, {last['evaluations']:.0f} evaluations"
        )


class Journal:
    """Keeps a run's state in a file, if one is named, and finds it there again.

    Args:
        file: the checkpoint; None keeps nothing.
        path: of the run.
        options: of the run.
        generator: as the run begins.
    """

    def __init__(
        self, file: FilePath | str | None, path: Path, options: TMCMCOptions, generator: np.random.Generator
    ) -> None:
        self._file, self._path, self._generator = file, path, generator
        self._run = {} if file is None else _identity(path, options, generator)

    def write(self, state: State) -> None:
        """Keep the state after a stage."""
        if self._file is None:
            return
        particles, path = state.particles, self._path
        arrays = {
            "points": particles.points,
            "log_reference": particles.log_reference,
            "gains": particles.gains,
            "roots": state.roots,
            "tuning": state.tuning,
            "best_point": path.best_point,
        }
        meta = {
            "num_first": state.num_first,
            "exponent": state.exponent,
            "log_evidence": state.log_evidence,
            "evidence_error": state.evidence_error,
            "history": state.history,
            "best_height": path.best_height,
            "num_evaluations": path.num_evaluations,
            "generator": generator_state(self._generator),
        }
        save_checkpoint(self._file, Checkpoint(arrays, meta), run=self._run)

    def resume(self) -> State | None:
        """The state that was kept, None where there is none; generator, counter and best point go back to theirs.

        Raises:
            InputError: the file is damaged or of another run, or the target says something else of the best point.
        """
        kept = None if self._file is None else load_checkpoint(self._file, run=self._run)
        if kept is None:
            return None
        arrays, meta, path = kept.arrays, kept.meta, self._path
        particles = Particles(arrays["points"], arrays["log_reference"], arrays["gains"])
        self._require_same_target(arrays["best_point"], meta["best_height"])
        path.best_point, path.best_height = arrays["best_point"], meta["best_height"]
        path.num_evaluations = meta["num_evaluations"]
        restore_generator(self._generator, meta["generator"])
        figures = (meta[name] for name in ("num_first", "exponent", "log_evidence", "evidence_error", "history"))
        return State(particles, arrays["roots"], arrays["tuning"], *figures)

    def _require_same_target(self, point: np.ndarray, height: float) -> None:
        """What the run depends on beyond data and prior (equation, anatomy) shows in the likelihood of one point."""
        now = float((self._path.target.log_prior(point[None]) + self._path.log_likelihood(point[None]))[0])
        if not np.isclose(now, height, rtol=_SAME_LIKELIHOOD, atol=_SAME_LIKELIHOOD):
            raise InputError(
                "checkpoint",
                expected=f"a log-posterior of {height:.6g} at the best point",
                got=f"{now:.6g}",
                advice="go on with the model and anatomy of the run that wrote it, or delete it to start anew",
            )


def _identity(path: Path, options: TMCMCOptions, generator: np.random.Generator) -> dict[str, str]:
    """What the run depends on, as hashes by name."""
    target, reference = path.target, path.reference
    probes = np.array(_PROBES)[:, None] * np.ones(len(target.parameters))
    names = [f"{parameter.name} [{parameter.unit}]" for parameter in target.parameters]
    return {
        "options": content_key(*(part for pair in asdict(options).items() for part in pair)),
        "parameters": content_key(*names),
        "prior": content_key(target.prior.color(probes)),
        "data": content_key(np.asarray(target.observed)),
        "start": content_key(reference.mean, reference.covariance, reference.prior_share),
        "seed": content_key(repr(generator_state(generator))),
    }
