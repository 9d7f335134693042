"""What is done to digital patients: resection, radiotherapy, temozolomide, and the days of their scans. Synthetic.

Days are those of standard care (Stupp et al., N. Engl. J. Med. 352, 2005): surgery in the week after the first scan,
radiotherapy four weeks later, 60 Gy in 30 fractions to core and 15 mm around it (ESTRO-EANO 2023) with temozolomide,
and six cycles of it from four weeks after.
"""

import numpy as np
from scipy import ndimage

from gliocast.cohort.lesions import Lesion
from gliocast.cohort.outcome import Extent
from gliocast.core import (
    Anatomy,
    Radiotherapy,
    Resection,
    Treatments,
    Volume,
    adjuvant_temozolomide,
    concomitant_temozolomide,
    weekday_fractions,
)
from gliocast.core.treatment import ALPHA
from gliocast.growth.dose import target_dose

#: Days from the first scan to surgery, from that to the scan after it, and to radiotherapy [d].
_SURGERY_DAY, _AFTER_SURGERY, _TO_RADIOTHERAPY = 8.0, 2.0, 28.0

#: Daily temozolomide with radiotherapy, and the pause before its cycles [d].
_CONCOMITANT_DAYS, _PAUSE_DAYS = 42, 28

#: A drug's day begins a little after that of the fraction [d].
_AFTER_FRACTION = 0.1

#: From the beginning of radiotherapy to the first visit after it, between visits, and between those without care [d].
_FOLLOW_UP, _BETWEEN, _UNTREATED = 70.0, 90.0, 60.0

#: Margin of the target volume [mm].
_MARGIN_MM = 15.0

#: Dose [Gy] and fractions [1].
_DOSE_GY, _NUM_FRACTIONS = 60.0, 30

#: Extents of resection and their probabilities [1]; share of the core that a subtotal one takes out [1].
_EXTENTS: tuple[Extent, ...] = ("gross-total", "subtotal", "none")
_EXTENT_SHARES, _SUBTOTAL = (0.5, 0.35, 0.15), (0.5, 0.9)

#: Rate at which temozolomide kills right after a daily dose [1/d]: of its typical range what leaves recurrences.
_KILL_RATE = (0.02, 0.4)

#: Voxels of 1 mm that surgery goes beyond the core, all of it or a part.
_RIM_VOXELS = {"gross-total": 2, "subtotal": 1}


def draw_care(
    lesion: Lesion, brain: Anatomy, tumor_days: float, generator: np.random.Generator
) -> tuple[Extent, Treatments]:
    """Extent of the resection, and all that is done, on the clock of the tumor.

    Args:
        lesion: at the first scan.
        brain: on voxels of 1 mm.
        tumor_days: age of the tumor at the first scan [d].
        generator: source of randomness.
    """
    core = np.zeros(brain.grid.shape, bool)
    core[lesion.box.slices] = lesion.core
    extent = _EXTENTS[int(generator.choice(len(_EXTENTS), p=_EXTENT_SHARES))]
    share, normal = generator.uniform(*_SUBTOTAL), generator.standard_normal(3)
    alpha, kill_rate = (float(np.exp(generator.uniform(*np.log(ends)))) for ends in (ALPHA.typical, _KILL_RATE))
    if not core.any():
        return "none", Treatments()
    surgery = tumor_days + _SURGERY_DAY
    begin = surgery + _TO_RADIOTHERAPY
    taken = []
    if extent != "none":
        part = core if extent == "gross-total" else _one_side(core, share, normal)
        cavity = ndimage.binary_dilation(part, iterations=_RIM_VOXELS[extent]) & brain.brain
        taken.append(Resection(surgery, Volume(cavity, brain.grid)))
    course = Radiotherapy(Volume(_dose(core, brain), brain.grid), weekday_fractions(begin, _NUM_FRACTIONS), alpha)
    drugs = (
        concomitant_temozolomide(begin + _AFTER_FRACTION, kill_rate=kill_rate, num_days=_CONCOMITANT_DAYS),
        adjuvant_temozolomide(begin + _CONCOMITANT_DAYS + _PAUSE_DAYS, kill_rate=kill_rate),
    )
    return extent, Treatments((*taken, course, *drugs))


def cavity_on(treatments: Treatments, day: float) -> np.ndarray | None:
    """The resection cavity on a day of the tumor's clock [d], bool; None before there is one."""
    for entry in treatments:
        if isinstance(entry, Resection) and entry.day < day:
            return entry.cavity.data
    return None


def visit_days(num_visits: int, *, cared_for: bool) -> list[float]:
    """Days of the visits from the first scan on [d]: before and after surgery, after radiotherapy, and so on."""
    if not cared_for:
        return [_UNTREATED * number for number in range(num_visits)]
    first = _SURGERY_DAY + _TO_RADIOTHERAPY + _FOLLOW_UP
    later = (first + _BETWEEN * number for number in range(num_visits))
    return [0.0, _SURGERY_DAY + _AFTER_SURGERY, *later][:num_visits]


def _one_side(core: np.ndarray, share: float, normal: np.ndarray) -> np.ndarray:
    """A share of a core that lies on one side of a plane across it."""
    index = np.argwhere(core)
    along = index @ (normal / np.linalg.norm(normal))
    taken = index[along <= np.quantile(along, share)]
    part = np.zeros_like(core)
    part[tuple(taken.T)] = True
    return part


def _dose(core: np.ndarray, brain: Anatomy) -> np.ndarray:
    """Dose of the course [Gy], float32: the guideline's target, with a penumbra."""
    target = (ndimage.distance_transform_edt(~core, sampling=brain.grid.spacing) <= _MARGIN_MM) & brain.brain
    return target_dose(target, brain.grid, _DOSE_GY)
