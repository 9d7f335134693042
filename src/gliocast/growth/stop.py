"""When a tumor has grown enough: a volume or a diameter that a scan would show."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gliocast.core import InputError

#: Density at which a tumor shows on T1c, in the middle of its typical range [1].
VISIBLE_DENSITY = 0.675

#: A head holds about 1.5 l [mm^3].
_MAX_VOLUME = 2e6

#: No head is wider [mm].
_MAX_DIAMETER = 150.0


class Stop(Protocol):
    """A size that growth reaches once."""

    def size(self, density: np.ndarray, voxel_volume: float) -> float:
        """Size of a density now, over the size to reach [1]; it should grow without jumps."""
        ...


@dataclass(frozen=True)
class VolumeReached:
    """Stop when this volume is denser than a level.

    Args:
        volume: to reach [mm^3].
        level: density that counts [1].
    """

    volume: float
    level: float = VISIBLE_DENSITY

    def __post_init__(self) -> None:
        if not (0 < self.volume <= _MAX_VOLUME and 0 < self.level < 1):
            raise InputError(
                "stop",
                expected=f"a volume in (0, {_MAX_VOLUME:g}] mm^3 above a density in (0, 1)",
                got=f"{self.volume} mm^3 above {self.level}",
                advice="volumes are in mm^3, 1 ml is 1000",
            )

    def __str__(self) -> str:
        return f"{self.volume:g} mm^3 above a density of {self.level:g}"

    def size(self, density: np.ndarray, voxel_volume: float) -> float:
        """Volume above the level over the volume to reach [1]."""
        return float(np.count_nonzero(density > self.level)) * voxel_volume / self.volume


@dataclass(frozen=True)
class DiameterReached:
    """Stop when the ball of the same volume has this diameter, as in velocities of radial growth.

    Args:
        diameter: to reach [mm].
        level: density that counts [1].
    """

    diameter: float
    level: float = VISIBLE_DENSITY

    def __post_init__(self) -> None:
        if not 0 < self.diameter <= _MAX_DIAMETER:
            raise InputError(
                "stop",
                expected=f"a diameter in (0, {_MAX_DIAMETER:g}] mm",
                got=f"{self.diameter} mm",
                advice="diameters are in mm",
            )
        self._volume()

    def __str__(self) -> str:
        return f"a diameter of {self.diameter:g} mm above a density of {self.level:g}"

    def size(self, density: np.ndarray, voxel_volume: float) -> float:
        """Equivalent diameter over the diameter to reach [1]."""
        return float(np.cbrt(self._volume().size(density, voxel_volume)))

    def _volume(self) -> VolumeReached:
        return VolumeReached(np.pi / 6 * self.diameter**3, self.level)
