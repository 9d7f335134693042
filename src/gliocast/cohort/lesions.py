"""What a tumor makes of tissue, as MRI shows it: necrosis, enhancing rim, edema. Synthetic.

Outlines of a density are smooth; those of tumors aren't. So level sets are displaced by correlated noise: that of T1c
by a few millimeters, that of FLAIR by more, and edema prefers white matter. Necrosis begins some way inside the core,
and the rim around it is thick here and thin there. Of some tumors it takes up contrast agent in patches alone, and of
some edema is faint, so that tissue shows through it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.special import logit, ndtri

from gliocast.cohort.lives import Life
from gliocast.cohort.refine import refine
from gliocast.core import Anatomy, Box, Density, Grid, LabelSchema, bounding_box
from gliocast.observation.correlated import correlated_noise

#: Voxels around the tumor that are looked at, and the density where it ends [1].
_MARGIN, _FAINTEST = 14, 1e-3

#: Displacement of the outlines of core and whole tumor, and of the border of necrosis, and their correlation [mm].
_CORE_MM, _WHOLE_MM, _RIM_MM = (1.6, 8.0), (2.5, 14.0), (1.2, 7.0)

#: Logit of the density that gray matter needs more to show edema [1].
_GRAY_RELUCTANCE = 1.2

#: Thickness of the enhancing rim [mm], and of the border over which edema fades [mm], least and largest; the thinnest
#: that a rim is anywhere [mm].
_RIM_THICKNESS_MM, _SOFTNESS_MM, _THINNEST_MM = (1.8, 5.5), (1.0, 4.0), 1.0

#: Share of high-grade tumors that take up contrast agent in patches alone [1]; share of their rim that does, least and
#: largest [1]; correlation of the patches [mm].
_PATCHY, _PATCHES, _PATCHES_MM = 0.3, (0.25, 0.8), 7.0

#: How much of a voxel edema is inside, and of full uptake a rim has, least and largest [1].
_STRENGTH, _AVIDITY = (0.45, 1.0), (0.4, 1.0)

#: Parts smaller than this belong to what is around them [voxels].
_FEWEST_VOXELS = 30

#: Voxels with less tissue show no tumor [1]; densities nearer than this to 0 and 1 have no logit [1].
_TISSUE_SHARE, _LOGIT_LIMIT = 0.4, 1e-6

#: It is drawn on voxels of so many [1].
_COARSE = 2


@dataclass(frozen=True, eq=False)
class Appearance:
    """How a patient's lesion looks, the same on every visit: rough outlines, patches, contrast.

    Args:
        core: displacement of the outline of the core [mm], on coarse voxels of the whole grid.
        whole: the same of the whole tumor.
        rim: thickness of the enhancing rim [mm], the same.
        uptake: positive where the rim takes up contrast agent [1], the same; None where all of it does.
        softness: width of the border over which edema fades [mm].
        strength: how much of a voxel edema is inside [1].
        avidity: share of full uptake that enhancing tumor has [1].
    """

    core: np.ndarray
    whole: np.ndarray
    rim: np.ndarray
    uptake: np.ndarray | None
    softness: float
    strength: float
    avidity: float

    @classmethod
    def draw(cls, grid: Grid, generator: np.random.Generator) -> "Appearance":
        """Of a patient on a grid with even axes."""
        coarse = grid.coarsen((_COARSE,) * 3)
        core, whole, rim = (
            size * correlated_noise(coarse, length, generator) for size, length in (_CORE_MM, _WHOLE_MM, _RIM_MM)
        )
        rim = np.maximum(generator.uniform(*_RIM_THICKNESS_MM) + rim, _THINNEST_MM)
        softness, strength, avidity = (float(generator.uniform(*ends)) for ends in (_SOFTNESS_MM, _STRENGTH, _AVIDITY))
        uptake = None
        if generator.uniform() < _PATCHY:
            share = np.float32(ndtri(generator.uniform(*_PATCHES)))
            uptake = share - correlated_noise(coarse, _PATCHES_MM, generator)
        return cls(core, whole, rim, uptake, softness, strength, avidity)


@dataclass(frozen=True, eq=False)
class Lesion:
    """A tumor's compartments, disjoint, and how strongly they show.

    Args:
        box: where they lie in the anatomy's grid.
        necrosis: bool, shape of the box.
        solid: of the core what isn't necrotic and takes up no contrast agent, bool.
        enhancing: bool.
        edema: bool.
        wetness: how much of a voxel edema is [1], falling to 0 at its border, float32.
        avidity: share of full uptake that enhancing tumor has [1].
    """

    box: Box
    necrosis: np.ndarray
    solid: np.ndarray
    enhancing: np.ndarray
    edema: np.ndarray
    wetness: np.ndarray
    avidity: float

    @property
    def core(self) -> np.ndarray:
        """Necrosis, solid and enhancing tumor, bool, shape of the box."""
        return self.necrosis | self.solid | self.enhancing

    def labels(self, shape: tuple[int, int, int], schema: LabelSchema) -> np.ndarray:
        """The segmentation of a grid of a shape, uint8; BraTS has one label for necrosis and solid tumor."""
        values = [schema.necrosis, schema.edema, schema.enhancing]
        data = np.zeros(shape, np.uint8)
        data[self.box.slices] = np.select([self.necrosis | self.solid, self.edema, self.enhancing], values)
        return data


def lesion_of(
    density: Density, life: Life, anatomy: Anatomy, appearance: Appearance, cavity: np.ndarray | None = None
) -> Lesion:
    """The compartments of a density.

    Args:
        density: on the anatomy's grid; treatment may have left nothing that shows.
        life: thresholds and grade.
        anatomy: tissue of the day.
        appearance: how it looks.
        cavity: resection cavity, bool, which is no tumor.
    """
    faintest = min(_FAINTEST, float(density.data.max()) / 2)
    box = bounding_box(density.data >= faintest).grown((_MARGIN,) * 3, density.grid.shape)
    spacing = density.grid.spacing
    level = logit(np.clip(density.data[box.slices], _LOGIT_LIMIT, 1 - _LOGIT_LIMIT))
    white, gray, brain = (part[box.slices] for part in (anatomy.white_matter, anatomy.gray_matter, anatomy.brain))
    inside = brain & (white + gray > _TISSUE_SHARE)
    if cavity is not None:
        inside &= ~cavity[box.slices]
    errors = [refine(field, _COARSE, box) for field in (appearance.core, appearance.whole, appearance.rim)]
    core = _tidy(_displaced(level > logit(life.t1c_threshold), errors[0], spacing) & inside)
    wet = level - np.float32(_GRAY_RELUCTANCE) * gray
    whole = ndimage.binary_closing(_displaced(wet > logit(life.flair_threshold), errors[1], spacing), iterations=2)
    whole = _tidy(whole & inside) | core
    necrosis = enhancing = np.zeros_like(core)
    if life.high_grade:
        necrosis = _tidy(core & (ndimage.distance_transform_edt(core, sampling=spacing) > errors[2]))
        enhancing = core & ~necrosis
        if appearance.uptake is not None:
            enhancing &= refine(appearance.uptake, _COARSE, box) > 0
    border = ndimage.distance_transform_edt(whole, sampling=spacing)
    wetness = appearance.strength * np.clip(border / appearance.softness, 0, 1)
    solid = core & ~necrosis & ~enhancing
    return Lesion(box, necrosis, solid, enhancing, whole & ~core, wetness.astype(np.float32), appearance.avidity)


def _displaced(mask: np.ndarray, error: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """A mask with its surface displaced outwards by a field [mm]."""
    if not mask.any() or mask.all():
        return mask
    outside, inside = (ndimage.distance_transform_edt(part, sampling=spacing) for part in (~mask, mask))
    return np.asarray(inside - outside + error > 0)


def _tidy(mask: np.ndarray) -> np.ndarray:
    """Without specks and without small holes."""
    for wanted in (True, False):
        parts, number = ndimage.label(mask == wanted)
        if number > 1:
            sizes = np.bincount(parts.ravel())
            small = sizes < _FEWEST_VOXELS
            small[0] = False
            mask = np.where(small[parts], not wanted, mask)
    return mask
