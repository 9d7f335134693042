"""Single stages from files to files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gliocast.cohort import atlas_anatomy
from gliocast.core import Anatomy, Density, InputError, Monitor, Volume
from gliocast.data import read_labels, read_volume, whole_file, whole_folder, write_like, write_volume
from gliocast.data.atlas import load_mni152
from gliocast.growth import FisherKolmogorov, Simulator
from gliocast.pipeline.record import plan_table, write_json
from gliocast.planning import PlanComparison, compare_plans, gross_tumor_volume, make_plan
from gliocast.planning.margins import require_margin

#: Where white and gray matter and fluid together reach this share, the brain begins [1].
_BRAIN_SHARE = 0.5


def grow_to_file(
    out: Path,
    *,
    values: Sequence[float],
    days: float,
    white_matter: Path | None,
    gray_matter: Path | None,
    diffusivity_ratio: float,
    monitor: Monitor,
) -> Density:
    """Grow a tumor in tissue maps, or in the atlas where there are none, and write its density.

    Args:
        out: file to write.
        values: diffusivity [mm^2/d], proliferation rate [1/d], seed x, y, z [mm, RAS].
        days: time of growth [d].
        white_matter: probability map, or None.
        gray_matter: probability map, or None.
        diffusivity_ratio: white over gray matter [1].
        monitor: watches.
    """
    if not out.name.endswith(".nii.gz"):
        raise InputError(
            "output", expected="a name ending in .nii.gz", got=out.name or "a folder", advice="add the ending"
        )
    with whole_file(out) as path:
        monitor.begin("read")
        if white_matter is None and gray_matter is None:
            anatomy = atlas_anatomy(load_mni152())
        elif white_matter is not None and gray_matter is not None:
            anatomy = _read_anatomy(white_matter, gray_matter)
        else:
            raise InputError(
                "tissue maps",
                expected="both --white-matter and --gray-matter, or neither",
                got="one of them",
                advice="give the other one, too",
            )
        monitor.begin("growth")
        simulator = Simulator(FisherKolmogorov(diffusivity_ratio), progress=monitor.advance)
        density = simulator(values, anatomy, days=[days])[0]
        monitor.begin("write")
        if white_matter is None:
            write_volume(path, density.data, density.grid)
        else:
            write_like(path, density.data, white_matter)
    return density


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
        _require_fractions(volume, "density")
        label_map, warnings = read_labels(segmentation, labels)
        for warning in warnings:
            monitor.note(f"warning: {warning}")
        anatomy = _read_anatomy(*tissue)
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


def _read_anatomy(white_matter: Path, gray_matter: Path, csf: Path | None = None) -> Anatomy:
    """Tissue maps from files; fluid is the rest of nothing where it isn't given."""
    white, gray = read_volume(white_matter, "white matter"), read_volume(gray_matter, "gray matter")
    fluid = read_volume(csf, "csf") if csf is not None else Volume(np.zeros_like(white.data), white.grid)
    for name, volume in (("white matter", white), ("gray matter", gray), ("csf", fluid)):
        _require_fractions(volume, name)
        white.grid.require_same(volume.grid, name)
    brain = white.data + gray.data + fluid.data >= _BRAIN_SHARE
    return Anatomy(white.data, gray.data, fluid.data, brain, white.grid)


def _require_fractions(volume: Volume, subject: str) -> None:
    low, high = float(volume.data.min()), float(volume.data.max())
    if low < 0 or high > 1.001:  # a rounding step of files that store bytes
        raise InputError(
            subject, expected="values in [0, 1]", got=f"{low:g} to {high:g}", advice="pass fractions, not intensities"
        )
