"""The volumes of one lesion over time."""

from dataclasses import dataclass

import numpy as np

from gliocast.core.errors import InputError


@dataclass(frozen=True, eq=False)
class VolumeCourse:
    """Visits of one patient, without a name.

    Args:
        number: of the patient, in the order of the file, from 1.
        days: ascending, on any axis (days since the start of treatment, say); may be negative [d].
        volumes: of the same length [mm^3]; zero where the lesion couldn't be seen.
    """

    number: int
    days: np.ndarray
    volumes: np.ndarray

    def __post_init__(self) -> None:
        days, volumes = self.days, self.volumes
        is_course = days.ndim == 1 and days.shape == volumes.shape and np.all(np.diff(days) > 0)
        if not is_course or not np.isfinite(days).all() or not np.all(np.isfinite(volumes) & (volumes >= 0)):
            raise InputError(
                f"patient {self.number}",
                expected="ascending days with as many volumes of at least 0 mm^3",
                got=f"{days.size} days and {volumes.size} volumes",
                advice="sort the visits, one volume for each day",
            )

    def __len__(self) -> int:
        return len(self.days)

    def without_last(self) -> "VolumeCourse":
        """All visits but the last one."""
        return VolumeCourse(self.number, self.days[:-1], self.volumes[:-1])
