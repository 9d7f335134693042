"""A digital patient from first cells to last scan: brain, growth, care, images, outcome. Synthetic.

A patient depends on the seed of the cohort and its own number alone: not on the machine, and not on how many others
are made beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from gliocast.cohort.brains import random_brain
from gliocast.cohort.lesions import Lesion, Roughness, lesion_of
from gliocast.cohort.lives import Growth, Life, draw_life
from gliocast.cohort.outcome import Extent, Outcome, covariates, draw_outcome
from gliocast.cohort.refine import refine
from gliocast.cohort.scanner import scan, scan_pet
from gliocast.core import (
    Anatomy,
    Box,
    ConvergenceError,
    Density,
    InputError,
    OutsideTissueError,
    Radiotherapy,
    Resection,
    Snapshot,
    Treatments,
    Volume,
    adjuvant_temozolomide,
    block_mean,
    concomitant_temozolomide,
    weekday_fractions,
)
from gliocast.growth import FisherKolmogorov, GaussianSeed, MassEffect, Simulator
from gliocast.growth.stop import VolumeReached

Care = Literal["none", "standard", "mixed"]
GrowthChoice = Literal["fisher-kolmogorov", "mass-effect", "mixed"]

#: Voxels that growth with mass effect is solved on, and that the age of every tumor is found on [mm].
_COARSE_MM = 2

#: Relative L2 error of time stepping [1].
_ACCURACY = 1e-2

#: A tumor takes at most so long to reach its volume [d]; lives of which it doesn't are drawn again, so often at most.
_MAX_DAYS, _MAX_LIVES = 4000.0, 50

#: Days from the first scan to surgery, from that to the scan after it, and to radiotherapy [d].
_SURGERY_DAY, _AFTER_SURGERY, _TO_RADIOTHERAPY = 8.0, 2.0, 28.0

#: Days of the visits after those before and after surgery, from the end of radiotherapy on, and between visits [d].
_FOLLOW_UP, _BETWEEN = 30.0, 90.0

#: Margin of the target volume [mm], and penumbra of the dose around it [mm].
_MARGIN_MM, _PENUMBRA_MM = 15.0, 4.0

#: Dose [Gy] and fractions [1].
_DOSE_GY, _NUM_FRACTIONS = 60.0, 30


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

    def labels(self, *, schema: str) -> np.ndarray:
        """The segmentation in "brats-2021", or in "brats-2024", which has the cavity; uint8."""
        data = self.lesion.labels(self.density.grid.shape)
        if schema == "brats-2024":
            data[data == 4] = 3
            if self.cavity is not None:
                data[self.cavity] = 4
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
    """Make the patient of a number."""
    generator = np.random.default_rng([law.seed, number])
    growth: Growth = law.growth if law.growth != "mixed" else generator.choice(["fisher-kolmogorov", "mass-effect"])
    care = law.care if law.care != "mixed" else str(generator.choice(["none", "standard"], p=[0.25, 0.75]))
    brain = random_brain(generator)
    life, tumor_days = _draw_life(brain, str(growth), generator)  # type: ignore[arg-type]
    first = next(_grow(life, brain, [tumor_days], None))
    roughness = Roughness.draw(brain.grid, generator)
    lesion = lesion_of(first.density, life, _of_the_day(brain, first), roughness)
    extent, treatments = _care(care, first.density, lesion, brain, tumor_days, generator)
    days = _visit_days(law.num_visits, care)
    visits = []
    snapshots = iter([first]) if len(days) == 1 else _grow(life, brain, [tumor_days + day for day in days], treatments)
    for day, snapshot in zip(days, snapshots, strict=True):
        cavity = _cavity(treatments, tumor_days + day)
        anatomy = _of_the_day(brain, snapshot, cavity)
        seen = lesion if day == 0 else lesion_of(snapshot.density, life, anatomy, roughness, cavity)
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


def _draw_life(brain: Anatomy, growth: Growth, generator: np.random.Generator) -> tuple[Life, float]:
    """A life, and the age at which its tumor has reached its volume [d]."""
    coarse = brain.coarsen((_COARSE_MM,) * 3)
    for _ in range(_MAX_LIVES):
        life = draw_life(brain, generator, growth=growth)
        simulator = _simulator(replace(life, growth="fisher-kolmogorov"))
        goal = VolumeReached(1000 * life.whole_ml, life.flair_threshold)
        try:
            grown = simulator.until(_values(life)[:2] + _seeds(life), coarse, goal, max_days=_MAX_DAYS)
        except (OutsideTissueError, ConvergenceError):
            continue
        if grown.density.volume_above(life.t1c_threshold) > 0:
            return life, round(float(grown.density.day or 0), 2)
    raise ConvergenceError(
        "cohort", expected="a tumor that reaches its volume", got=f"none in {_MAX_LIVES} lives", advice="report it"
    )


def _simulator(life: Life, treatments: Treatments | None = None) -> Simulator:
    model = MassEffect() if life.growth == "mass-effect" else FisherKolmogorov()
    start = GaussianSeed(num_seeds=len(life.seeds))
    return Simulator(model, start, treatments, accuracy=_ACCURACY, backend="numba-single")


def _values(life: Life) -> list[float]:
    pressure = [life.pressure_kpa] if life.growth == "mass-effect" else []
    return [life.diffusivity, life.rate, *pressure]


def _seeds(life: Life) -> list[float]:
    return [coordinate for seed in life.seeds for coordinate in seed]


def _grow(life: Life, brain: Anatomy, days: list[float], treatments: Treatments | None) -> Iterator[Snapshot]:
    """The tumor on some days of its own clock, on the brain's grid; `displacement` is the one field, if any."""
    values = _values(life) + _seeds(life)
    if life.growth != "mass-effect":
        for snapshot in _simulator(life, treatments).snapshots(values, brain, days=days):
            yield Snapshot(snapshot.density)
        return
    factors, whole = (_COARSE_MM,) * 3, Box((0, 0, 0), brain.grid.shape)
    coarse = brain.coarsen(factors)
    given = None if treatments is None else _coarsened(treatments, factors)
    for snapshot in _simulator(life, given).snapshots(values, coarse, days=days):
        cells = refine(snapshot.density.data, _COARSE_MM, whole) * brain.brain
        moved = np.stack([refine(part, _COARSE_MM, whole) for part in snapshot.fields["displacement"]])
        density = Density(np.clip(cells, 0, 1), brain.grid, snapshot.density.day)
        yield Snapshot(density, {"displacement": moved})


