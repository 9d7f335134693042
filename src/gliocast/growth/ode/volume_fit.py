r"""What a fit of a law is: values, criteria, and what its bootstrap says of the volume on any day.

The criteria are those of a Gaussian error of the logarithm whose standard deviation :math:`\sigma` is estimated, too,
so that a law with p parameters counts :math:`q = p + 1`:

.. math::
    \mathrm{AIC} = 2q - 2\log L, \quad \mathrm{AICc} = \mathrm{AIC} + \frac{2q(q + 1)}{n - q - 1}, \quad
    \mathrm{BIC} = q\log n - 2\log L

with n visits, censored ones included, and :math:`\sigma` at its most likely value, never below `MIN_SIGMA`. AICc exists
for n > q + 1 only; below it is infinite: such a law has too few visits to be compared.

Source: Burnham & Anderson, Model Selection and Multimodel Inference (2002), Section 2.4 (AICc).
"""

from dataclasses import dataclass

import numpy as np

from gliocast.core import Parameter
from gliocast.growth.ode.law import GrowthLaw
from gliocast.growth.ode.law import volume as volume_of
from gliocast.growth.ode.search import SearchBox

#: Standard deviation of the factor by which a reading errs [1], arXiv 2509.09610.
READING_NOISE = 0.1
#: A factor isn't drawn below this [1]: ten percent noise gets there once in 1e19 draws.
_MIN_FACTOR = 0.05
#: Share of a band [1]: from the 5th to the 95th percentile.
BAND = 0.9
#: A parameter this near to its bound, as a share of the box, lies on it.
_ON_BOUND = 1e-3


@dataclass(frozen=True, eq=False)
class VolumeFit:
    """A law fitted to one lesion.

    Args:
        law: with its origin on the first visit.
        values: at the minimum, (num_parameters,).
        standard_errors: by lmfit, from the curvature at the minimum, (num_parameters,); nan where there is none.
        samples: bootstrap draws, (num_bootstrap, num_parameters).
        sigma: most likely standard deviation of a reading's logarithm [1].
        log_likelihood: at the minimum [nat].
        num_visits: of the data.
        reading_noise: standard deviation of the factor by which a reading errs [1].
        scatter: standard deviation of a further log-normal factor, beyond the reading noise [1].
    """

    law: GrowthLaw
    values: np.ndarray
    standard_errors: np.ndarray
    samples: np.ndarray
    sigma: float
    log_likelihood: float
    num_visits: int
    reading_noise: float
    scatter: float

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the columns of `values` and `samples` mean."""
        return self.law.parameters

    @property
    def num_estimated(self) -> int:
        """Parameters of the law and sigma, q."""
        return len(self.values) + 1

    @property
    def aic(self) -> float:
        """Akaike's criterion [nat]."""
        return 2 * self.num_estimated - 2 * self.log_likelihood

    @property
    def aicc(self) -> float:
        """Akaike's criterion corrected for few visits; infinite where there are too few to compare."""
        spare = self.num_visits - self.num_estimated - 1
        if spare <= 0:
            return float("inf")
        return self.aic + 2 * self.num_estimated * (self.num_estimated + 1) / spare

    @property
    def bic(self) -> float:
        """Bayesian criterion [nat]."""
        return float(self.num_estimated * np.log(self.num_visits) - 2 * self.log_likelihood)

    @property
    def on_bound(self) -> tuple[str, ...]:
        """Names of the parameters that lie on a bound: the data don't fix them."""
        box = SearchBox(self.parameters)
        place = (box.coordinates(self.values) - box.lower) / (box.upper - box.lower)
        at = np.minimum(place, 1 - place) < _ON_BOUND
        return tuple(parameter.name for parameter, is_at in zip(self.parameters, at, strict=True) if is_at)

    def volume(self, days: np.ndarray) -> np.ndarray:
        """Volume by the fitted law [mm^3], (num_days,)."""
        return volume_of(self.law, days, self.values)

    def band(self, days: np.ndarray, *, level: float = BAND) -> np.ndarray:
        """Interval of the law's volume [mm^3] on each day, (2, num_days)."""
        edges = (0.5 - level / 2, 0.5 + level / 2)
        return np.quantile(volume_of(self.law, days, self.samples), edges, axis=0)

    def reading_band(self, days: np.ndarray, generator: np.random.Generator, *, level: float = BAND) -> np.ndarray:
        """Interval in which a new reading falls [mm^3], with its noise and the scatter about the law, (2, num_days)."""
        volumes = volume_of(self.law, days, self.samples)
        noise = draw_noise(volumes.shape, self.reading_noise, self.scatter, generator)
        return np.quantile(volumes * np.exp(noise), (0.5 - level / 2, 0.5 + level / 2), axis=0)

    def interval(self, *, level: float = BAND) -> np.ndarray:
        """Interval of each parameter over the bootstrap, (num_parameters, 2)."""
        return np.quantile(self.samples, (0.5 - level / 2, 0.5 + level / 2), axis=0).T


def draw_noise(
    shape: tuple[int, ...], reading_noise: float, scatter: float, generator: np.random.Generator
) -> np.ndarray:
    """Logarithms of the factors by which readings differ from the law's volume."""
    factors = np.maximum(generator.normal(1.0, reading_noise, shape), _MIN_FACTOR)
    return np.log(factors) + scatter * generator.standard_normal(shape)
