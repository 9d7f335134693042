"""The patient: visits, each with its scans and segmentation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gliocast.core.errors import InputError
from gliocast.core.grid import Grid
from gliocast.core.labels import LabelMap
from gliocast.core.volume import Volume, require_mask

#: The MRI sequences that a visit holds, by the names used throughout.
MODALITIES = ("t1", "t1c", "t2", "flair")


@dataclass(frozen=True, eq=False)
class Scan:
    """One image of one modality.

    Args:
        modality: one of MODALITIES.
        volume: intensities [arbitrary unit], on the visit's grid.
        path: the file it came from, None for one made in memory.
    """

    modality: str
    volume: Volume
    path: Path | None = None


@dataclass(frozen=True, eq=False)
class Study:
    """Scans of one day on one grid, before anything is segmented in them.

    Args:
        scans: by modality, all of MODALITIES.
        brain: brain mask, bool, shape of the grid.
        warnings: what a person should know about how the input was understood.
    """

    scans: Mapping[str, Scan]
    brain: np.ndarray
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        absent = [modality for modality in MODALITIES if modality not in self.scans]
        if absent:
            raise InputError(
                "study", expected=", ".join(MODALITIES), got=f"no {', '.join(absent)}", advice="add what is missing"
            )
        require_mask(self.brain, self.grid, "brain mask")
        for modality, scan in self.scans.items():
            self.grid.require_same(scan.volume.grid, modality)

    @property
    def grid(self) -> Grid:
        """The one grid of the scans."""
        return self.scans[MODALITIES[0]].volume.grid

    @property
    def volumes(self) -> dict[str, Volume]:
        """Intensities by modality."""
        return {modality: scan.volume for modality, scan in self.scans.items()}


@dataclass(frozen=True, eq=False)
class Visit:
    """What was seen on one day, everything on one grid.

    Args:
        scans: by modality.
        labels: tumor segmentation.
        brain: brain mask, bool, shape of the grid.
        day: time of the visit [d], relative to the patient's first.
    """

    scans: Mapping[str, Scan]
    labels: LabelMap
    brain: np.ndarray
    day: float = 0.0

    def __post_init__(self) -> None:
        require_mask(self.brain, self.grid, "brain mask")
        for modality, scan in self.scans.items():
            self.grid.require_same(scan.volume.grid, modality)

    @property
    def grid(self) -> Grid:
        """The one grid of the visit."""
        return self.labels.grid

    @property
    def study(self) -> Study:
        """The scans without what was segmented in them."""
        return Study(self.scans, self.brain)

    def __getitem__(self, modality: str) -> Scan:
        if modality not in self.scans:
            raise InputError(
                f"visit on day {self.day:g}",
                expected=f"a {modality} scan",
                got=", ".join(self.scans) or "no scan",
                advice="add the missing modality",
            )
        return self.scans[modality]


@dataclass(frozen=True, eq=False)
class Patient:
    """A patient, by a pseudonym, with at least one visit in order of time.

    Args:
        id: pseudonym; it never reaches a report.
        visits: in order of `day`.
        warnings: what a person should know about how the input was understood.
    """

    id: str
    visits: tuple[Visit, ...]
    warnings: tuple[str, ...] = field(default=())
