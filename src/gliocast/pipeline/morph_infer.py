"""Learn-Morph-Infer on a patient: a network answers, some solves draw that to the outlines, a search refines it.

For Fisher-Kolmogorov growth the answer comes from the network that reads reference tumors; for mass effect, and on
demand, from the one that looks at the outlines themselves, as in the paper.

Also the pipeline as it was printed, which morphs the outlines to the atlas, infers and simulates there, and morphs the
density back.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from gliocast.anatomy import AnatomyEstimate
from gliocast.cohort.atlas_tumors import learning_anatomy, learning_forward
from gliocast.core import ConvergenceError, Density, InputError, LabelMap, Posterior
from gliocast.growth import Held
from gliocast.inference import LaplaceOptions, laplace_around, straighten
from gliocast.inference.morph_infer import (
    MorphInfer,
    ReferenceReader,
    References,
    load_reading,
    load_weights,
    look,
    look_at_patient,
    outlines_of,
    shipped_reading,
    shipped_weights,
)
from gliocast.observation import OutlineLikelihood
from gliocast.problem import Problem, draw_closer, temper

#: Share of the expected work that drawing an answer to the outlines is, where a search follows [1].
_DRAWING_SHARE = 0.1

#: Samples that the covariance of an answer is taken from, at least [1].
_FEWEST_SAMPLES = 1000

Refinement = Literal["none", "map", "tmcmc"]
Network = Literal["references", "outlines"]


@dataclass(frozen=True)
class MorphInferOptions:
    """How to infer.

    Args:
        num_samples: posterior samples.
        closer: whether the network's answer is drawn to the outlines by some thirty solves, see `problem.draw_closer`.
        refinement: what follows: "none", "map" or "tmcmc".
        network: which one answers: the one that reads "references", which is for Fisher-Kolmogorov growth, or the one
            that looks at the "outlines". None for references where growth allows it.
        weights: file of the network's weights; None for those that are shipped.
    """

    num_samples: int = 1000
    closer: bool = True
    refinement: Refinement = "map"
    network: Network | None = None
    weights: Path | None = None

    def __post_init__(self) -> None:
        known = self.refinement in get_args(Refinement) and self.network in (None, *get_args(Network))
        if self.num_samples < 1 or not known:
            raise InputError(
                "morph-infer",
                expected=f"samples, a refinement of {', '.join(get_args(Refinement))}, "
                f"a network of {', '.join(get_args(Network))}",
                got=f"{self.num_samples}, {self.refinement}, {self.network}",
                advice="use the defaults",
            )


def morph_infer(
    problem: Problem,
    *,
    generator: np.random.Generator,
    options: MorphInferOptions | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[float], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Posterior:
    """Posterior of a problem of outlines: the network's answer, refined.

    Args:
        problem: of core and whole-tumor outlines.
        generator: source of randomness.
        options: how to infer.
        checkpoint: of the sampler, where it refines.
        progress: called with the fraction of the expected work that is done.
        note: called with a line per stage.

    Raises:
        InputError: the problem isn't one of two outlines, or there are no weights for its growth.
        ConvergenceError: nothing grows from the network's answer, and no search follows.
    """
    options = options or MorphInferOptions()
    answer = answered(problem, options, generator=generator)
    if note is not None:
        note(f"network: {_written(answer)}")
    rest = progress
    if options.closer:
        drawing = 1.0 if options.refinement == "none" else _DRAWING_SHARE
        draw = draw_closer if options.refinement == "none" else drawn_closer  # a search may recover where nothing grows
        answer = draw(problem, answer, progress=_part(progress, 0.0, drawing))
        rest = _part(progress, drawing, 1.0)
        if note is not None:
            note(f"next to the outlines: {_written(answer)}")
    return refined(problem, answer, options, generator=generator, checkpoint=checkpoint, progress=rest, note=note)


def answered(problem: Problem, options: MorphInferOptions, *, generator: np.random.Generator) -> Posterior:
    """The network's answer alone, with so many samples that their covariance is known; else as `morph_infer`."""
    seen = problem.observation
    if not isinstance(seen, OutlineLikelihood):
        raise InputError(
            "morph-infer", expected="outlines of core and whole tumor", got="other data", advice="use another method"
        )
    core, whole, anatomy = seen.core >= 0.5, seen.whole >= 0.5, problem.anatomy
    num_samples = max(options.num_samples, _FEWEST_SAMPLES)
    model = "mass-effect" if isinstance(problem.forward, Held) else "fisher-kolmogorov"
    if (options.network or ("references" if model == "fisher-kolmogorov" else "outlines")) == "outlines":
        estimator = MorphInfer(load_weights(options.weights or shipped_weights(model)))
        window = look_at_patient(core, whole, anatomy, estimator.weights.spacing_mm)
        return estimator.condition(window, problem.parameters, generator=generator, num_samples=num_samples)
    reader = ReferenceReader(load_reading(options.weights or shipped_reading()))
    references = References(learning_forward("fisher-kolmogorov"), anatomy)
    outlines = outlines_of(core, whole, anatomy)
    return reader.condition(
        references,
        outlines,
        problem.parameters,
        generator=generator,
        num_samples=num_samples,
        further=not options.closer,  # what is drawn has more from single voxels than from further looks
    )