def _coarsened(treatments: Treatments, factors: tuple[int, int, int]) -> Treatments:
    """The same treatments on coarser voxels."""
    entries = []
    for entry in treatments:
        if isinstance(entry, Resection):
            share = block_mean(entry.cavity.data.astype(np.float32), factors)
            entry = replace(entry, cavity=Volume(share >= 0.5, entry.grid.coarsen(factors)))
        elif isinstance(entry, Radiotherapy):
            entry = replace(entry, dose=Volume(block_mean(entry.dose.data, factors), entry.grid.coarsen(factors)))
        entries.append(entry)
    return Treatments(tuple(entries))


def _of_the_day(brain: Anatomy, snapshot: Snapshot, cavity: np.ndarray | None = None) -> Anatomy:
    """The brain as the tumor and the surgeon have left it."""
    moved = snapshot.fields.get("displacement")
    parts = [brain.white_matter, brain.gray_matter, brain.csf]
    if moved is not None:
        index = np.indices(brain.grid.shape, dtype=np.float32)
        places = index - moved  # voxels of 1 mm
        parts = [ndimage.map_coordinates(part, places, order=1, mode="nearest", prefilter=False) for part in parts]
    if cavity is not None:
        parts = [np.where(cavity, np.float32(value), part) for part, value in zip(parts, (0, 0, 1), strict=True)]
    white, gray, fluid = (part * brain.brain for part in parts)
    return Anatomy(white, gray, fluid, brain.brain, brain.grid)


