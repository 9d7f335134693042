"""Posterior samples grown once, for all that is told of them: maps of the density, and replicated observations."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gliocast.core import Density, InputError, Parameter, Posterior, QualityError

if TYPE_CHECKING:
    from gliocast.problem.problem import Problem

#: Posterior samples behind the maps [1]: a standard deviation of them is known to a tenth.
NUM_PREDICTIVE = 48


@dataclass(frozen=True, eq=False)
class GrownSamples:
    """Equally weighted posterior samples with the density that each grows to; those that can't grow are left out.

    Args:
        points: natural units, (num_grown, num_parameters).
        densities: on the inference grid, one for each.
    """

    points: np.ndarray
    densities: tuple[Density, ...]


def grow_samples(problem: "Problem", posterior: Posterior, *, num_samples: int = NUM_PREDICTIVE) -> GrownSamples:
    """Solve at posterior samples on the inference grid, as many at a time as the problem has threads.

    Args:
        problem: grows them.
        posterior: its solution.
        num_samples: how many.

    Raises:
        InputError: no samples, or a posterior of another problem.
        QualityError: most samples lie where no tumor can grow.
    """
    if num_samples < 1:
        raise InputError(
            "posterior samples", expected="at least one", got=f"{num_samples}", advice=f"grow {NUM_PREDICTIVE}"
        )
    require_posterior_of(problem.parameters, posterior)
    points = posterior.drawn(num_samples)
    densities = problem.grow(points)
    rows = [row for row, density in enumerate(densities) if density is not None]
    require_most_grown("density", len(rows), num_samples)
    return GrownSamples(points[rows], tuple(density for density in densities if density is not None))


def require_most_grown(subject: str, num_grown: int, num_samples: int) -> None:
    """Raise QualityError where most samples lie where no tumor can grow."""
    if num_grown < num_samples / 2:
        raise QualityError(
            subject,
            expected="posterior samples that can grow",
            got=f"{num_samples - num_grown} of {num_samples} that can't",
            advice="check the tissue maps around the tumor",
        )


def require_posterior_of(parameters: tuple[Parameter, ...], posterior: Posterior) -> None:
    """Raise InputError unless a posterior is over these parameters."""
    expected, got = ([p.name for p in group] for group in (parameters, posterior.parameters))
    if expected != got:
        raise InputError("posterior", expected=f"{expected}", got=f"{got}", advice="pass the one of this problem")
