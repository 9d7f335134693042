"""Single stages from files to files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.core import Anatomy, Density, InputError, Monitor
from gliocast.data import (
    Naming,
    Results,
    lay_out,
    read_density_series,
    read_integers,
    read_labels,
    read_volume,
    whole_results,
    write_json,
    write_like,
)
from gliocast.data.folders import printable
from gliocast.data.nifti import file_label
from gliocast.data.patient import lesion_warnings
from gliocast.data.results import PLAN
from gliocast.pipeline.maps import read_anatomy, require_cells, require_fractions
from gliocast.pipeline.plan_origin import find_origin, strangers
from gliocast.pipeline.plan_targets import PlannedTargets, TargetChoices, plan_record, plan_targets
from gliocast.planning import Barriers, PlanComparison, SampledDensity, compare_plans

#: No falx or tentorium fills more of a brain than this, however thick the voxels [1].
_LARGEST_BARRIER = 0.2

#: What every run writes, and nothing else.
_OF_A_RUN = "provenance.json"

#: Picture of a plan.
PICTURE = "figures/plan.png"


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
        return {"density": self.density, "segmentation": self.segmentation, **self.beside}

    @property
    def beside(self) -> dict[str, Path | None]:
        """Those that `gliocast run` writes beside the density, by plain name."""
        white_matter, gray_matter, csf = self.tissue
        return {
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
        monitor: watches, and is told what no one may miss.

    Raises:
        InputError: a file that can't be used, files that aren't of one patient, targets that can't be planned; samples
            without a coverage target, or the other way round; a run's results where the plan would lie.
    """
    choices, inputs = choices or TargetChoices(), files.by_name
    subject = naming.of(inputs.values()) if naming is not None else None
    _require_samples(files, choices)
    with whole_results(out, subject, inputs=inputs.values()) as results:
        _require_no_run(lay_out(out, subject))
        monitor.begin("read")
        volume = read_volume(files.density, "density")
        require_fractions(volume, "density")
        label_map, guessed = read_labels(files.segmentation, labels)
        for warning in guessed:
            monitor.note(f"warning: {warning}")
        anatomy = read_anatomy(*files.tissue)
        anatomy.grid.require_same(volume.grid, "density")
        anatomy.grid.require_same(label_map.grid, "segmentation")
        outside = lesion_warnings(label_map, anatomy.brain, file_label(files.segmentation, "seg"))
        require_cells(volume, label_map)
        alarms = (*outside, *strangers(files.density, files.segmentation, files.beside))
        barriers = read_barriers(anatomy, falx=files.falx, tentorium=files.tentorium)
        if barriers is None:
            monitor.note("planned without falx and tentorium: margins go straight through")
        monitor.begin("plan")
        expected = Density(volume.data, volume.grid)
        path = files.samples
        samples = None if path is None else lambda: read_samples(path)
        planned = plan_targets(
            *(label_map, anatomy, expected, choices), barriers=barriers, samples=samples, alarms=alarms, notes=guessed
        )
        comparison = compare_plans(planned.plan, expected, label_map)
        monitor.begin("write")
        images = {f"{name}.nii.gz": mask for name, mask in planned.plan.volumes.items()}
        for name, mask in images.items():
            write_like(results.path(name), mask.astype(np.uint8), files.density)
        results.describe(images, inputs=inputs)
        from gliocast.report.plan_picture import save_plan_picture  # matplotlib takes half a second to import

        results.path(PICTURE).parent.mkdir(exist_ok=True)
        save_plan_picture(results.path(PICTURE), planned.plan, expected, anatomy)
        origin = find_origin(files.density, files.segmentation)
        write_json(results.path(PLAN), plan_record(planned, comparison, results, origin))
    planned.say_alarms(monitor)
    return planned, comparison


def _require_no_run(results: Results) -> None:
    """Raise InputError where a run's results lie: its report would then show other targets than lie beside it."""
    if results.path(_OF_A_RUN).is_file():
        raise InputError(
            f"output {printable(results.folder.name or str(results.folder))}",
            expected="a folder for this plan",
            got="one with the results of a run, whose report shows its own targets",
            advice="pick another folder with --out",
        )


def _require_samples(files: PlanFiles, choices: TargetChoices) -> None:
    """Raise InputError for samples that nothing reads, and for none where they are needed."""
    if (files.samples is None) == (choices.model == "coverage"):
        raise InputError(
            "density samples",
            expected=f"{'those of the posterior' if files.samples is None else 'none'} with --model {choices.model}",
            got="none" if files.samples is None else "some",
            advice="pass --samples density_samples.nii.gz, which gliocast run --keep-samples writes"
            if files.samples is None
            else "leave --samples out, or plan with --model coverage",
        )


def read_barriers(anatomy: Anatomy, *, falx: Path | None, tentorium: Path | None) -> Barriers | None:
    """Masks of falx and tentorium from files, all that isn't zero; None where there is neither.

    Raises:
        InputError: as `read_integers`, or one is empty, on another grid or no sheet.
    """
    grid, brain = anatomy.grid, int(np.count_nonzero(anatomy.brain))
    masks = {}
    for name, path in (("falx", falx), ("tentorium", tentorium)):
        if path is not None:
            mask = read_integers(path, name)
            grid.require_same(mask.grid, name)
            masks[name] = mask.data != 0
            share = np.count_nonzero(masks[name] & anatomy.brain) / brain
            if share > _LARGEST_BARRIER:
                raise InputError(
                    file_label(path, name),
                    expected="a sheet, a few percent of the brain",
                    got=f"{share:.0%} of it",
                    advice="pass the mask of the falx or the tentorium alone",
                )
    return Barriers(masks, grid) if masks else None


def read_samples(path: Path) -> SampledDensity:
    """Posterior samples of the density from a 4-D image.

    Raises:
        InputError: as `read_density_series`, one sample alone, or values outside of [0, 1].
    """
    series = read_density_series(path, "density samples")
    if len(series) < 2:
        raise InputError(
            series.label,
            expected="several samples of the posterior, one after the other",
            got="one density",
            advice="pass density_samples.nii.gz, which gliocast run --keep-samples writes",
        )

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
