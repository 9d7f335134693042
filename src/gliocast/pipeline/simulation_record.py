"""What is written down of a simulation: model, numbers, start, treatments, and what came out on each day."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from gliocast.core import RESEARCH_NOTICE, Chemotherapy, Density, Radiotherapy, Resection, Treatment
from gliocast.core.grid import MM3_PER_ML
from gliocast.growth import DensityMap, GaussianSeed, PointSeed
from gliocast.pipeline.choices import Choices
from gliocast.pipeline.experiment import Experiment

#: Densities above which volumes are given [1]: far ahead of what scans show, about where FLAIR begins to, and inside of
#: what T1c shows.
VOLUME_LEVELS = (0.01, 0.1, 0.8)

#: Libraries whose version can change a simulation.
_LIBRARIES = ("numpy", "scipy", "numba", "nibabel", "nilearn", "torch")


def measure(density: Density) -> dict[str, Any]:
    """Burden, volumes and radii of the balls of the same volume on one day."""
    volumes = {f"{level:g}": density.volume_above(level) for level in VOLUME_LEVELS}
    return {
        "day": density.day,
        "burden_ml": density.burden() / MM3_PER_ML,
        "volume_ml": {level: volume / MM3_PER_ML for level, volume in volumes.items()},
        "equivalent_radius_mm": {level: float(np.cbrt(3 * volume / (4 * np.pi))) for level, volume in volumes.items()},
    }


def simulation_record(
    experiment: Experiment, choices: Choices, measures: Sequence[dict[str, Any]], files: Sequence[str]
) -> dict[str, Any]:
    """Everything that a reader needs to repeat a simulation; no path, nothing that names a patient.

    Args:
        experiment: what was simulated.
        choices: what a person chose of it.
        measures: of each day, see `measure`.
        files: names of the other outputs; an older one of another name may lie in the same folder.
    """
    model = experiment.simulator.model
    parameters = {
        parameter.name: {
            "symbol": parameter.symbol,
            "unit": parameter.unit,
            "value": value,
            "typical": list(parameter.typical),
        }
        for parameter, value in zip(model.parameters, experiment.values, strict=False)
    }
    return {
        "notice": RESEARCH_NOTICE,
        "frame": "world coordinates RAS",
        "model": experiment.equation.name,
        "parameters": parameters,
        "diffusivity_ratio": choices.diffusivity_ratio,
        "anisotropy": choices.fibers.anisotropy,
        "start": _start(experiment, choices),
        "stop": _stop(choices),
        "treatments": [_treatment(entry) for entry in experiment.treatments],
        "days": list(measures),
        "files": list(files),
        "anatomy": experiment.atlas or "tissue maps",
        "inputs": experiment.inputs,
        "solver": {
            "backend": choices.backend,
            "device": choices.device,
            "dtype": experiment.simulator.dtype,
            "accuracy": experiment.simulator.accuracy,
        },
        "versions": {
            "gliocast": version("gliocast"),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def series_record(days: Sequence[float]) -> dict[str, Any]:
    """What the fourth axis of the images means."""
    return {
        "notice": RESEARCH_NOTICE,
        "axis": "fourth axis of every 4-D image of this folder: one volume for each of these days, before what is done "
        "to the tumor on that day",
        "unit": "d",
        "pixdim_4": "step in days where they are evenly spaced, else 0; NIfTI has no code for days, so that the "
        "header's unit of time is unknown",
        "days": list(days),
    }


def _start(experiment: Experiment, choices: Choices) -> dict[str, Any]:
    start = experiment.simulator.start
    seeds = [list(seed) for seed in choices.seeds]
    if isinstance(start, GaussianSeed):
        return {"kind": "gaussian", "seeds_mm": seeds, "width_mm": start.width, "peak": start.peak}
    if isinstance(start, PointSeed):
        return {"kind": "point", "seeds_mm": seeds, "mass_mm3": start.mass}
    assert isinstance(start, DensityMap)  # there is no other
    return {"kind": "density", "burden_ml": start.density.burden() / MM3_PER_ML}


def _stop(choices: Choices) -> dict[str, Any] | None:
    ending = choices.ending
    if ending.stop is None:
        return None
    return {"volume_ml": ending.until_volume, "diameter_mm": ending.until_diameter, "level": ending.stop_level}


def _treatment(entry: Treatment) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": entry.kind, "days": list(entry.days)}
    if isinstance(entry, Resection):
        volume = np.count_nonzero(entry.cavity.data) * entry.grid.voxel_volume
        said |= {"residual_fraction": entry.residual_fraction, "cavity_ml": float(volume) / MM3_PER_ML}
    elif isinstance(entry, Radiotherapy):
        highest = float(entry.dose.data.max())
        said |= {"highest_dose_gy": highest, "alpha": entry.alpha, "alpha_beta": entry.alpha_beta}
    elif isinstance(entry, Chemotherapy):
        said |= {"doses": list(entry.doses), "kill_rate": entry.kill_rate, "half_life": entry.half_life}
    return said
