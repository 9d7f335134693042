"""What must be said beside a model's target, and where its volume alone would mislead."""

from collections.abc import Iterable, Mapping
from operator import itemgetter

import numpy as np

from gliocast.core import Anatomy, Density, Grid, LabelMap, Plan
from gliocast.core.grid import MM3_PER_ML
from gliocast.planning.guidelines import Guideline
from gliocast.planning.refined import end_of_margin

#: Probability above which a voxel is taken for fluid [1], and the share of cells there that is worth a word [1].
_MOSTLY, _STRAY = 0.5, 0.005

#: Volumes below this aren't told by number [ml].
_TINY_ML = 0.01

#: Share of a voxel by which a margin may miss a center and still count as reaching it [1].
_ROUNDING = 1e-6

#: How much of a margin voxels may cost before that is worth a word: below both [mm], and as a share of the margin [1].
_COST_MM, _COST_SHARE = 1.0, 0.25


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
        volume = left_out / MM3_PER_ML
        shown = f"{volume:.2f}" if volume >= _TINY_ML else f"less than {_TINY_ML:g}"
        found.append(f"the model's target leaves out {shown} ml of the gross tumor volume, which no target may omit")
    return tuple(found)


def cut_off_warning(plan: Plan) -> str | None:
    """What is said where a target reaches the edge of the image: whatever lies beyond is missing from it."""
    found = [name for name, mask in plan.volumes.items() if _touches_edge(mask)]
    if not found:
        return None
    return f"the edge of the image cuts off {', '.join(found)}: plan on a scan that shows more of the head"


def _touches_edge(mask: np.ndarray) -> bool:
    return any(bool(np.take(mask, (0, -1), axis).any()) for axis in range(mask.ndim))


def coarse_grid_warning(grid: Grid, ctv_margins_mm: Iterable[float], ptv_margin_mm: float) -> str | None:
    """What is said where voxels are so far apart that a margin ends well before or beyond its length along an axis.

    A margin holds the voxels whose centers it reaches, so that along an axis it ends at a whole number of voxels.

    Args:
        grid: of the plan.
        ctv_margins_mm: GTV to CTV, of every phase [mm].
        ptv_margin_mm: CTV to PTV [mm].
    """
    margins = [*(("CTV", margin) for margin in dict.fromkeys(ctv_margins_mm)), ("PTV", ptv_margin_mm)]
    found = []
    apart = [f"{spacing:.4g}" for spacing in grid.spacing]  # without what a header's float32 adds
    for shown, spacing in sorted(dict(zip(apart, grid.spacing, strict=True)).items(), key=itemgetter(1), reverse=True):
        ended = [(name, margin, end_of_margin(margin, spacing)) for name, margin in margins]
        off = [(name, margin, end) for name, margin, end in ended if _is_off(margin, end)]
        if off:
            (name, margin, end), *others = off
            ends = [f"the {name}'s margin of {margin:g} mm ends at {end:.3g} mm"]
            ends += [f"the {name}'s of {margin:g} mm at {end:.3g} mm" for name, margin, end in others]
            kind = "slices" if apart.count(shown) == 1 and spacing == max(grid.spacing) else "voxels"
            found.append(f"{kind} of {shown} mm {', '.join(ends)}")
    if not found:
        return None
    return f"on {', on '.join(found)}: plan on a finer scan, or grow the margins in the planning system"


def _is_off(margin: float, end: float) -> bool:
    """Whether what a margin lacks, or has too much, is worth a word."""
    off = abs(margin - end)
    return off >= _COST_MM * (1 - _ROUNDING) or off > _COST_SHARE * margin


def uncertain_coverage_warning(asked: float, reached: float | None) -> str | None:
    """What is said where smoothing left a coverage target less sure to cover its share than was asked for.

    Args:
        asked: posterior probability in (0, 1).
        reached: by the target as it is written; None for one that isn't about coverage.
    """
    if reached is None or reached >= asked - _ROUNDING:
        return None
    return (
        f"the model's target covers its share of the tumor cells with a probability of {reached:.3g} instead of "
        f"{asked:.3g}, which smoothing costs: smooth less, or ask for more"
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
