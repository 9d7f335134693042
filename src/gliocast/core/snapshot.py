"""What a simulation shows at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gliocast.core.density import Density
from gliocast.core.volume import require_shape


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The tumor at one time, with whatever else the equation describes.

    Args:
        density: all tumor cells, living and dead.
        fields: further fields on the same grid by name, float32, of shape `grid.shape` or, for vectors,
            (3, *grid.shape); see the equation's `fields`.
    """

    density: Density
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, data in self.fields.items():
            require_shape(data[0] if data.ndim == 4 else data, self.density.grid, name)
