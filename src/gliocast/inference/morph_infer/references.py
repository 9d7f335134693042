r"""What reference tumors say of two outlines.

Where a tumor began, how far its front went and how wide it is can be read off the ways in which the outlines differ
from those of tumors that are known. So a few references, of widths lambda = sqrt(D_w / rho) from narrow to wide, grow
in the patient's own tissue until the densest of them fill the volume of the whole tumor. On the surfaces of both
outlines the logit of a reference's density would be one number, were the reference right. It is regressed on position,

.. math:: \mathrm{logit}\,u_k(x) = a_k + b_k \cdot (x - x_c) / R + r_k(x)

The slope b tells to which side the seed lies; the scatter of the residuals r how ragged the surface is against one of
that width, least where the width is right; the two levels a how far apart the outlines are in the reference's front.
A few plain measures of the outlines (sizes, areas, tissue inside) are added.

There are two kinds of look. The first one knows nothing: four widths, from the middle of the core, on voxels of 4 mm,
some 40 ms. A closer one goes out from an answer to another: four widths around that answer's, from its seed, on the
voxels of the anatomy, a few tenths of a second. Near the right seed and the right width all that raggedness goes to
nothing, and errors of an answer show many times larger than in a first look.

The numbers fall into scalars and vectors, so that a network that reads them may be taught with mirrored and turned
tumors at no cost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.special import logit

from gliocast.core import Anatomy, Density, Forward, InputError, Parameter
from gliocast.inference.morph_infer.impression import NUM_ANSWERS, Impression, coordinates
from gliocast.inference.morph_infer.levels import Levels
from gliocast.inference.morph_infer.surfaces import NUM_MEASURES, Outlines, Surface

#: Widths of the references' fronts, lambda = sqrt(D_w / rho): of a first look [mm], and of a closer one relative to the
#: answer's [1].
REFERENCE_WIDTHS_MM = (1.0, 1.8, 3.2, 5.6)
REFERENCE_RATIOS = (0.5, 0.8, 1.25, 2.0)

#: Voxels that references of a first look grow on have about this edge [mm].
_SPACING_MM = 4.0

#: A reference of a first look is compared when the volume above this density is the whole tumor's [1].
_LEVEL = 0.2

#: Then references are looked at when their fronts have gone these shares of the farthest way that can be needed: of so
#: many radii of the whole tumor, and widths [1].
_LOOKS = tuple(np.geomspace(0.25, 1.0, 6))
_FARTHEST_RADII, _FARTHEST_WIDTHS = 2.6, 4.0

#: In a closer look when they have gone these shares of so many times the answer's way; the same volume takes a front of
#: another width a way that goes with this power of the width [1].
_CLOSER_LOOKS = tuple(np.geomspace(0.6, 1.0, 5))
_FARTHEST_WAYS, _WIDTH_POWER = 1.25, 0.32

#: Answers beyond this are no tumor's: widths [mm], ways in radii of the whole tumor [1], levels [1].
_WIDTHS_MM, _WAYS, _LEVELS = (0.4, 12.0), (0.4, 4.0), (0.02, 0.7)

#: Densities nearer than this to 0 and 1 have no logit, logits beyond that are far inside or outside [1]; scatter below
#: the last is none.
_FAINTEST, _FARTHEST_LOGIT, _LEAST_SCATTER = 1e-5, 8.0, 1e-3


def impression_size(closer: bool) -> tuple[int, int]:
    """How many scalars and vectors an impression has, of a first look or of a closer one."""
    references, surfaces = len(REFERENCE_WIDTHS_MM), 2
    of_references = references * (1 + 3 * surfaces), references * surfaces
    of_answer = (4, 1) if closer else (0, 0)
    return NUM_MEASURES + of_answer[0] + of_references[0], 2 + of_answer[1] + of_references[1]


@dataclass(frozen=True, eq=False)
class _Reference:
    """A tumor to compare with.

    Args:
        width: of its front, sqrt(D_w / rho) [mm].
        farthest: way of its front when it ends [mm].
        looks: when it is looked at, in shares of that way, ascending [1].
        level: the density that its volume is compared at [1].
    """

    width: float
    farthest: float
    looks: tuple[float, ...]
    level: float


@dataclass(frozen=True, eq=False)
class _Grown:
    """A reference that is as large as the whole tumor.

    Args:
        logits: of its density, shape of the anatomy's grid.
        rates: how these rise with the logarithm of its age.
        log_travel: of its front, twice the length times the number, in radii of the whole tumor.
        log_width: of its front [log mm].
    """

    logits: np.ndarray
    rates: np.ndarray
    log_travel: float
    log_width: float


class References:
    """Reference tumors in one anatomy.

    Args:
        forward: Fisher-Kolmogorov growth, (sqrt(D_w T), sqrt(rho T), seed) -> densities at shares of the age.
        anatomy: tissue, on voxels of about 2 mm.
    """

    def __init__(self, forward: Forward, anatomy: Anatomy) -> None:
        _require_growth(forward.parameters)
        x, y, z = (max(1, round(_SPACING_MM / h)) for h in anatomy.grid.spacing)
        self._forward, self._fine, self._coarse = forward, anatomy, anatomy.coarsen((x, y, z))

    def look(self, outlines: Outlines, answer: np.ndarray | None = None) -> Impression:
        """What references say of outlines in the anatomy.

        Args:
            outlines: of core and whole tumor.
            answer: what a look before this one led to: length [mm], number [1], seed [mm, RAS], thresholds [1], (7,).
                None for the first look.

        Raises:
            InputError: there is no tissue.
            OutsideTissueError: growth can't begin next to the middle of the core, or to the answer's seed.
        """
        return self._first_look(outlines) if answer is None else self._closer_look(outlines, answer)

    def _first_look(self, outlines: Outlines) -> Impression:
        """From afar: widths that cover all there are, from the middle of the core."""
        center, radius = outlines.core.center, outlines.whole.radius
        seed = _nearest_tissue(center, self._coarse)
        scalars, vectors = outlines.scalars, [outlines.shift, (seed - center) / radius]
        return self._compared(outlines, scalars, vectors, np.zeros(NUM_ANSWERS), _first(radius), seed, self._coarse)

    def _closer_look(self, outlines: Outlines, answer: np.ndarray) -> Impression:
        """Around an answer, which the impression says, too."""
        center, radius = outlines.core.center, outlines.whole.radius
        seed, origin = _nearest_tissue(answer[2:5], self._fine), coordinates(answer, center, radius)
        scalars = [*outlines.scalars, *origin[:2], *origin[5:]]
        vectors = [outlines.shift, (seed - answer[2:5]) / radius, origin[2:5]]
        return self._compared(outlines, scalars, vectors, origin, _closer(answer, radius), seed, self._fine)

    def _compared(
        self,
        outlines: Outlines,
        scalars: list[float],
        vectors: list[np.ndarray],
        origin: np.ndarray,
        references: Iterator[_Reference],
        seed: np.ndarray,
        anatomy: Anatomy,
    ) -> Impression:
        """What is known before anything grows, and what references from a seed in an anatomy say then."""
        center, radius = outlines.core.center, outlines.whole.radius
        grown = []
        for reference in references:
            tumor = self._grow(reference, seed, radius, anatomy)
            grown.append(tumor)
            scalars = [*scalars, tumor.log_travel]
            for surface in (outlines.whole, outlines.core):
                level, slope, scatter = _compare(_on(tumor.logits, anatomy, surface), surface, center)
                scalars += [level, *scatter]
                vectors.append(slope)
        levels = _levels_of(grown, outlines, anatomy)
        return Impression(np.array(scalars, np.float32), np.array(vectors, np.float32), center, radius, origin, levels)

    def _grow(self, reference: _Reference, seed: np.ndarray, radius: float, anatomy: Anatomy) -> "_Grown":
        """A reference as large as the whole tumor."""
        number = np.sqrt(reference.farthest / (2 * reference.width))
        looks = np.array(reference.looks)
        densities = self._forward((number * reference.width, number, *seed), anatomy, days=looks.tolist())
        volumes = np.maximum.accumulate([density.volume_above(reference.level) for density in densities])
        wanted = 4 / 3 * np.pi * radius**3
        after = int(np.clip(np.searchsorted(volumes, wanted), 1, len(volumes) - 1))
        before = after - 1
        share = (wanted - volumes[before]) / max(volumes[after] - volumes[before], 1e-9)
        share = float(np.clip(share, -0.5, 1.5))
        time = looks[before] + share * (looks[after] - looks[before])
        first, second = _logit(densities[before]), _logit(densities[after])
        rate = (second - first) / np.float32(np.log(looks[after] / looks[before]))
        travel = max(time, looks[0] / 10) * reference.farthest / radius
        return _Grown((1 - share) * first + share * second, rate, float(np.log(travel)), float(np.log(reference.width)))


def _first(radius: float) -> Iterator[_Reference]:
    """References for a tumor of which the radius is known [mm]."""
    for width in REFERENCE_WIDTHS_MM:
        yield _Reference(width, _FARTHEST_RADII * radius + _FARTHEST_WIDTHS * width, _LOOKS, _LEVEL)


def _closer(answer: np.ndarray, radius: float) -> Iterator[_Reference]:
    """References around an answer, in natural units."""
    width = float(np.clip(answer[0] / answer[1], *_WIDTHS_MM))
    way = radius * float(np.clip(2 * answer[0] * answer[1] / radius, *_WAYS))
    for ratio in REFERENCE_RATIOS:
        farthest = _FARTHEST_WAYS * way * ratio**_WIDTH_POWER
        yield _Reference(ratio * width, farthest, _CLOSER_LOOKS, float(np.clip(answer[6], *_LEVELS)))


def _on(field: np.ndarray, anatomy: Anatomy, surface: Surface) -> np.ndarray:
    """A field on the points of a surface, (num,)."""
    places = anatomy.grid.voxel_from_world(surface.points)
    return np.asarray(ndimage.map_coordinates(field, places.T, order=1, mode="nearest"))


def _compare(logits: np.ndarray, surface: Surface, center: np.ndarray) -> tuple[float, np.ndarray, tuple[float, float]]:
    """Level, slope and log-scatter (standard deviation, median) of a reference on the surface of an outline."""
    values = logits.clip(-_FARTHEST_LOGIT, _FARTHEST_LOGIT)
    design = np.concatenate([np.ones((len(values), 1)), (surface.points - center) / surface.radius], axis=1)
    fitted, *_ = np.linalg.lstsq(design, values, rcond=None)
    residuals = values - design @ fitted
    scatter = (residuals.std(), np.median(np.abs(residuals)))
    deviation, median = (float(np.log(size + _LEAST_SCATTER)) for size in scatter)
    return float(fitted[0]), fitted[1:], (deviation, median)


def _levels_of(grown: Sequence[_Grown], outlines: Outlines, anatomy: Anatomy) -> Levels:
    """Where references stand on the surfaces; travel is counted as coordinates count it, half as far."""
    surfaces = (outlines.core, outlines.whole)
    logits, rates = (
        [
            [_on(field, anatomy, surface).clip(-_FARTHEST_LOGIT, _FARTHEST_LOGIT) for field in fields]
            for surface in surfaces
        ]
        for fields in ([tumor.logits for tumor in grown], [tumor.rates for tumor in grown])
    )
    return Levels(
        log_widths=np.array([tumor.log_width for tumor in grown]),
        log_travels=np.array([tumor.log_travel for tumor in grown]) - np.log(2),
        heights=_means(logits),
        rates=_means(rates),
        scatters=np.array([min(values.std() for values in row) for row in logits]),
        areas=np.array([4 * np.pi * surface.radius**2 for surface in surfaces]),
    )


def _means(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    return np.array([[values.mean() for values in row] for row in rows])


def _nearest_tissue(point: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """The point itself, or the nearest voxel that is more tissue than fluid."""
    tissue = anatomy.white_matter + anatomy.gray_matter > 0.5
    place = anatomy.grid.voxel_from_world(point)
    here = np.round(place).astype(int)
    inside = bool(((here >= 0) & (here < tissue.shape)).all())
    if (inside and tissue[tuple(here)]) or not tissue.any():
        return point
    there = np.argwhere(tissue)
    return anatomy.grid.world_from_voxel(there[np.argmin(((there - place) ** 2).sum(axis=1))])


def _logit(density: Density) -> np.ndarray:
    return logit(np.clip(density.data, np.float32(_FAINTEST), np.float32(1 - _FAINTEST)))


def _require_growth(parameters: tuple[Parameter, ...]) -> None:
    names = [parameter.name for parameter in parameters]
    if names != ["diffusion_length", "growth_number", "seed_x", "seed_y", "seed_z"]:
        raise InputError(
            "references",
            expected="growth that depends on diffusion length, growth number and seed",
            got=", ".join(names),
            advice="let Fisher-Kolmogorov growth, seen through one scan, make them",
        )
