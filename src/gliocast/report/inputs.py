"""What a report says of its inputs: scans, what labels mean, how well the atlas lies on them."""

import numpy as np

from gliocast.core import MODALITIES, Grid
from gliocast.core.grid import MM3_PER_ML
from gliocast.report.content import ReportContent
from gliocast.report.montage import SCAN_NAMES
from gliocast.report.slices import Frame
from gliocast.report.tables import items, number, scrub

#: Labels as people read them.
LABEL_NAMES = {
    "necrosis": "necrosis and non-enhancing core",
    "edema": "edema and infiltrated tissue",
    "enhancing": "enhancing tumor",
    "cavity": "resection cavity",
}


def label_table(content: ReportContent) -> list[tuple[str, str, str]]:
    """Rows of (number in the segmentation, what it was taken for, its volume)."""
    labels = content.visit.labels
    volumes = labels.volumes()
    rows = []
    for name in ("necrosis", "edema", "enhancing", "cavity"):
        value = getattr(labels.schema, name)
        if value is not None:
            rows.append((f"{value}", LABEL_NAMES[name], f"{number(volumes[name] / MM3_PER_ML)} ml"))
    return sorted(rows)


def input_table(content: ReportContent) -> list[tuple[str, str]]:
    """Rows of (what, value): scans, grid, and where the segmentation comes from."""
    visit, given = content.visit, dict(items(content.provenance.get("inputs")))
    grid = visit.grid
    size = " x ".join(str(n) for n in grid.shape)
    spacing = " x ".join(f"{h:.3g}" for h in grid.spacing)
    scans = [name for name in MODALITIES if name in (given or visit.scans)]
    segmented = "given" if "seg" in given else "made with the patient" if content.synthetic else "by gliocast's network"
    return [
        ("Scans" if given else "Scans shown", ", ".join(SCAN_NAMES[name] for name in scans)),
        ("Grid", f"{size} voxels of {spacing} mm, stored as {orientation(grid)}"),
        ("Brain mask", f"{number(float(np.count_nonzero(visit.brain)) * grid.voxel_ml, 4)} ml"),
        ("Segmentation", f"{segmented}, read as {visit.labels.schema.name}"),
    ]


def orientation(grid: Grid) -> str:
    """Where the array's axes run to, such as LPS."""
    frame = Frame.of(grid)
    letters = [""] * 3
    for ras, (axis, flip) in enumerate(zip(frame.order, frame.flip, strict=True)):
        letters[axis] = ("LPI" if flip else "RAS")[ras]
    return "".join(letters)


def registration_table(content: ReportContent) -> list[tuple[str, str]]:
    """Rows of (what, value): how well the atlas lies on the T1; none where it isn't known."""
    found = content.provenance.get("anatomy") or {}
    rows = [("Atlas", scrub(str(found["atlas"])))] if "atlas" in found else []
    for key, name in (("correlation", "Intensity correlation outside the lesion"), ("dice", "Dice of the brain masks")):
        if key in found:
            rows.append((name, f"{found[key]:.3f}"))
    return rows
