r"""Choose among laws by AICc.

Weights :math:`w_i \propto \exp(-\Delta_i / 2)`, with :math:`\Delta_i` the difference to the smallest AICc (Akaike
weights). Where no law has visits enough for an AICc, there are no weights, and the choice is the law with the fewest
parameters, the likelier one of two that have as many.

Source: Burnham & Anderson, Model Selection and Multimodel Inference (2002), Sections 2.4 and 2.9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import InputError
from gliocast.growth.ode.fit import FitOptions, fit_law, require_visits, why_not
from gliocast.growth.ode.law import GrowthLaw
from gliocast.growth.ode.volume_fit import VolumeFit


@dataclass(frozen=True, eq=False)
class LawComparison:
    """Laws fitted to the same visits.

    Args:
        fits: at least one, in the order asked for.
        refused: why other laws weren't fitted, by name.
    """

    fits: tuple[VolumeFit, ...]
    refused: Mapping[str, str]

    @property
    def weights(self) -> np.ndarray:
        """Akaike weights, (num_fits,); they sum to one, or are all zero where no AICc exists."""
        scores = np.array([fit.aicc for fit in self.fits])
        if not np.isfinite(scores).any():
            return np.zeros(len(scores))
        weights = np.exp(-0.5 * (scores - scores.min()))
        return weights / weights.sum()

    @property
    def best(self) -> VolumeFit:
        """The law of the smallest AICc; without any, the likeliest of those with the fewest parameters."""
        return min(self.fits, key=lambda fit: (fit.aicc, fit.num_estimated, fit.aic))

    @property
    def is_compared(self) -> bool:
        """Whether the visits suffice to tell at least one law by AICc."""
        return any(np.isfinite(fit.aicc) for fit in self.fits)


def fit_laws(
    laws: Sequence[GrowthLaw],
    days: np.ndarray,
    volumes: np.ndarray,
    *,
    generator: np.random.Generator,
    options: FitOptions | None = None,
) -> LawComparison:
    """Fit several laws to one lesion; those that the visits don't support are left out with their reason.

    Arguments as of `fit_law`.

    Raises:
        InputError: the visits support none of the laws.
    """
    days, volumes = require_visits(days, volumes)
    refused = {law.name: reason for law in laws if (reason := why_not(law, days, volumes)) is not None}
    fits = tuple(
        fit_law(law, days, volumes, generator=child, options=options)
        for law, child in zip(laws, generator.spawn(len(laws)), strict=True)
        if law.name not in refused
    )
    if not fits:
        raise InputError(
            "volumes",
            expected="visits that support at least one law",
            got="; ".join(f"{name}: {reason}" for name, reason in refused.items()) or "no law",
            advice="add visits or choose a law with fewer parameters",
        )
    return LawComparison(fits, refused)
