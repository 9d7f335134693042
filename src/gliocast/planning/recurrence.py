r"""How much of a tumor's return the target volumes would have covered.

.. math:: \text{coverage} = \frac{|R \cap P|}{|R|}

with R what a later segmentation shows and P a plan made before, on one grid. Two recurrences are measured: "enhancing"
tumor, and "any" tumor (enhancing, necrotic and edema). The resection cavity is neither. Each is also measured inside
and outside of the gross tumor volume that was planned for, since all plans treat that and the margin is what differs.

Where there is no recurrence coverage has no value: such patients are counted and left out of means, never taken for
covered. (The published evaluation takes them for covered; `PlanEvaluation` shows both under its protocol.)

Source: PREDICT-GBM, arXiv 2509.13360, for the measure and both recurrences.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gliocast.core import Grid, LabelMap, Plan
from gliocast.core.volume import require_mask

#: What counts as recurrence.
ENDPOINTS = ("any", "enhancing")

#: Where it is looked for.
ZONES = ("", " inside GTV", " outside GTV")

#: All that is measured of a plan, by name.
MEASURES = tuple(endpoint + zone for endpoint in ENDPOINTS for zone in ZONES)


@dataclass(frozen=True, eq=False)
class Recurrence:
    """Where a tumor has come back, on the grid that was planned on.

    Args:
        any: enhancing, necrotic and edematous tumor, bool.
        enhancing: enhancing tumor, bool; None where the source doesn't tell it apart.
        grid: where they lie.
    """

    any: np.ndarray
    enhancing: np.ndarray | None
    grid: Grid

    def __post_init__(self) -> None:
        for name in ENDPOINTS:
            mask = getattr(self, name)
            if mask is not None:
                require_mask(mask, self.grid, f"{name} recurrence")

    @classmethod
    def of(cls, labels: LabelMap) -> "Recurrence":
        """What a segmentation of a later day shows."""
        return cls(labels.whole, labels.enhancing, labels.grid)


@dataclass(frozen=True)
class Coverage:
    """What the plans cover of one recurrence.

    Args:
        recurrence_ml: its volume [ml]; None where the source doesn't tell it apart.
        covered: share of it that each plan covers, by plan [1]; None where there is none.
    """

    recurrence_ml: float | None
    covered: Mapping[str, float | None]


def recurrence_coverage(recurrence: Recurrence, plan: Plan) -> dict[str, Coverage]:
    """Coverage of each measure (`MEASURES`) by every volume of a plan but its ``gtv``.

    Args:
        recurrence: on the plan's grid.
        plan: with ``gtv`` and the volumes to compare.

    Raises:
        InputError: the grids differ.
    """
    plan.grid.require_same(recurrence.grid, "recurrence")
    gtv = plan["gtv"]
    rivals = {name: mask for name, mask in plan.volumes.items() if name != "gtv"}
    found = {}
    for endpoint in ENDPOINTS:
        mask = getattr(recurrence, endpoint)
        for zone in ZONES:
            if mask is None:
                found[endpoint + zone] = Coverage(None, dict.fromkeys(rivals))
                continue
            part = {"": mask, ZONES[1]: mask & gtv, ZONES[2]: mask & ~gtv}[zone]
            found[endpoint + zone] = _coverage(part, rivals, plan.grid)
    return found


def _coverage(mask: np.ndarray, rivals: Mapping[str, np.ndarray], grid: Grid) -> Coverage:
    num_voxels = int(np.count_nonzero(mask))
    covered = {
        # one denominator for all plans: equal counts are equal shares, to the bit
        name: int(np.count_nonzero(mask & volume)) / num_voxels if num_voxels else None
        for name, volume in rivals.items()
    }
    return Coverage(num_voxels * grid.voxel_ml, covered)
