"""What must be said beside a model's target, and where its volume alone would mislead."""

import numpy as np

from gliocast.core import Plan
from gliocast.core.volume import MM3_PER_ML
from gliocast.planning.guidelines import Guideline


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


def narrow_margin(guideline: Guideline, margin_mm: float) -> tuple[str, ...]:
    """A warning where targets are those of a margin below the guideline's own, the model's among them.

    Args:
        guideline: as it is published.
        margin_mm: GTV to CTV of the first phase, as it was chosen [mm].
    """
    if margin_mm >= guideline.margin_mm:
        return ()
    return (
        f"THE MARGIN OF {margin_mm:g} MM IS SMALLER THAN {guideline.title}'S ({guideline.margin_mm:g} mm)"
        ", and so is the model's target, which has the volume of that margin: it is no suggestion to treat less",
    )
