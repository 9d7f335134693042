"""A digital patient from first cells to last scan: brain, growth, care, images, outcome. Synthetic.

A patient depends on the seed of the cohort and its own number alone: not on the machine, and not on how many others
are made beside it.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from gliocast.cohort.brains import random_brain
from gliocast.cohort.care import cavity_on, draw_care, visit_days
from gliocast.cohort.growing import brain_of_the_day, draw_grown_life, grow
from gliocast.cohort.lesions import Appearance, Lesion, lesion_of
from gliocast.cohort.lives import EQUATIONS, Life
from gliocast.cohort.outcome import Extent, Outcome, covariates, draw_outcome
from gliocast.cohort.scanner import scan, scan_pet
from gliocast.core import Anatomy, ConvergenceError, Density, InputError, LabelSchema, Treatments

Care = Literal["none", "standard", "mixed"]
GrowthChoice = Literal["fisher-kolmogorov", "mass-effect", "mixed"]

#: Share of a mixed cohort that is cared for [1]; tumors that are tried for a patient, at most [1].
_CARED_FOR, _MAX_PATIENTS = 0.75, 20


@dataclass(frozen=True)
class CohortLaw:
    """What a cohort is made of.

    Args:
        seed: of the cohort.
        growth: equation; "mixed" draws one for each patient.
        num_visits: scans of each patient.
        care: "standard" is surgery, radiotherapy and temozolomide after the first scan, "none" leaves the tumor to
            itself, "mixed" draws one for each patient.
        pet: whether FET-PET goes with each visit.
    """

    seed: int = 0
    growth: GrowthChoice = "mixed"
    num_visits: int = 1
    care: Care = "mixed"
    pet: bool = False

    def __post_init__(self) -> None:
        known = self.growth in get_args(GrowthChoice) and self.care in get_args(Care)
        if self.seed < 0 or not 1 <= self.num_visits <= 20 or not known:
            raise InputError(
                "cohort",
                expected=f"a seed from 0 on, 1 to 20 visits, growth of {', '.join(get_args(GrowthChoice))} and care of "
                f"{', '.join(get_args(Care))}",
                got=f"{self.seed}, {self.num_visits}, {self.growth}, {self.care}",
                advice="begin with the defaults",
            )


@dataclass(frozen=True, eq=False)
class SyntheticVisit:
    """What was seen of a digital patient on one day, and what was there.

    Args:
        day: after the first scan [d].
        anatomy: tissue of the day.
        density: tumor cells.
        displacement: of tissue along R, A and S [mm], (3, x, y, z); None without mass effect.
        lesion: compartments.
        cavity: resection cavity, bool, or None.
        images: by modality, and ``pet``.
    """

    day: float
    anatomy: Anatomy
    density: Density
    displacement: np.ndarray | None
    lesion: Lesion
    cavity: np.ndarray | None
    images: dict[str, np.ndarray]

    def labels(self, schema: LabelSchema) -> np.ndarray:
        """The segmentation in a schema, with the cavity where the schema has one; uint8."""
        data = self.lesion.labels(self.density.grid.shape, schema)
        if self.cavity is not None and schema.cavity is not None:
            data[self.cavity] = schema.cavity
        return data


@dataclass(frozen=True, eq=False)
class SyntheticPatient:
    """A digital patient.

    Args:
        number: in the cohort.
        life: what the tumor was made with.
        tumor_days: age of the tumor at the first scan, T [d].
        extent: of the resection.
        treatments: what was done, on the clock of the tumor.
        visits: in order of time.
        outcome: how it fared.
        covariates: what the hazard was made of.
    """

    number: int
    life: Life
    tumor_days: float
    extent: Extent
    treatments: Treatments
    visits: tuple[SyntheticVisit, ...]
    outcome: Outcome
    covariates: dict[str, float]


def make_synthetic_patient(number: int, law: CohortLaw) -> SyntheticPatient:
    """Make the patient of a number.

    A tumor that on a later visit pushes harder than linear elasticity can describe is drawn anew, as a whole.

    Raises:
        ConvergenceError: there are only such tumors.
    """
    for attempt in range(1, _MAX_PATIENTS):
        with suppress(ConvergenceError):
            seed = [law.seed, number] if attempt == 1 else [law.seed, number, attempt]
            return _draw_patient(number, law, np.random.default_rng(seed))
    return _draw_patient(number, law, np.random.default_rng([law.seed, number, _MAX_PATIENTS]))


def _draw_patient(number: int, law: CohortLaw, generator: np.random.Generator) -> SyntheticPatient:
    growth = EQUATIONS[int(generator.integers(len(EQUATIONS)))] if law.growth == "mixed" else law.growth
    cared_for = generator.uniform() < _CARED_FOR if law.care == "mixed" else law.care == "standard"
    brain = random_brain(generator)
    life, tumor_days = draw_grown_life(brain, growth, generator)
    (first,) = grow(life, brain, [tumor_days])
    appearance = Appearance.draw(brain.grid, generator)
    lesion = lesion_of(first.density, life, brain_of_the_day(brain, first), appearance)
    extent, treatments = draw_care(lesion, brain, tumor_days, generator) if cared_for else ("none", Treatments())
    days = visit_days(law.num_visits, cared_for=bool(cared_for))
    snapshots = [first] if len(days) == 1 else grow(life, brain, [tumor_days + day for day in days], treatments)
    visits = []
    for day, snapshot in zip(days, snapshots, strict=True):
        cavity = cavity_on(treatments, tumor_days + day)
        anatomy = brain_of_the_day(brain, snapshot, cavity)
        seen = lesion if day == 0 else lesion_of(snapshot.density, life, anatomy, appearance, cavity)
        images = scan(anatomy, seen, generator, age_years=life.age_years)
        if law.pet:
            images["pet"] = scan_pet(anatomy, snapshot.density.data, generator)
        moved = snapshot.fields.get("displacement")
        visits.append(SyntheticVisit(day, anatomy, snapshot.density, moved, seen, cavity, images))
    known = covariates(
        age_years=life.age_years,
        speed_mm_d=life.speed,
        whole_ml=life.whole_ml,
        depth=_depth(lesion, brain),
        high_grade=life.high_grade,
        extent=extent,
    )
    outcome = draw_outcome(known, generator)
    return SyntheticPatient(number, life, tumor_days, extent, treatments, tuple(visits), outcome, known)


def _depth(lesion: Lesion, brain: Anatomy) -> float:
    """1 for a tumor in the middle of the brain, 0 at its surface [1]."""
    depth = ndimage.distance_transform_edt(brain.brain)
    whole = lesion.core | lesion.edema
    return float(depth[lesion.box.slices][whole].mean() / depth.max()) if whole.any() else 0.0
