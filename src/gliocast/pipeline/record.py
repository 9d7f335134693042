"""What is written down beside the images: parameters with units, and how the run can be repeated."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from gliocast.core import RESEARCH_NOTICE, LabelMap
from gliocast.data import file_hash
from gliocast.data.atlas import load_mni152
from gliocast.inference.identifiability import parameters_at_bound, prior_ratios, uninformed_directions
from gliocast.pipeline.personalize import Findings, Options
from gliocast.problem import PredictiveCheck

#: Libraries whose version can change a result.
_LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "nibabel",
    "SimpleITK",
    "picsl_greedy",
    "cma",
    "nilearn",
    "torch",
    "zuko",
    "h5netcdf",
)


def parameters(findings: Findings, options: Options, truth: Mapping[str, float] | None) -> dict[str, Any]:
    """Parameters with units, spread and interval, and what follows from them."""
    posterior = findings.posterior
    rows: dict[str, Any] = {}
    intervals, ratios = posterior.interval(), prior_ratios(posterior, findings.prior)
    for column, parameter in enumerate(posterior.parameters):
        low, high = intervals[column]
        rows[parameter.name] = {
            "symbol": parameter.symbol,
            "unit": parameter.unit,
            "mode": float(posterior.mode[column]),
            "standard_deviation": float(posterior.standard_deviation[column]),
            "interval_95": [float(low), float(high)],
            "prior_ratio": float(ratios[column]),
            "typical": list(parameter.typical) if np.isfinite(parameter.typical).all() else None,
        }
        if truth is not None:
            rows[parameter.name]["truth"] = truth[parameter.name]
    estimate = findings.estimate
    length, number = estimate["diffusion_length"], estimate["growth_number"]
    derived = {
        "infiltration_length": {"symbol": "sqrt(D_w/rho)", "unit": "mm", "mode": length / number},
        "front_travel": {"symbol": "2 T sqrt(D_w rho)", "unit": "mm", "mode": 2 * length * number},
    }
    return {
        "notice": RESEARCH_NOTICE,
        "frame": "world coordinates RAS",
        "model": growth_model(options),
        "method": findings.fit.record(),
        "parameters": rows,
        "derived": derived,
        "fit": asdict(findings.misfit),
        "predictive_check": _predictive_check(findings.check),
        "identifiability": _identifiability(findings),
        "log_evidence": posterior.log_evidence,
        "effective_sample_size": posterior.effective_sample_size,
        "diagnostics": dict(posterior.diagnostics),
        "stages": {name: _finite(values) for name, values in posterior.stages.items()},
    }


def growth_model(options: Options) -> str:
    """The growth equation in words, with what is known of it."""
    if options.growth == "mass-effect":
        return f"mass effect, tumor pressure {options.tumor_pressure:g} kPa"
    return "Fisher-Kolmogorov"


def _predictive_check(check: PredictiveCheck) -> list[dict[str, Any]]:
    """What was observed among replicates, statistic by statistic."""
    return [
        {
            "quantity": statistic.name,
            "unit": statistic.unit,
            "observed": statistic.observed,
            "replicated_median": statistic.median,
            "replicated_interval_95": list(statistic.interval),
            "num_replicates": len(statistic.replicated),
            "p_value": statistic.p_value,
            "surprising": statistic.surprising,
        }
        for statistic in check.statistics
    ]


def _identifiability(findings: Findings) -> dict[str, Any]:
    """What the scan left open, and what was cut off by its range."""
    names = [parameter.name for parameter in findings.posterior.parameters]
    return {
        "uninformed": [
            {
                "combination": direction.name,
                "prior_ratio": direction.ratio,
                "loadings": dict(zip(names, direction.loadings.tolist(), strict=True)),
            }
            for direction in uninformed_directions(findings.posterior, findings.prior)
        ],
        "at_bound": [
            {"parameter": entry.parameter.name, "bound": entry.bound, "share": entry.share}
            for entry in parameters_at_bound(findings.posterior)
        ],
    }


def _finite(values: np.ndarray) -> list[float | None]:
    """Numbers for JSON, which has none that aren't finite."""
    return [float(value) if np.isfinite(value) else None for value in values]


def provenance(findings: Findings, options: Options) -> dict[str, Any]:
    """Versions, options and hashes: enough to repeat the run, nothing that names a patient."""
    sources = {modality: scan.path for modality, scan in findings.visit.scans.items()}
    sources["seg"] = findings.visit.labels.path
    inputs = {name: file_hash(path) for name, path in sources.items() if path is not None}
    return {
        "notice": RESEARCH_NOTICE,
        "command": command(options, findings.visit.labels),
        "versions": {
            "gliocast": version("gliocast"),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "options": asdict(options),
        "model": growth_model(options),
        "method": findings.fit.record(),
        "seed": options.seed,
        "warnings": list(findings.warnings),
        "label_schema": findings.visit.labels.schema.name,
        "inputs": inputs,
        "anatomy": {"atlas": load_mni152().name, "cached": findings.anatomy.cached, **asdict(findings.anatomy.quality)},
    }


#: Options as the command line writes them.
_FLAGS = {
    "margin_mm": "--margin",
    "diffusivity_ratio": "--diffusivity-ratio",
    "growth": "--growth",
    "tumor_pressure": "--pressure",
    "seed": "--seed",
    "method": "--method",
    "num_samples": "--samples",
    "num_densities": "--densities",
    "speed": "--speed",
}


def what_counts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a run that change its results, of all that `provenance` wrote down."""
    unread = {"resume", "keep_samples"}
    if options.get("growth") != "mass-effect":
        unread.add("tumor_pressure")
    if not options.get("forecast", True):
        unread.add("speed")
    return {name: value for name, value in options.items() if name not in unread}


def command(options: Options, labels: LabelMap) -> str:
    """The command that does the same with the same scans; `PATIENT` stands for their folder.

    Args:
        options: what was chosen.
        labels: the segmentation; where it came from a file, its schema is said.
    """
    words = ["gliocast run PATIENT"]
    unused = {*(() if options.known else ("tumor_pressure",)), *(() if options.forecast else ("speed",))}
    for name, flag in _FLAGS.items():
        value = getattr(options, name)
        if value is not None and name not in unused:
            words.append(f"{flag} {value:g}" if isinstance(value, float) else f"{flag} {value}")
    switches = ([] if options.resume else ["--fresh"]) + ([] if options.barriers else ["--no-barriers"])
    switches += [] if options.forecast else ["--no-forecast"]
    schema = [] if labels.path is None else [f"--labels {labels.schema.name}"]
    return " ".join([*words, *schema, *switches, *(["--keep-samples"] if options.keep_samples else [])])
