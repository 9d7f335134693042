"""Target volumes of the guidelines: what is visible, grown by a uniform margin, cropped where no tumor can be.

A margin is a distance in millimeters (Euclidean distance transform with the grid's own spacing), never a number of
voxels: between voxel centers, and along wide axes from the shape that they show (`gliocast.planning.refined`).

Source: Niyazi et al. 2023, "ESTRO-EANO guideline on target delineation and radiotherapy details for glioblastoma":
GTV = resection cavity and residual enhancing tumor, CTV = GTV + 15 mm, cropped at the anatomical barriers. Skull and
ventricles crop what a straight margin reaches; around falx and tentorium the margin is measured along paths that they
don't cut (`Barriers`), so that a target goes through the corpus callosum, and no farther there than its margin.
Departs from the guideline at ventricles, into which that lets the margin reach 5 mm: there is no tissue in them, and
targets of one volume are to hold as much of it. Who wants the guideline to the letter says how far (``ventricle_mm``).
"""

from weakref import WeakKeyDictionary

import numpy as np
from scipy import ndimage

from gliocast.core import Anatomy, Grid, InputError, LabelMap, bounding_box
from gliocast.core.volume import require_shape
from gliocast.planning.barriers import Barriers
from gliocast.planning.geodesic import shortest_paths
from gliocast.planning.refined import refined_distance

#: GTV to CTV [mm]: ESTRO-EANO 2023. (EORTC 2016 used 20 mm, RTOG 20 to 25 mm.)
ESTRO_EANO_MARGIN_MM = 15.0
#: CTV to PTV [mm]: ESTRO-EANO 2023 finds no more needed with image guidance; others use 3 to 5 mm.
ESTRO_EANO_PTV_MARGIN_MM = 3.0
#: No guideline grows a brain tumor by more than this [mm]; anything larger is a slip of units.
LARGEST_MARGIN_MM = 50.0

#: No mask lets a head move by more than this [mm]; a larger PTV margin is a slip of units.
LARGEST_PTV_MARGIN_MM = 10.0

#: Fluid nearer to the surface of the brain than this is taken for a sulcus or a cistern [mm]. Set on MNI152 and two
#: TCGA patients: the temporal and occipital horns begin at about 15 mm, most sulci end there.
SHALLOWEST_VENTRICLE_MM = 15.0
#: A ventricle reaches at least this deep somewhere [mm]; on the same brains the Sylvian fissure doesn't.
VENTRICLE_SEED_DEPTH_MM = 25.0
#: A ventricle is thicker than a fissure: somewhere a ball of this radius fits into it [mm].
VENTRICLE_BALL_MM = 2.0
#: How far the ball's center may be left behind, so that horns taper off instead of being cut [mm].
VENTRICLE_REACH_MM = 4.0

#: Ventricles of the anatomies in use: finding them takes a second, and targets, curves and figures all ask for them.
#: Nouns aren't changed in place, so what was found stays right as long as the anatomy lives.
_FOUND: WeakKeyDictionary[Anatomy, np.ndarray] = WeakKeyDictionary()


def gross_tumor_volume(labels: LabelMap) -> tuple[np.ndarray, str | None]:
    """Gross tumor volume: tumor core and resection cavity; the whole tumor where neither was segmented.

    Departs from the guideline in that the non-enhancing core counts as visible tumor: automatic segmentations give
    necrosis, which lies inside the GTV anyway, and non-enhancing core one number.

    Args:
        labels: the segmentation.

    Returns:
        The mask, bool, shape of the grid; and a sentence for the reader where the rule had to bend, else None.

    Raises:
        InputError: if nothing is segmented.
    """
    visible = labels.core | labels.cavity
    if visible.any():
        return visible, None
    if not labels.whole.any():
        raise InputError(
            "segmentation", expected="tumor or resection cavity", got="background only", advice="segment the tumor"
        )
    return labels.whole, "No tumor core is segmented: the gross tumor volume is the whole tumor as FLAIR shows it."


