r"""Parameters as the network answers with them: each scaled to [-1, 1].

The outlines of one scan fix the travel of the front best, its width less, and age not at all. So the network answers
with

.. math:: \log(\mu_1 \mu_2), \log(\mu_1 / \mu_2), x - x_0, \mathrm{logit}\,c_{T1c}, \mathrm{logit}\,c_{FLAIR}

where mu_1 = sqrt(D_w T), mu_2 = sqrt(rho T) and x_0 is the middle of the window. They are linear in the straightened
coordinates of the inverse problem, so a normal distribution of the one is a normal distribution of the other. The paper
scales mu_1, mu_2 and x themselves (`PRINTED`); and it shows that D_w, rho and T can't be learned (`TIME_DEPENDENT`).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from gliocast.core import InputError

#: Where the seed lies relative to the middle of the window, for all but a few in a thousand tumors [mm].
_OFFSET = (-24.0, 24.0)


@dataclass(frozen=True)
class Scaling:
    """Names and ranges of what the network answers with.

    Args:
        name: of the parametrization.
        names: of its coordinates.
        lower, upper: what becomes -1 and 1, in the coordinates' units.
        weights: of the square errors, relative to one another [1].
    """

    name: str
    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    weights: tuple[float, ...]

    def scale(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates to [-1, 1], both (..., num_outputs)."""
        lower, upper = np.array(self.lower), np.array(self.upper)
        return (2 * coordinates - lower - upper) / (upper - lower)

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """The inverse of `scale`."""
        lower, upper = np.array(self.lower), np.array(self.upper)
        return (lower + upper + scaled * (upper - lower)) / 2

    def encode(self, growth: np.ndarray, offset: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Scaled coordinates of a tumor whose truth is known.

        Args:
            growth: D_w [mm^2/d], rho [1/d], T [d], (3,).
            offset: seed relative to the middle of the window [mm], (3,).
            thresholds: of T1c and FLAIR [1], (2,).
        """
        diffusivity, rate, age = growth
        length, number = np.sqrt(diffusivity * age), np.sqrt(rate * age)
        if self.name == "time-dependent":
            return self.scale(np.array([diffusivity, rate, age, *offset]))
        if self.name == "printed":
            return self.scale(np.array([length, number, *offset]))
        return self.scale(np.array([np.log(length * number), np.log(length / number), *offset, *logit(thresholds)]))

    def decode(self, scaled: np.ndarray) -> np.ndarray:
        """Length [mm], number [1], offset of the seed [mm], and thresholds [1] where there are any, (..., 5 or 7)."""
        values = np.moveaxis(self.unscale(scaled), -1, 0)
        if self.name == "time-dependent":
            diffusivity, rate, age = (np.clip(values[n], self.lower[n], self.upper[n]) for n in range(3))
            growth = [np.sqrt(diffusivity * age), np.sqrt(rate * age)]
            return np.stack([*growth, *values[3:]], axis=-1)
        if self.name == "printed":
            growth = [np.clip(values[n], self.lower[n], self.upper[n]) for n in range(2)]
            return np.stack([*growth, *values[2:]], axis=-1)
        travel, width = np.exp(values[0]), np.exp(values[1])
        growth = [np.sqrt(travel * width), np.sqrt(travel / width)]
        return np.stack([*growth, *values[2:5], *expit(values[5:])], axis=-1)


_AXES = ("offset_x", "offset_y", "offset_z")

TIME_INDEPENDENT = Scaling(
    name="time-independent",
    names=("log_travel", "log_width", *_AXES, "logit_t1c_threshold", "logit_flair_threshold"),
    lower=(1.0, -2.0, *3 * (_OFFSET[0],), 0.0, -2.95),
    upper=(4.2, 3.0, *3 * (_OFFSET[1],), 1.75, 0.0),
    weights=(16.0, 4.0, 4.0, 4.0, 4.0, 1.0, 1.0),
)
PRINTED = Scaling(
    name="printed",
    names=("diffusion_length", "growth_number", *_AXES),
    lower=(1.0, 0.3, *3 * (_OFFSET[0],)),
    upper=(47.0, 17.3, *3 * (_OFFSET[1],)),
    weights=5 * (1.0,),
)
TIME_DEPENDENT = Scaling(
    name="time-dependent",
    names=("diffusivity", "rate", "age", *_AXES),
    lower=(0.02, 0.002, 50.0, *3 * (_OFFSET[0],)),
    upper=(1.5, 0.2, 1500.0, *3 * (_OFFSET[1],)),
    weights=6 * (1.0,),
)

SCALINGS = {scaling.name: scaling for scaling in (TIME_INDEPENDENT, PRINTED, TIME_DEPENDENT)}


def scaling_of(name: str) -> Scaling:
    """The parametrization of a name."""
    if name not in SCALINGS:
        raise InputError("parametrization", expected=f"one of {', '.join(SCALINGS)}", got=name, advice="pick one")
    return SCALINGS[name]
