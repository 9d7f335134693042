"""Falx and tentorium: sheets of dura that no tumor grows through, and no margin passes.

Guidelines crop the clinical target volume at skull, ventricles, falx and tentorium, and leave the corpus callosum and
the peduncles open (Niyazi et al. 2023, who crop at brain stem and chiasm, too, where the tumor is far from the tracts
that lead there; that is left to a person here). Skull and ventricles crop what is inside of them; tumor cells do get
around a ventricle, through the tissue next to it, and no guideline asks for a longer way there, so that those two are
no walls here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gliocast.anatomy import Correspondence
from gliocast.anatomy.dura import dura_of
from gliocast.core import Grid, InputError
from gliocast.core.volume import require_mask
from gliocast.data.atlas import Atlas


@dataclass(frozen=True, eq=False)
class Barriers:
    """What a margin doesn't pass through.

    Args:
        masks: bool masks by name, ``falx`` and ``tentorium``; closed under diagonal neighbors, or they leak.
        grid: where they lie.

    Raises:
        InputError: there is none, one is empty, or a shape doesn't fit.
    """

    masks: Mapping[str, np.ndarray]
    grid: Grid

    def __post_init__(self) -> None:
        if not self.masks:
            raise InputError("barriers", expected="falx or tentorium", got="neither", advice="pass a mask, or None")
        for name, mask in self.masks.items():
            require_mask(mask, self.grid, name)
            if not mask.any():
                raise InputError(
                    name, expected="at least one voxel", got="none", advice="pass the sheet's mask, or leave it out"
                )

    @cached_property
    def wall(self) -> np.ndarray:
        """All of them together, bool."""
        return np.logical_or.reduce(list(self.masks.values()))

    def sentence(self, gtv: np.ndarray) -> str | None:
        """What a person should know where the gross tumor volume lies in a barrier; None where it doesn't.

        A tumor pushes the falx aside farther than a registration with the lesion masked out sees, and may have grown
        through the corpus callosum right below it. The barrier is open there: the target comes out larger, not smaller.
        """
        crossed = [name for name, mask in self.masks.items() if (mask & gtv).any()]
        if not crossed:
            return None
        volume = float(np.count_nonzero(self.wall & gtv)) * self.grid.voxel_ml
        return (
            f"the gross tumor volume lies in the {' and the '.join(crossed)} ({volume:.2f} ml), which a mass may have "
            "pushed aside: check where the target is cropped there"
        )


def barriers_from_atlas(atlas: Atlas, correspondence: Correspondence, grid: Grid) -> Barriers | None:
    """Falx and tentorium of an atlas on a patient, as far as they lie in the field of view; None where neither does.

    Args:
        atlas: in MNI's frame.
        correspondence: of the patient, from the registration behind the tissue maps.
        grid: the patient's.
    """
    falx, tentorium = dura_of(atlas).on_patient(correspondence, grid)
    masks = {name: mask for name, mask in (("falx", falx), ("tentorium", tentorium)) if mask.any()}
    return Barriers(masks, grid) if masks else None
