"""White matter, gray matter and cerebrospinal fluid of a patient, from an atlas laid onto the T1."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.anatomy.correspondence import Correspondence
from gliocast.anatomy.quality import Match, match, require_brain_match, require_good_match
from gliocast.core import Anatomy, Grid, Monitor, Visit
from gliocast.data.atlas import Atlas
from gliocast.data.cache import content_key, load_arrays, store_arrays
from gliocast.data.registration import REGISTRATION_VERSION, Registration

#: Edema and mass effect reach beyond the outlined lesion; this rim doesn't drive the registration either [mm].
LESION_RIM_MM = 3.0

#: Voxels of the patient's grid per node of the correspondence, which varies over centimeters.
_CORRESPONDENCE_STEP = 4

#: Below this sum of tissue probabilities the atlas says nothing about which tissue a lesion voxel was [1].
_FAINT = 0.02


@dataclass(frozen=True, eq=False)
class AnatomyEstimate:
    """An anatomy and how it came about.

    Args:
        anatomy: tissue maps on the visit's grid.
        quality: agreement of atlas and patient.
        cached: whether it was found in the cache.
        correspondence: which point of the atlas lies where in the patient; None where no atlas was registered.
    """

    anatomy: Anatomy
    quality: Match
    cached: bool
    correspondence: Correspondence | None = None


def estimate_anatomy(visit: Visit, atlas: Atlas, *, monitor: Monitor | None = None) -> AnatomyEstimate:
    """Tissue probabilities on the visit's grid.

    The atlas is registered to the T1 with the lesion and its rim masked out; inside the lesion, where the warped atlas
    may claim fluid, tissue is restored (see `restore_tissue`). The result is cached by the content of everything it
    depends on, and repeats to the bit.

    Raises:
        InputError: the T1 is not the T1 of a brain.
        QualityError: the atlas doesn't fit the patient well enough.
    """
    t1, lesion = visit["t1"].volume, visit.labels.lesion
    maps = (atlas.t1, atlas.white_matter, atlas.gray_matter)
    key = content_key(
        f"{REGISTRATION_VERSION}, rim {LESION_RIM_MM} mm",
        *(part for volume in (t1, *maps) for part in (volume.data, volume.grid.affine)),
        visit.brain,
        lesion,
    )
    stored = load_arrays(key)
    if stored is None:
        stored = _register(visit, atlas, monitor)
        store_arrays(key, **stored)
        cached = False
    else:
        cached = True
    byte = np.float32(255)
    white, gray = stored["white_matter"] / byte, stored["gray_matter"] / byte
    anatomy = restore_tissue(white, gray, visit.brain, lesion, visit.grid)
    quality = Match(*(float(x) for x in stored["match"]))
    require_good_match(quality)
    correspondence = Correspondence(stored["coordinates"], _coarse(visit.grid))
    return AnatomyEstimate(anatomy, quality, cached, correspondence)


def _register(visit: Visit, atlas: Atlas, monitor: Monitor | None) -> dict[str, np.ndarray]:
    """Warped tissue maps as bytes, and the final match; the part that takes time."""
    t1 = visit["t1"].volume
    reach = ndimage.distance_transform_edt(~visit.labels.lesion, sampling=t1.grid.spacing)
    far = reach > LESION_RIM_MM
    healthy = visit.brain & far
    registration = Registration(fixed=t1, moving=atlas.t1, use=far)
    registration.affine()
    (moved,) = registration.resample(atlas.t1)
    require_brain_match(match(t1.data, visit.brain, healthy, moved))
    if monitor is not None:
        monitor.advance(0.3)
    registration.deformable()
    moved, white, gray = registration.resample(atlas.t1, atlas.white_matter, atlas.gray_matter)
    final = match(t1.data, visit.brain, healthy, moved)

    def as_byte(probability: np.ndarray) -> np.ndarray:
        return np.round(np.clip(probability, 0, 1) * 255).astype(np.uint8)

    return {
        "white_matter": as_byte(white),
        "gray_matter": as_byte(gray),
        "match": np.array([final.correlation, final.dice]),
        "coordinates": registration.coordinates(_coarse(t1.grid)),
    }


def _coarse(grid: Grid) -> Grid:
    """Lattice that the correspondence is kept on: every fourth voxel of the patient's, beyond its last."""
    lower = (0, 0, 0)
    upper = tuple(-(-n // _CORRESPONDENCE_STEP) * _CORRESPONDENCE_STEP for n in grid.shape)
    return grid.crop(lower, upper).coarsen((_CORRESPONDENCE_STEP,) * 3)


def restore_tissue(white: np.ndarray, gray: np.ndarray, brain: np.ndarray, lesion: np.ndarray, grid: Grid) -> Anatomy:
    """Tissue maps with plausible tissue under the tumor, closed at the brain mask.

    A voxel that holds tumor was tissue: inside the lesion the warped probabilities of white and gray matter are scaled
    to sum to one, and where the atlas knows of neither they take the lesion's average mixture.

    Args:
        white: warped probability of white matter.
        gray: warped probability of gray matter.
        brain: brain mask, bool.
        lesion: where the tumor is, bool.
        grid: where the maps lie.
    """
    tissue = white + gray
    known = lesion & (tissue > _FAINT)
    share = float(white[known].sum() / tissue[known].sum()) if known.any() else 0.5
    scale = np.divide(1, tissue, out=np.ones_like(tissue), where=lesion & (tissue > _FAINT))
    white, gray = white * scale, gray * scale
    lost = lesion & ~known
    white[lost], gray[lost] = share, 1 - share
    white, gray = white * brain, gray * brain
    csf = np.clip(1 - white - gray, 0, 1) * brain
    return Anatomy(white, gray, csf.astype(np.float32), brain, grid)
