"""How far a step may carry, and what transport refuses before any work; arrays and tensors alike."""

import math
from typing import Any

from gliocast.core import ConvergenceError, InputError
from gliocast.growth.elasticity import Displacement

#: Share of a cell's volume that may flow out in one Euler step [1]: positivity needs 1/2, the rest is for rounding.
MAX_OUTFLOW = 0.48

#: A step that needs more substeps carries tissue farther than it can be meant to [1].
MAX_SUBSTEPS = 200


def check_transport(fields: Any, displacement: Displacement, spacing: tuple[float, float, float]) -> None:
    """Refuse fields and displacements that don't belong together.

    Raises:
        InputError: shapes or floating types that don't fit, numbers that aren't finite, flow through the walls, or a
            spacing that isn't positive.
    """
    kinds = {str(part.dtype).removeprefix("torch.") for part in (fields, *displacement.faces)}
    if len(kinds) != 1 or not kinds <= {"float32", "float64"}:
        raise InputError(
            "transport",
            expected="fields and displacement in float32, or both in float64",
            got=", ".join(sorted(kinds)),
            advice="convert them",
        )
    batches = {tuple(part.shape[:-3]) for part in displacement.faces}
    if fields.ndim < 4 or tuple(fields.shape[-3:]) != displacement.shape or batches != {tuple(fields.shape[:-4])}:
        raise InputError(
            "transport",
            expected="fields (k, nx, ny, nz) and a displacement on the faces of their grid",
            got=f"{tuple(fields.shape)} and a displacement on {displacement.shape}",
            advice="stack the fields along a first axis",
        )
    if not all(bool((abs(part) < math.inf).all()) for part in (fields, *displacement.faces)):
        raise InputError("transport", expected="finite numbers", got="others", advice="look where they come from")
    for axis, part in enumerate(displacement.faces):
        rest = (slice(None),) * (2 - axis)
        if bool((part[(..., slice(None, None, part.shape[axis - 3] - 1), *rest)] != 0).any()):
            raise InputError(
                "transport",
                expected="no flow through the walls",
                got=f"a displacement on the walls normal to axis {axis}",
                advice="set it to zero there",
            )
    if len(spacing) != 3 or not all(0 < step < math.inf for step in spacing):
        raise InputError(
            "spacing", expected="three positive lengths [mm]", got=f"{spacing}", advice="take the grid's own"
        )


def num_substeps(outflow: float) -> int:
    """Into how many steps to divide one by which cells would lose that share of their volume at most.

    Raises:
        ConvergenceError: more than any growth needs.
    """
    if outflow > MAX_OUTFLOW * MAX_SUBSTEPS:
        raise ConvergenceError(
            "transport",
            expected=f"a step that moves tissue by less than {MAX_OUTFLOW * MAX_SUBSTEPS:.0f} cells",
            got=f"{outflow:.3g}",
            advice="shorten the step, and check the units of displacement and spacing [mm]",
        )
    return max(1, math.ceil(outflow / MAX_OUTFLOW))
