"""Single stages from files to files."""

from pathlib import Path

import numpy as np

from gliocast.core import Density, Monitor
from gliocast.data import read_labels, read_volume, whole_folder, write_like
from gliocast.pipeline.maps import read_anatomy, require_fractions
from gliocast.pipeline.record import plan_table, write_json
from gliocast.planning import PlanComparison, compare_plans, gross_tumor_volume, make_plan
from gliocast.planning.margins import require_margin


def plan_to_folder(
    out: Path,
    *,
    density: Path,
    segmentation: Path,
    tissue: tuple[Path, Path, Path],
    labels: str | None,
    margin_mm: float,
    monitor: Monitor,
) -> PlanComparison:
    """Plan target volumes from files and write them with their comparison.

    Args:
        out: folder to write.
        density: tumor-cell density in [0, 1].
        segmentation: tumor segmentation.
        tissue: probabilities of white matter, gray matter and fluid.
        labels: label schema, None to guess it.
        margin_mm: uniform margin of the standard CTV [mm].
        monitor: watches.
    """
    require_margin(margin_mm)
    with whole_folder(out) as folder:
        monitor.begin("read")
        volume = read_volume(density, "density")
        require_fractions(volume, "density")
        label_map, warnings = read_labels(segmentation, labels)
        for warning in warnings:
            monitor.note(f"warning: {warning}")
        anatomy = read_anatomy(*tissue)
        anatomy.grid.require_same(volume.grid, "density")
        anatomy.grid.require_same(label_map.grid, "segmentation")
        monitor.begin("plan")
        expected = Density(volume.data, volume.grid)
        _, note = gross_tumor_volume(label_map)
        if note:
            monitor.note(f"warning: {note}")
        plan = make_plan(label_map, anatomy, expected, margin_mm=margin_mm)
        comparison = compare_plans(plan, expected, label_map)
        monitor.begin("write")
        for name, mask in plan.volumes.items():
            write_like(folder / f"{name}.nii.gz", mask.astype(np.uint8), density)
        write_json(folder / "plan.json", plan_table(comparison, margin_mm))
    return comparison