def drawn_closer(problem: Problem, answer: Posterior, *, progress: Callable[[float], None] | None = None) -> Posterior:
    """A network's answer drawn to the outlines of a problem; as it is where nothing can grow from it."""
    try:
        return draw_closer(problem, answer, progress=progress)
    except ConvergenceError:
        return answer


def _part(progress: Callable[[float], None] | None, begin: float, end: float) -> Callable[[float], None] | None:
    """What tells the progress of a part of the work, from one share of the whole to another."""
    return None if progress is None else lambda share: progress(begin + (end - begin) * share)


def _written(answer: Posterior) -> str:
    return ", ".join(f"{p.symbol} {x:.3g}" for p, x in zip(answer.parameters, answer.mode, strict=True))


def _first_samples(answer: Posterior, count: int) -> Posterior:
    """A network's answer with fewer of its samples, which are drawn independently."""
    weights = np.full(count, 1 / count)
    return replace(answer, samples=answer.samples[:count], weights=weights, log_densities=answer.log_densities[:count])


def refined(
    problem: Problem,
    answer: Posterior,
    options: MorphInferOptions,
    *,
    generator: np.random.Generator,
    checkpoint: Path | None = None,
    progress: Callable[[float], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Posterior:
    """Posterior of the problem, found in narrow ranges around the network's answer, as the paper proposes.

    "none" leaves the answer as it is; "map" climbs to the mode from there and takes the Laplace approximation at it;
    "tmcmc" tempers from the answer's normal distribution to the posterior.
    """
    if options.refinement == "none":
        return _first_samples(answer, options.num_samples)
    tempered = temper(
        problem,
        start=answer.mode,
        spread=straighten(answer.parameters, answer.samples).std(axis=0),
        generator=generator,
        progress=progress,
    )
    if options.refinement == "map":
        choices = LaplaceOptions(num_samples=options.num_samples)
        found = laplace_around(tempered.problem, tempered.mode, generator=generator, options=choices)
    else:
        from gliocast.inference.tmcmc import Reference, TMCMCOptions, tmcmc

        found = tmcmc(
            tempered.problem,
            generator=generator,
            options=TMCMCOptions(num_samples=options.num_samples),
            start=Reference.from_posterior(problem.prior, answer),
            checkpoint=checkpoint,
            progress=progress,
            note=note,
        )
    return tempered.noted(replace(found, method=f"{answer.method}, refined: {found.method or options.refinement}"))


def morph_infer_in_atlas(labels: LabelMap, estimate: AnatomyEstimate, *, weights: Path | None = None) -> Density:
    """Density on the patient's grid, as the paper finds it: everything but the morphing happens in the atlas.

    Args:
        labels: the patient's segmentation.
        estimate: the patient's anatomy, with its correspondence to the atlas.
        weights: of the network; its growth equation is the one that is simulated.

    Raises:
        InputError: no atlas was registered, or an outline is empty.
    """
    if estimate.correspondence is None:
        raise InputError(
            "morph-infer", expected="an atlas registered to the patient", got="none", advice="estimate the anatomy"
        )
    estimator = MorphInfer(load_weights(weights or shipped_weights("fisher-kolmogorov")))
    atlas, patient = learning_anatomy(), labels.grid
    core, whole = (
        estimate.correspondence.carried_to_atlas(mask, patient, atlas.grid) >= 0.5
        for mask in (labels.core, labels.whole)
    )
    window = look(core, whole, atlas.white_matter, atlas.gray_matter, atlas.grid)
    forward = learning_forward(estimator.weights.model)
    density = forward(estimator.point(window)[:5], atlas, days=[1.0])[0]
    carried = estimate.correspondence.carried_to_patient(density.data, atlas.grid, patient)
    return replace(density, data=np.clip(carried, 0, 1), grid=patient)
