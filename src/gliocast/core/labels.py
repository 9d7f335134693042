"""Tumor segmentations and what their numbers mean."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.core.grid import Grid
from gliocast.core.volume import require_shape


@dataclass(frozen=True)
class LabelSchema:
    """Which number stands for which compartment; None where a schema has no such compartment.

    Args:
        name: as the user writes it (``--labels``).
        necrosis: necrotic and non-enhancing tumor core.
        edema: edema and infiltrated tissue around the core (FLAIR abnormality).
        enhancing: contrast-enhancing tumor.
        cavity: resection cavity.
    """

    name: str
    necrosis: int
    edema: int
    enhancing: int
    cavity: int | None = None

    @property
    def values(self) -> tuple[int, ...]:
        """Every number that the schema gives a meaning, background (0) left out."""
        present = (self.necrosis, self.edema, self.enhancing, self.cavity)
        return tuple(sorted(value for value in present if value is not None))

    def __str__(self) -> str:
        cavity = "" if self.cavity is None else f", {self.cavity} resection cavity"
        return f"{self.name} ({self.necrosis} necrosis, {self.edema} edema, {self.enhancing} enhancing{cavity})"


#: The schemas that public data sets use. BraTS renumbered the enhancing tumor in 2023 and gave 4 to the cavity in 2024;
#: some public sets swap enhancing and necrosis.
SCHEMAS = {
    schema.name: schema
    for schema in (
        LabelSchema("brats-2021", necrosis=1, edema=2, enhancing=4),
        LabelSchema("brats-2023", necrosis=1, edema=2, enhancing=3),
        LabelSchema("brats-2024", necrosis=1, edema=2, enhancing=3, cavity=4),
        LabelSchema("swapped", necrosis=4, edema=2, enhancing=1),
    )
}


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A segmentation: integer `data` on `grid`, read through a named schema; `path` is its file, if there is one."""

    data: np.ndarray
    grid: Grid
    schema: LabelSchema
    path: Path | None = None

    def __post_init__(self) -> None:
        require_shape(self.data, self.grid, "segmentation")

    def _is(self, *values: int | None) -> np.ndarray:
        return np.isin(self.data, [value for value in values if value is not None])

    @property
    def core(self) -> np.ndarray:
        """Tumor core as T1c shows it: necrosis and enhancing tumor, bool."""
        return self._is(self.schema.necrosis, self.schema.enhancing)

    @property
    def whole(self) -> np.ndarray:
        """Whole tumor as FLAIR shows it: core and edema (the resection cavity is not tumor), bool."""
        return self._is(self.schema.necrosis, self.schema.enhancing, self.schema.edema)

    @property
    def necrosis(self) -> np.ndarray:
        """Necrotic and non-enhancing core, bool."""
        return self._is(self.schema.necrosis)

    @property
    def enhancing(self) -> np.ndarray:
        """Contrast-enhancing tumor, bool."""
        return self._is(self.schema.enhancing)

    @property
    def edema(self) -> np.ndarray:
        """Edema and infiltrated tissue, bool."""
        return self._is(self.schema.edema)

    @property
    def cavity(self) -> np.ndarray:
        """Resection cavity, bool."""
        return self._is(self.schema.cavity)

    @property
    def lesion(self) -> np.ndarray:
        """Everything the disease or the surgeon changed, bool."""
        return self._is(*self.schema.values)

    def volumes(self) -> dict[str, float]:
        """Volume of each compartment of the schema [mm^3]."""
        parts = {"necrosis": self.necrosis, "edema": self.edema, "enhancing": self.enhancing, "cavity": self.cavity}
        return {name: float(mask.sum()) * self.grid.voxel_volume for name, mask in parts.items()}
