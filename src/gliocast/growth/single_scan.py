r"""What one scan can tell of growth.

One scan shows a shape and not a clock. Of diffusivity, proliferation rate and age it identifies only

.. math:: \ell = \sqrt{D_w T} \;[\mathrm{mm}], \qquad g = \sqrt{\rho T} \;[1]

so inference runs in these, with the age T as the unit of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import POSITIVE, Anatomy, Density, Forward, InputError, Parameter

DIFFUSION_LENGTH = Parameter(
    name="diffusion_length",
    symbol="sqrt(D_w T)",
    unit="mm",
    support=POSITIVE,
    typical=(2.0, 30.0),
    source="D_w of 0.02 to 1.5 mm^2/d over ages of 200 to 600 d",
)
GROWTH_NUMBER = Parameter(
    name="growth_number",
    symbol="sqrt(rho T)",
    unit="1",
    support=POSITIVE,
    typical=(1.5, 5.0),
    source="rho of 0.002 to 0.2 /d, and enough divisions to become visible",
)


@dataclass(frozen=True)
class SingleScan:
    """A Forward whose diffusivity and rate come first, seen through its one scan at T = 1; itself a Forward.

    Args:
        forward: takes diffusivity [mm^2/d] and rate [1/d] as its first two values.
    """

    forward: Forward

    def __post_init__(self) -> None:
        if len(getattr(self.forward, "treatments", None) or ()) > 0:
            raise InputError(
                "single scan",
                expected="growth without treatment, for its days have no place where the age is the unit of time",
                got="treatments",
                advice="use the simulator itself, with days",
            )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Diffusion length [mm], growth number [1], and what else the forward depends on."""
        return (DIFFUSION_LENGTH, GROWTH_NUMBER, *self.forward.parameters[2:])

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float] = (1.0,)
    ) -> list[Density]:
        """Density at the scan; `days` counts in ages, and the result names no day."""
        length, number, *rest = (float(value) for value in values)
        grown = self.forward((length**2, number**2, *rest), anatomy, days=days)
        return [replace(density, day=None) for density in grown]