def _care(
    care: str, density: Density, lesion: Lesion, brain: Anatomy, tumor_days: float, generator: np.random.Generator
) -> tuple[Extent, Treatments]:
    """What is done, on the clock of the tumor; random numbers are drawn whether it is done or not."""
    core = np.zeros(brain.grid.shape, bool)
    core[lesion.box.slices] = lesion.necrosis | lesion.enhancing
    extent: Extent = str(generator.choice(["gross-total", "subtotal", "none"], p=[0.5, 0.35, 0.15]))  # type: ignore
    share, alpha = generator.uniform(0.5, 0.9), np.exp(generator.uniform(*np.log([0.03, 0.14])))
    kill_rate = float(np.exp(generator.uniform(*np.log([0.02, 0.4]))))
    normal = generator.standard_normal(3)
    if care == "none" or not core.any():
        return "none", Treatments()
    surgery = tumor_days + _SURGERY_DAY
    entries: list[Resection | Radiotherapy] = []
    if extent != "none":
        cavity = _resected(core, share if extent == "subtotal" else 1.0, normal, brain)
        entries.append(Resection(surgery, Volume(cavity, brain.grid)))
    begin = surgery + _TO_RADIOTHERAPY
    dose = _dose(core, brain)
    days = weekday_fractions(begin, _NUM_FRACTIONS)
    entries.append(Radiotherapy(Volume(dose, brain.grid), days, float(alpha)))
    drugs = [
        concomitant_temozolomide(begin + 0.1, kill_rate=kill_rate),
        adjuvant_temozolomide(begin + 42 + 28, kill_rate=kill_rate),
    ]
    return extent, Treatments((*entries, *drugs))


def _resected(core: np.ndarray, share: float, normal: np.ndarray, brain: Anatomy) -> np.ndarray:
    """What surgery takes out, and a rim around it: all of a core, or what lies on one side of a plane."""
    if share < 1:
        index = np.argwhere(core)
        along = index @ (normal / np.linalg.norm(normal))
        kept = index[along > np.quantile(along, share)]
        core = core.copy()
        core[tuple(kept.T)] = False
    wide = ndimage.binary_dilation(core, iterations=2 if share == 1 else 1)
    return wide & brain.brain


def _dose(core: np.ndarray, brain: Anatomy) -> np.ndarray:
    """Dose of the course [Gy], float32: the guideline's target, with a penumbra."""
    target = (ndimage.distance_transform_edt(~core, sampling=brain.grid.spacing) <= _MARGIN_MM) & brain.brain
    edge = ndimage.gaussian_filter(target.astype(np.float32), [_PENUMBRA_MM / h for h in brain.grid.spacing])
    return np.float32(_DOSE_GY) * np.where(target, 1, edge).astype(np.float32)


def _cavity(treatments: Treatments, day: float) -> np.ndarray | None:
    """The resection cavity on a day of the tumor's clock."""
    for entry in treatments:
        if isinstance(entry, Resection) and entry.day < day:
            return entry.cavity.data
    return None


def _visit_days(num_visits: int, care: str) -> list[float]:
    """Days of the visits after the first scan [d]."""
    after = _SURGERY_DAY + _AFTER_SURGERY
    end = _SURGERY_DAY + _TO_RADIOTHERAPY + 40
    standard = [0.0, after, *(end + _FOLLOW_UP + _BETWEEN * n for n in range(num_visits))]
    untreated = [_BETWEEN * 2 / 3 * n for n in range(num_visits)]
    return (standard if care == "standard" else untreated)[:num_visits]


def _depth(lesion: Lesion, brain: Anatomy) -> float:
    """1 for a tumor in the middle of the brain, 0 at its surface [1]."""
    depth = ndimage.distance_transform_edt(brain.brain)
    whole = lesion.necrosis | lesion.enhancing | lesion.edema
    return float(depth[lesion.box.slices][whole].mean() / depth.max()) if whole.any() else 0.0
