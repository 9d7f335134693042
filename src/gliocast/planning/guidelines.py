"""What the guidelines prescribe for glioblastoma, as named presets.

| name | phase | gross tumor volume | CTV | dose |
|---|---|---|---|---|
| ``estro-eano-2023`` | | cavity, T1c | + 15 mm | 60 Gy in 30 |
| ``eortc-2016`` | | cavity, T1c | + 20 mm | 60 Gy in 30 |
| ``rtog`` | initial | cavity, T1c, FLAIR | + 20 mm; + 25 mm where there is no edema | 46 Gy in 23 |
| | boost | cavity, T1c | + 20 mm | 14 Gy in 7 |

Each CTV is cropped at skull, ventricles (into which ESTRO-EANO would let it reach 5 mm) and barriers, and grown by the
PTV margin, which is for the machine and the mask that hold the patient and is cropped at nothing.

Sources: Niyazi et al., Radiother. Oncol. 184 (2023), ESTRO-EANO; Niyazi et al., Radiother. Oncol. 118 (2016),
ESTRO-ACROP on the EORTC's margin; RTOG 0525 and 0825 protocols (Gilbert et al., J. Clin. Oncol. 31, 2013; N. Engl. J.
Med. 370, 2014).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import Anatomy, InputError, LabelMap
from gliocast.planning.barriers import Barriers
from gliocast.planning.margins import (
    ESTRO_EANO_MARGIN_MM,
    ESTRO_EANO_PTV_MARGIN_MM,
    expand,
    gross_tumor_volume,
    planning_target_volume,
    require_margin,
    require_ptv_margin,
    treatable_region,
)


@dataclass(frozen=True)
class Phase:
    """One target and its dose.

    Args:
        name: ends the names of its volumes: ``ctv_standard``, ``ptv_standard``.
        margin_mm: GTV to CTV [mm].
        dose_gy: prescribed [Gy].
        num_fractions: that it is given in.
        with_edema: whether the GTV holds what FLAIR shows.
        margin_without_edema_mm: GTV to CTV where FLAIR shows nothing beyond it [mm]; None for the same.
    """

    name: str
    margin_mm: float
    dose_gy: float
    num_fractions: int
    with_edema: bool = False
    margin_without_edema_mm: float | None = None

    def __post_init__(self) -> None:
        require_margin(self.margin_mm)
        if self.margin_without_edema_mm is not None:
            require_margin(self.margin_without_edema_mm)

    def margin_for(self, labels: LabelMap) -> float:
        """GTV to CTV of a segmentation, which may show edema or not [mm]."""
        if self.margin_without_edema_mm is None or (self.with_edema and labels.edema.any()):
            return self.margin_mm
        return self.margin_without_edema_mm


@dataclass(frozen=True)
class Guideline:
    """Phases of treatment in their order; the first has the largest target, the one that a model's is compared with.

    Args:
        name: as the user writes it (``--guideline``).
        title: as people write it.
        phases: at least one, the first of which is named ``standard``.
        ptv_margin_mm: CTV to PTV [mm], by immobilization and image guidance: up to 3 (2023), 3 to 5 (2016).
        source: where it is from.
    """

    name: str
    title: str
    phases: tuple[Phase, ...]
    ptv_margin_mm: float
    source: str

    def __post_init__(self) -> None:
        require_ptv_margin(self.ptv_margin_mm)

    @property
    def margin_mm(self) -> float:
        """GTV to CTV of the first phase [mm]."""
        return self.phases[0].margin_mm

    def with_margins(self, *, margin_mm: float | None = None, ptv_margin_mm: float | None = None) -> "Guideline":
        """The same with other margins: of every CTV, edema or not, and of every PTV [mm]; None leaves them."""
        phases = self.phases
        if margin_mm is not None:
            phases = tuple(replace(phase, margin_mm=margin_mm, margin_without_edema_mm=None) for phase in phases)
        ptv = self.ptv_margin_mm if ptv_margin_mm is None else ptv_margin_mm
        return replace(self, phases=phases, ptv_margin_mm=ptv)


ESTRO_EANO = Guideline(
    "estro-eano-2023",
    "ESTRO-EANO 2023",
    (Phase("standard", ESTRO_EANO_MARGIN_MM, 60.0, 30),),
    ESTRO_EANO_PTV_MARGIN_MM,
    "Niyazi et al., Radiother. Oncol. 184 (2023)",
)
EORTC = Guideline(
    "eortc-2016",
    "EORTC 2016",
    (Phase("standard", 20.0, 60.0, 30),),
    3.0,
    "Niyazi et al., Radiother. Oncol. 118 (2016)",
)
RTOG = Guideline(
    "rtog",
    "RTOG, two phases",
    (
        Phase("standard", 20.0, 46.0, 23, with_edema=True, margin_without_edema_mm=25.0),
        Phase("boost", 20.0, 14.0, 7),
    ),
    3.0,
    "RTOG 0525 and 0825 protocols",
)

GUIDELINES: Mapping[str, Guideline] = {guideline.name: guideline for guideline in (ESTRO_EANO, EORTC, RTOG)}


@dataclass(frozen=True, eq=False)
class GuidelineTargets:
    """A guideline's volumes.

    Args:
        volumes: bool masks: ``gtv``, of each phase ``ctv_`` and ``ptv_`` with its name, and ``gtv_edema`` where a
            phase's GTV holds edema.
        margins_mm: GTV to CTV that each phase came to [mm], by phase.
    """

    volumes: Mapping[str, np.ndarray]
    margins_mm: Mapping[str, float]


def guideline_targets(
    guideline: Guideline,
    labels: LabelMap,
    anatomy: Anatomy,
    barriers: Barriers | None = None,
    *,
    ventricle_mm: float = 0.0,
) -> GuidelineTargets:
    """GTV, CTVs and PTVs of a guideline.

    Args:
        guideline: which.
        labels: the segmentation.
        anatomy: tissue on the same grid.
        barriers: falx and tentorium on the same grid, if known.
        ventricle_mm: how far margins reach into ventricles [mm].

    Raises:
        InputError: if nothing is segmented or the grids differ.
    """
    gtv, _ = gross_tumor_volume(labels)
    region = treatable_region(labels, anatomy, barriers, ventricle_mm=ventricle_mm)
    has_edema = bool(labels.edema.any())
    volumes, margins = {"gtv": gtv}, {}
    for phase in guideline.phases:
        start, margin = gtv, phase.margin_for(labels)
        if phase.with_edema and has_edema:
            start = volumes["gtv_edema"] = gtv | labels.whole
        ctv = expand(start, labels.grid, margin, region | start, barriers)
        volumes[f"ctv_{phase.name}"], margins[phase.name] = ctv, margin
        volumes[f"ptv_{phase.name}"] = planning_target_volume(ctv, labels.grid, guideline.ptv_margin_mm)
    return GuidelineTargets(volumes, margins)


def find_guideline(name: str) -> Guideline:
    """A guideline by name; raise InputError where there is none."""
    if name not in GUIDELINES:
        raise InputError("guideline", expected=f"one of {', '.join(GUIDELINES)}", got=name, advice="pick one")
    return GUIDELINES[name]
