"""Plans of one volume that a model's has to beat, made of what a segmentation shows.

A larger target covers more of any recurrence, so plans are compared at exactly the volume of the guideline's:

- ``guideline``: GTV + margin, cropped at brain, ventricles, and falx and tentorium where they are known
  (`gliocast.planning.margins`).
- ``distance``: the voxels of the brain mask nearest to the GTV, whatever they are. It knows no anatomy: ventricles
  count as brain, and the margin is as much narrower. (Inside of the guideline's region it would be the guideline's
  plan.)
- ``edema``: GTV and edema first, then the voxels nearest to the GTV, in the guideline's region. Where tumor and edema
  exceed the volume, the edema nearest to the GTV.
- ``model``: the voxels of highest density, in the guideline's region.

The published protocol (PREDICT-GBM, arXiv 2509.13360) grows the tumor core (necrosis and enhancing) by 15 voxels of
1 mm, crops at the brain mask and nothing else, and lets the model take its voxels from the brain mask. Its "distance"
would be its guideline. An earlier version of its code let the model's
volume differ by 1 % and lost what lay outside of the brain mask; a later one takes exactly as many voxels inside of
it, as is done here.
"""

from typing import Literal

import numpy as np

from gliocast.core import Anatomy, Density, Grid, InputError, LabelMap, Plan, bounding_box
from gliocast.core.volume import require_mask
from gliocast.planning.barriers import Barriers
from gliocast.planning.ctv import highest, isovolumetric_ctv, require_room
from gliocast.planning.margins import (
    ESTRO_EANO_MARGIN_MM,
    distance_from,
    expand,
    gross_tumor_volume,
    require_margin,
    treatable_region,
)

Protocol = Literal["guideline", "published"]

#: Margin of the published protocol [voxels], which have this edge [mm], and how far it may be off [mm].
PUBLISHED_MARGIN_VOXELS, _EDGE_MM, _EDGE_TOLERANCE_MM = 15.0, 1.0, 0.01


def rival_plans(
    labels: LabelMap,
    anatomy: Anatomy,
    density: Density,
    *,
    margin_mm: float = ESTRO_EANO_MARGIN_MM,
    barriers: Barriers | None = None,
) -> Plan:
    """``guideline``, ``distance``, ``edema`` and ``model``, all of the guideline's volume, and ``gtv``.

    Args:
        labels: the segmentation that is planned on.
        anatomy: tissue on the same grid.
        density: expected tumor-cell density on the same grid.
        margin_mm: of the guideline [mm], 0 < margin <= 50.
        barriers: falx and tentorium on the same grid, which the guideline keeps to.

    Raises:
        InputError: nothing is segmented, the margin is no sensible length or grids differ.
    """
    require_margin(margin_mm)
    labels.grid.require_same(density.grid, "density")
    gtv, _ = gross_tumor_volume(labels)
    region = treatable_region(labels, anatomy, barriers)
    guideline = expand(gtv, labels.grid, margin_mm, region, barriers)
    volumes = {
        "gtv": gtv,
        "guideline": guideline,
        "distance": _nearest_to(gtv, labels.grid, guideline, anatomy.brain | gtv, margin_mm),
        "edema": _edema_first(labels, gtv, guideline, region, margin_mm),
        "model": isovolumetric_ctv(density, reference=guideline, within=region),
    }
    return Plan(volumes, labels.grid, margin_mm)


def published_plans(labels: LabelMap, brain: np.ndarray, density: Density) -> Plan:
    """``guideline``, ``edema`` and ``model`` of the published protocol, and the core as ``gtv``.

    Args:
        labels: the segmentation that is planned on, voxels of 1 mm.
        brain: brain mask, bool.
        density: expected tumor-cell density on the same grid.

    Raises:
        InputError: voxels of another size, no core, or grids differ.
    """
    labels.grid.require_same(density.grid, "density")
    require_mask(brain, labels.grid, "brain mask")
    if not np.allclose(labels.grid.spacing, _EDGE_MM, rtol=0, atol=_EDGE_TOLERANCE_MM):
        raise InputError(
            "published protocol",
            expected="voxels of 1 mm, which it counts",
            got=" x ".join(f"{h:g}" for h in labels.grid.spacing) + " mm",
            advice="resample the patient, or take the guideline's protocol",
        )
    core = labels.core
    if not (core & brain).any():
        raise InputError(
            "published protocol",
            expected="a tumor core in the brain",
            got="none",
            advice="take the guideline's protocol, which falls back on the whole tumor",
        )
    voxels = Grid(labels.grid.shape, np.eye(4))
    guideline = expand(core, voxels, PUBLISHED_MARGIN_VOXELS, brain)
    volumes = {
        "gtv": core,
        "guideline": guideline,
        "edema": _edema_first(labels, core, guideline, brain, PUBLISHED_MARGIN_VOXELS),
        "model": isovolumetric_ctv(density, reference=guideline, within=brain),
    }
    return Plan(volumes, labels.grid, PUBLISHED_MARGIN_VOXELS)


def _nearest_to(
    source: np.ndarray, grid: Grid, reference: np.ndarray, within: np.ndarray, reach_mm: float
) -> np.ndarray:
    """The voxels of `within` nearest to a source, as many as `reference` has, which lie within reach themselves."""
    distance = distance_from(source, grid, reach_mm=reach_mm)
    return _as_many(reference, -distance, grid, within & np.isfinite(distance))


def _edema_first(
    labels: LabelMap, gtv: np.ndarray, reference: np.ndarray, within: np.ndarray, margin_mm: float
) -> np.ndarray:
    """GTV and whole tumor, then what lies nearest to the GTV, as many voxels as `reference` has."""
    lesion = gtv | labels.whole
    # the whole tumor may reach farther than the margin
    box = bounding_box(lesion)
    extent = np.multiply(np.subtract(box.upper, box.lower), labels.grid.spacing)
    reach_mm = max(margin_mm, float(np.linalg.norm(extent)))
    distance = distance_from(gtv, labels.grid, reach_mm=reach_mm)
    score = np.where(lesion, 2 * np.float32(reach_mm) - distance, -distance)
    return _as_many(reference, score, labels.grid, within & np.isfinite(distance))


def _as_many(reference: np.ndarray, score: np.ndarray, grid: Grid, within: np.ndarray) -> np.ndarray:
    """The voxels of highest score within a region, as many as a reference has."""
    count = int(np.count_nonzero(reference))
    require_room("reference plan", count, int(np.count_nonzero(within)))
    return highest(score, count, within=within, near=reference, grid=grid)
