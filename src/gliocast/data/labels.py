"""Segmentations from files: which numbers they use, and whether they can mean what the schema says."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from gliocast.core import SCHEMAS, InputError, LabelMap, LabelSchema, Volume
from gliocast.data.folders import printable
from gliocast.data.nifti import file_label, read_integers

#: Compartments smaller than this many voxels say nothing about which is which.
MIN_VOXELS = 10
#: Probability that a voxel of one compartment exceeds one of the other, above which the order is taken as seen and
#: below the complement of which as contradicted. In tcga-fg-6692 necrosis exceeds enhancing tumor on T1c with
#: probability 0.017, and 0.983 with the labels swapped.
SEEN = 0.6
#: The same for the depth inside the core, which is a weak sign: the same tumor has 0.53, 0.47 swapped.
DEEPER = 0.75

#: Unknown numbers quoted in an error message.
MAX_NUMBERS = 8


def read_labels(path: Path, schema_name: str | None = None) -> tuple[LabelMap, tuple[str, ...]]:
    """Read a tumor segmentation.

    Args:
        path: a NIfTI file of whole numbers.
        schema_name: one of `gliocast.core.SCHEMAS`; None guesses it from the numbers, with a warning.

    Returns:
        The labels as uint8, and warnings.

    Raises:
        InputError: as `read_volume`; or fractional, unknown or only background labels; or an unknown schema.
    """
    named = None if schema_name is None else require_schema(schema_name)
    volume = read_integers(path, "seg")
    label = file_label(path, "seg")
    present = [int(value) for value in np.unique(volume.data) if value != 0]
    if not present:
        raise InputError(label, expected="a tumor", got="only background (0)", advice="segment the tumor first")
    schema = named or guess_schema(present)
    unknown = [value for value in present if value not in schema.values]
    if unknown:
        known = "; ".join(str(candidate) for candidate in SCHEMAS.values())
        numbers = ", ".join(str(value) for value in unknown[:MAX_NUMBERS]) + ("..." if unknown[MAX_NUMBERS:] else "")
        raise InputError(
            label,
            expected=f"0 and the labels of {schema}",
            got=f"also {numbers}",
            advice=f"pass the right schema with --labels or renumber the file; there are {known}",
        )
    warnings: tuple[str, ...] = ()
    if schema_name is None:
        numbers = ", ".join(str(value) for value in present)
        warnings = (f"labels {numbers} taken as {schema}; if they mean something else, say so with --labels",)
    return LabelMap(volume.data.astype(np.uint8), volume.grid, schema, Path(path)), warnings


def require_schema(name: str) -> LabelSchema:
    """The schema of a name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in SCHEMAS:
        raise InputError(
            "label schema",
            expected=f"one of {', '.join(SCHEMAS)}",
            got=printable(name) or "nothing",
            advice="pick one with --labels",
        )
    return SCHEMAS[name]


def swap_warning(labels: LabelMap, t1c: Volume) -> str | None:
    """Say so if the labels of necrosis and enhancing tumor look swapped.

    Contrast agent is what defines enhancing tumor, so T1c decides: "necrosis" brighter than "enhancing" is a swap,
    clearly darker is none. Only where T1c can't tell them apart does the geometry count: enhancing tumor is the rim,
    and lies less deep inside the core [mm] than necrosis. Geometry alone would not do, since non-enhancing tumor shares
    the label of necrosis and often lies outside of the rim.
    """
    labels.grid.require_same(t1c.grid, "t1c")
    necrosis, enhancing = labels.necrosis, labels.enhancing
    if min(np.count_nonzero(necrosis), np.count_nonzero(enhancing)) < MIN_VOXELS:
        return None
    box = ndimage.find_objects(labels.core.astype(np.uint8))[0]
    necrosis, enhancing, intensity = necrosis[box], enhancing[box], t1c.data[box]
    brighter = _probability_above(intensity[necrosis], intensity[enhancing])
    padded = np.pad(necrosis | enhancing, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=labels.grid.spacing)[1:-1, 1:-1, 1:-1]
    deeper = _probability_above(depth[enhancing], depth[necrosis])
    if brighter <= SEEN and not (brighter >= 1 - SEEN and deeper >= DEEPER):
        return None
    schema, sign = labels.schema, "is brighter on T1c than" if brighter > SEEN else "lies around"
    return (
        f"enhancing and necrosis look swapped: what {schema.name} calls necrosis (label {schema.necrosis}) {sign} "
        f"what it calls enhancing (label {schema.enhancing}); check the label schema (--labels)"
    )


def guess_schema(present: list[int]) -> LabelSchema:
    """The schema whose numbers these are; enhancing tumor was 4 until 2021, then 3, and 4 the cavity since 2024.

    What is guessed of several files together is surer: where nothing enhances any more, 4 may be a cavity.
    """
    if 3 not in present:
        return SCHEMAS["brats-2021"]
    return SCHEMAS["brats-2024" if 4 in present else "brats-2023"]


def _probability_above(values: np.ndarray, others: np.ndarray) -> float:
    """Probability that a random element of `values` exceeds one of `others`, ties counted half (Mann and Whitney)."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, "left").mean() + np.searchsorted(ordered, values, "right").mean()
    return float(below) / (2 * len(others))