def ventricles(anatomy: Anatomy) -> np.ndarray:
    """Ventricles: cerebrospinal fluid that lies deep in the brain and is thicker than a fissure.

    Fluid (probability > 0.5) at least 15 mm below the surface of the brain mask is searched for places where a ball
    of 2 mm radius fits; of the connected sets of such places, those that reach 25 mm deep are kept, and grow back
    by 4 mm within the deep fluid.

    Limits: the rule sees depth and thickness, not names. The quadrigeminal cistern and thick stretches of the deep
    interhemispheric fissure pass for ventricle (there is no tissue to treat in either); the tips of the horns, and
    slit ventricles that a mass has pressed shut, are missed (they then stay inside the target, the safe side). A
    fluid-filled tumor cyst passes for ventricle too, which is why the GTV is added back wherever this mask is cut out.

    Args:
        anatomy: tissue probabilities.

    Returns:
        bool mask, shape of the grid, not to be written to: it is kept as long as the anatomy is.
    """
    if anatomy not in _FOUND:
        mask = _ventricles(anatomy)
        mask.setflags(write=False)
        _FOUND[anatomy] = mask
    return _FOUND[anatomy]


def _ventricles(anatomy: Anatomy) -> np.ndarray:
    spacing = anatomy.grid.spacing
    mask = np.zeros(anatomy.grid.shape, dtype=bool)
    if not anatomy.brain.any():
        return mask
    box = bounding_box(anatomy.brain).slices
    # one voxel of padding: the surface of a brain that touches the edge of its box is a surface too
    depth = ndimage.distance_transform_edt(np.pad(anatomy.brain[box], 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    fluid = (anatomy.csf[box] > 0.5) & (depth >= SHALLOWEST_VENTRICLE_MM)
    if not fluid.any():
        return mask
    inner = bounding_box(fluid).slices
    fluid, depth = fluid[inner], depth[inner]
    thickness = ndimage.distance_transform_edt(np.pad(fluid, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    places, num_places = ndimage.label(thickness > VENTRICLE_BALL_MM)
    reaches = np.asarray(ndimage.maximum(depth, places, range(num_places + 1)))
    is_ventricle = reaches >= VENTRICLE_SEED_DEPTH_MM
    is_ventricle[0] = False
    seeds = is_ventricle[places]
    if seeds.any():
        near = ndimage.distance_transform_edt(~seeds, sampling=spacing) <= VENTRICLE_REACH_MM
        mask[box][inner] = fluid & near
    return mask


def treatable_region(
    labels: LabelMap, anatomy: Anatomy, barriers: Barriers | None = None, *, ventricle_mm: float = 0.0
) -> np.ndarray:
    """Where a target volume may lie, bool: brain without ventricles and barriers, and the GTV wherever it is.

    Args:
        labels: the segmentation.
        anatomy: tissue on the same grid.
        barriers: falx and tentorium on the same grid, if known.
        ventricle_mm: how far it may reach into ventricles, from the nearest voxel around them [mm].
    """
    labels.grid.require_same(anatomy.grid, "anatomy")
    require_ventricle_reach(ventricle_mm)
    gtv, _ = gross_tumor_volume(labels)
    fluid = ventricles(anatomy)
    region = anatomy.brain & ~fluid
    if ventricle_mm > 0 and fluid.any():
        near = distance_from(region, labels.grid, reach_mm=ventricle_mm)
        region |= fluid & np.isfinite(near)
    if barriers is not None:
        labels.grid.require_same(barriers.grid, "barriers")
        region &= ~barriers.wall
    return region | gtv


def distance_from(mask: np.ndarray, grid: Grid, *, reach_mm: float, barriers: Barriers | None = None) -> np.ndarray:
    """Distance from each voxel's center to the shape that `mask` shows [mm]; inf beyond `reach_mm`.

    Euclidean (see `refined_distance`), or with barriers the length of the shortest path that passes through none (inf
    in the barriers): from center to center, less what the straight line gains where the shape is interpolated.

    Args:
        mask: bool, shape of the grid, not empty.
        grid: where it lies; its axes are taken as orthogonal.
        reach_mm: how far distances are needed [mm]; only the box around the mask grown by it is swept.
        barriers: on the same grid; open where the mask lies in them.

    Returns:
        float32, shape of the grid.
    """
    require_shape(mask, grid, "mask")
    if not mask.any():
        raise InputError("mask", expected="at least one voxel", got="none", advice="pass a mask that holds something")
    x, y, z = (int(np.ceil(reach_mm / spacing)) + 1 for spacing in grid.spacing)
    box = bounding_box(mask).grown((x, y, z), grid.shape).slices
    distance = np.full(grid.shape, np.inf, dtype=np.float32)
    near = refined_distance(mask[box], spacing=grid.spacing)
    if barriers is not None:
        grid.require_same(barriers.grid, "barriers")
        gain = np.asarray(ndimage.distance_transform_edt(~mask[box], sampling=grid.spacing)) - near
        reach = reach_mm + float(gain.max())
        near = shortest_paths(mask[box], barriers.wall[box], spacing=grid.spacing, reach_mm=reach) - gain
    near = near.astype(np.float32)  # on both sides: 15 steps of 0.9 mm are 13.5 mm, not 13.500000000000002
    distance[box] = np.where(near <= np.float32(reach_mm), near, np.float32(np.inf))
    return distance


def expand(
    mask: np.ndarray, grid: Grid, margin_mm: float, within: np.ndarray, barriers: Barriers | None = None
) -> np.ndarray:
    """Every voxel of `within` whose center lies within `margin_mm` of the shape that `mask` shows.

    The mask itself stays only where it lies in `within`. Without barriers distances pass straight from one hemisphere
    into the other, as a geometric expansion in a planning system does; with them they go around.

    Args:
        mask: bool, shape of the grid, not empty.
        grid: where both masks lie.
        margin_mm: distance to grow by [mm], 0 < margin <= 50; 15 by ESTRO-EANO 2023.
        within: bool, shape of the grid.
        barriers: falx and tentorium on the same grid, if known.

    Returns:
        bool, shape of the grid.

    Raises:
        InputError: if the margin is no sensible length, the mask is empty or a shape doesn't fit.
    """
    require_margin(margin_mm)
    require_shape(within, grid, "region to stay within")
    return np.isfinite(distance_from(mask, grid, reach_mm=margin_mm, barriers=barriers)) & within


def standard_ctv(
    labels: LabelMap,
    anatomy: Anatomy,
    *,
    margin_mm: float = ESTRO_EANO_MARGIN_MM,
    barriers: Barriers | None = None,
) -> np.ndarray:
    """Standard clinical target volume: GTV + margin, cropped at brain, ventricles and barriers; the GTV stays in.

    Args:
        labels: the segmentation.
        anatomy: tissue on the same grid.
        margin_mm: uniform margin [mm], 0 < margin <= 50.
        barriers: falx and tentorium on the same grid; without them the margin goes straight through.

    Returns:
        bool, shape of the grid.

    Raises:
        InputError: if the margin is no sensible length, nothing is segmented or the grids differ.
    """
    require_margin(margin_mm)
    gtv, _ = gross_tumor_volume(labels)
    return expand(gtv, labels.grid, margin_mm, treatable_region(labels, anatomy, barriers), barriers)


def planning_target_volume(ctv: np.ndarray, grid: Grid, margin_mm: float) -> np.ndarray:
    """CTV + margin in all directions, cropped at nothing but the field of view, bool.

    Args:
        ctv: bool, shape of the grid, not empty.
        grid: where it lies.
        margin_mm: up to 3 mm (ESTRO-EANO 2023) or 3 to 5 mm, by how the patient is held and seen (0 < margin <= 10).
    """
    require_ptv_margin(margin_mm)
    return np.isfinite(distance_from(ctv, grid, reach_mm=margin_mm))


def require_margin(margin_mm: float) -> None:
    """Raise InputError unless 0 < margin <= 50 mm."""
    if not (np.isfinite(margin_mm) and 0 < margin_mm <= LARGEST_MARGIN_MM):
        raise InputError(
            "margin",
            expected=f"a length in (0, {LARGEST_MARGIN_MM:g}] mm",
            got=f"{margin_mm:g} mm",
            advice=f"use {ESTRO_EANO_MARGIN_MM:g} mm (ESTRO-EANO 2023) unless your protocol says otherwise",
        )


def require_ptv_margin(margin_mm: float) -> None:
    """Raise InputError unless 0 < margin <= 10 mm."""
    if not 0 < margin_mm <= LARGEST_PTV_MARGIN_MM:  # also true for nan
        raise InputError(
            "PTV margin",
            expected=f"a length in (0, {LARGEST_PTV_MARGIN_MM:g}] mm",
            got=f"{margin_mm:g} mm",
            advice="use 3 mm, up to 5 mm with a looser mask",
        )


def require_ventricle_reach(reach_mm: float) -> None:
    """Raise InputError unless 0 <= reach <= 50 mm."""
    if not 0 <= reach_mm <= LARGEST_MARGIN_MM:  # also true for nan
        raise InputError(
            "reach into ventricles",
            expected=f"a length in [0, {LARGEST_MARGIN_MM:g}] mm",
            got=f"{reach_mm:g} mm",
            advice="use 0 mm, or 5 mm (ESTRO-EANO 2023)",
        )
