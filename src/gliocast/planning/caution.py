"""What must be said beside a model's target, and where its volume alone would mislead."""

from collections.abc import Mapping

import numpy as np

from gliocast.core import Anatomy, Density, Grid, LabelMap, Plan
from gliocast.core.grid import MM3_PER_ML
from gliocast.planning.guidelines import Guideline

#: Probability above which a voxel is taken for fluid [1], and the share of cells there that is worth a word [1].
_MOSTLY, _STRAY = 0.5, 0.005

#: Relative error of a spacing that a header stores as float32 [1].
_ROUNDING = 1e-5


def caution(plan: Plan) -> tuple[str, ...]:
    """Warnings, a sentence each, without which a plan's model target must not be shown.

    A model that knows of one scan is no reason to treat less than the guideline does: wherever its target is smaller,
    and wherever it omits what is visible, a person has to read it first.

    Args:
        plan: with ``gtv``, ``ctv_standard`` and ``ctv_model``.
    """
    found = []
    standard, model = plan.volume("ctv_standard"), plan.volume("ctv_model")
    if model < standard:
        found.append(
            f"THE MODEL'S TARGET IS SMALLER THAN THE GUIDELINE'S ({model / MM3_PER_ML:.1f} ml instead of "
            f"{standard / MM3_PER_ML:.1f} ml, {100 * (1 - model / standard):.0f} % less): it is no suggestion to treat "
            "less, for no trial has shown that the model may"
        )
    left_out = float(np.count_nonzero(plan["gtv"] & ~plan["ctv_model"])) * plan.grid.voxel_volume
    if left_out > 0:
        found.append(
            f"the model's target leaves out {left_out / MM3_PER_ML:.2f} ml of the gross tumor volume, which no target "
            "may omit"
        )
    return tuple(found)


def cut_off_warning(plan: Plan) -> str | None:
    """What is said where a target reaches the edge of the image: whatever lies beyond is missing from it."""
    found = [name for name, mask in plan.volumes.items() if _touches_edge(mask)]
    if not found:
        return None
    return f"the edge of the image cuts off {', '.join(found)}: plan on a scan that shows more of the head"


def _touches_edge(mask: np.ndarray) -> bool:
    return any(bool(np.take(mask, (0, -1), axis).any()) for axis in range(mask.ndim))


def coarse_grid_warning(grid: Grid, ptv_margin_mm: float) -> str | None:
    """What is said where the margin of the PTV is smaller than voxels are apart, and adds nothing along that axis."""
    widest = max(grid.spacing)
    if ptv_margin_mm >= widest * (1 - _ROUNDING):
        return None
    return (
        f"the PTV's margin of {ptv_margin_mm:g} mm is smaller than the distance of {widest:.3g} mm between voxels, and "
        "adds nothing along that axis: plan on a finer scan, or grow the PTV in the planning system"
    )


def stray_cells_warning(density: Density, anatomy: Anatomy) -> str | None:
    """What is said where tumor cells lie in fluid or outside of the brain: density and anatomy may be of two patients.

    A density that was grown in an anatomy has none there; that of one TCGA patient in another's has 1 to 24 %.
    """
    nowhere = ~anatomy.brain | (anatomy.csf > _MOSTLY)
    total = float(density.data.sum(dtype=np.float64))
    share = float(density.data[nowhere].sum(dtype=np.float64)) / total if total > 0 else 0.0
    if share <= _STRAY:
        return None
    return (
        f"{100 * share:.1f} % of the tumor cells lie in fluid or outside of the brain: make sure that density and "
        "tissue maps are those of one patient"
    )


def smaller_structure(name: str, volumes_ml: Mapping[str, float]) -> str | None:
    """What is said in DICOM of a model's structure that is smaller than the guideline's; None where it isn't.

    Args:
        name: of the structure, after TG-263, such as CTVp_MODEL.
        volumes_ml: of all structures by name, as they were planned [ml].
    """
    kind, _, variant = name.partition("_")
    if variant != "MODEL" or kind not in volumes_ml or volumes_ml[name] >= volumes_ml[kind]:
        return None
    return f"SMALLER THAN {kind} ({volumes_ml[name]:.1f} ml instead of {volumes_ml[kind]:.1f} ml)"


def narrow_margin_warning(guideline: Guideline, labels: LabelMap, margin_mm: float) -> str | None:
    """What is said where targets are those of a margin below the guideline's own, the model's among them.

    Args:
        guideline: as it is published.
        labels: the segmentation, for a margin that depends on whether there is edema.
        margin_mm: GTV to CTV of the first phase, as it was chosen [mm].
    """
    own = guideline.phases[0].margin_for(labels)
    if margin_mm >= own:
        return None
    return (
        f"THE MARGIN OF {margin_mm:g} MM IS SMALLER THAN {guideline.title}'S ({own:g} mm)"
        ", and so is the model's target, which has the volume of that margin: it is no suggestion to treat less"
    )
