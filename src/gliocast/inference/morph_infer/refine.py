"""What the paper only proposes: a search or a sampler that begins in narrow ranges around the network's answer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from gliocast.core import InputError, Posterior, Target
from gliocast.inference.laplace import LaplaceOptions, laplace
from gliocast.inference.prior import straighten
from gliocast.inference.tmcmc import Reference, TMCMCOptions, tmcmc

Refinement = Literal["none", "map", "tmcmc"]

#: Width of the search around the answer, in deviations of the answer [1].
_NARROW = 1.0


def refine(
    target: Target,
    answer: Posterior,
    *,
    refinement: Refinement = "map",
    generator: np.random.Generator,
    num_samples: int = 1000,
    checkpoint: Path | None = None,
    progress: Callable[[float], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Posterior:
    """Posterior of the target, found from the network's answer.

    Args:
        target: the patient's own posterior.
        answer: the network's.
        refinement: "none" leaves the answer as it is, "map" climbs to the mode from it and takes the Laplace
            approximation, "tmcmc" tempers from it to the posterior.
        generator: source of randomness.
        num_samples: posterior samples.
        checkpoint: of the sampler.
        progress: called with the fraction of the expected work that is done.
        note: called with a line per stage.

    Raises:
        InputError: an unknown refinement.
        ConvergenceError: the search or the sampler didn't converge.
    """
    if refinement not in get_args(Refinement):
        raise InputError(
            "refinement", expected=f"one of {', '.join(get_args(Refinement))}", got=refinement, advice="pick one"
        )
    if refinement == "none":
        return answer
    if refinement == "map":
        coordinates = straighten(answer.parameters, answer.samples)
        found = laplace(
            target,
            start=answer.mode,
            spread=_NARROW * coordinates.std(axis=0),
            generator=generator,
            options=LaplaceOptions(num_samples=num_samples),
            progress=progress,
        )
    else:
        found = tmcmc(
            target,
            generator=generator,
            options=TMCMCOptions(num_samples=num_samples),
            start=Reference.from_posterior(target.prior, answer),
            checkpoint=checkpoint,
            progress=progress,
            note=note,
        )
    return replace(found, method=f"{answer.method}, refined: {found.method or refinement}")
