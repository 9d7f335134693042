"""Single stages from files to files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.core import Density, Grid, InputError, Monitor
from gliocast.data import (
    Naming,
    read_density_series,
    read_integers,
    read_labels,
    read_volume,
    whole_results,
    write_like,
)
from gliocast.pipeline.maps import read_anatomy, require_fractions
from gliocast.pipeline.plan_targets import PlannedTargets, TargetChoices, plan_record, plan_targets
from gliocast.pipeline.record import write_json
from gliocast.planning import Barriers, PlanComparison, SampledDensity, compare_plans, gross_tumor_volume


@dataclass(frozen=True)
class PlanFiles:
    """What a plan is made of.

    Args:
        density: tumor-cell density in [0, 1].
        segmentation: tumor segmentation.
        tissue: probabilities of white matter, gray matter and fluid.
        falx: mask, if known.
        tentorium: mask, if known.
        samples: posterior samples of the density, a 4-D image on any grid of the same world; with coverage alone.
    """

    density: Path
    segmentation: Path
    tissue: tuple[Path, Path, Path]
    falx: Path | None = None
    tentorium: Path | None = None
    samples: Path | None = None

    @property
    def by_name(self) -> dict[str, Path | None]:
        """All but the samples by plain name, as `gliocast run` writes them."""
        white_matter, gray_matter, csf = self.tissue
        return {
            "density": self.density,
            "segmentation": self.segmentation,
            "white_matter": white_matter,
            "gray_matter": gray_matter,
            "csf": csf,
            "falx": self.falx,
            "tentorium": self.tentorium,
        }


def plan_to_folder(
    out: Path,
    files: PlanFiles,
    choices: TargetChoices | None = None,
    *,
    labels: str | None,
    naming: Naming | None = None,
    monitor: Monitor,
) -> tuple[PlannedTargets, PlanComparison]:
    """Plan target volumes from files and write them with their comparison.

    Args:
        out: folder to write.
        files: to read.
        choices: which targets; None for ESTRO-EANO 2023 and the model's of the same volume.
        labels: label schema, None to guess it.
        naming: of the targets in a BIDS derivatives dataset; None for gliocast's own layout.
        monitor: watches.
    """
    choices, inputs = choices or TargetChoices(), files.by_name
    subject = naming.of(inputs.values()) if naming is not None else None
    with whole_results(out, subject, inputs=inputs.values()) as results:
        monitor.begin("read")
        volume = read_volume(files.density, "density")
        require_fractions(volume, "density")
        label_map, warnings = read_labels(files.segmentation, labels)
        for warning in warnings:
            monitor.note(f"warning: {warning}")
        anatomy = read_anatomy(*files.tissue)
        anatomy.grid.require_same(volume.grid, "density")
        anatomy.grid.require_same(label_map.grid, "segmentation")
        barriers = read_barriers(anatomy.grid, falx=files.falx, tentorium=files.tentorium)
        if barriers is None:
            monitor.note("planned without falx and tentorium: margins go straight through")
        monitor.begin("plan")
        expected = Density(volume.data, volume.grid)
        _, note = gross_tumor_volume(label_map)
        if note:
            monitor.note(f"warning: {note}")
        path = files.samples
        samples = None if path is None else lambda: read_samples(path)
        planned = plan_targets(label_map, anatomy, expected, choices, barriers=barriers, samples=samples)
        comparison = compare_plans(planned.plan, expected, label_map)
        monitor.begin("write")
        images = {f"{name}.nii.gz": mask for name, mask in planned.plan.volumes.items()}
        for name, mask in images.items():
            write_like(results.path(name), mask.astype(np.uint8), files.density)
        results.describe(images, inputs=inputs)
        write_json(results.path("plan.json"), plan_record(planned, comparison, results))
    return planned, comparison


def read_barriers(grid: Grid, *, falx: Path | None, tentorium: Path | None) -> Barriers | None:
    """Masks of falx and tentorium from files, all that isn't zero; None where there is neither.

    Raises:
        InputError: as `read_integers`, or one is empty or on another grid.
    """
    masks = {}
    for name, path in (("falx", falx), ("tentorium", tentorium)):
        if path is not None:
            mask = read_integers(path, name)
            grid.require_same(mask.grid, name)
            masks[name] = mask.data != 0
    return Barriers(masks, grid) if masks else None


def read_samples(path: Path) -> SampledDensity:
    """Posterior samples of the density from a 4-D image.

    Raises:
        InputError: as `read_density_series`, or values outside of [0, 1].
    """
    series = read_density_series(path, "density samples")

    def densities() -> Iterator[Density]:
        for values in series:
            if values.min() < 0 or values.max() > 1:
                raise InputError(
                    "density samples",
                    expected="values in [0, 1]",
                    got=f"{values.min():g} to {values.max():g}",
                    advice="pass fractions, not intensities",
                )
            yield Density(values, series.grid)

    return SampledDensity.of(densities())
