"""What is written down beside the images: parameters with units, and how the run can be repeated."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.core import RESEARCH_NOTICE
from gliocast.data import file_hash
from gliocast.data.atlas import load_mni152
from gliocast.pipeline.personalize import Findings, Options
from gliocast.planning import PlanComparison

#: Libraries whose version can change a result.
_LIBRARIES = ("numpy", "scipy", "numba", "nibabel", "SimpleITK", "picsl_greedy", "cma", "nilearn", "torch")


def parameters(findings: Findings, truth: Mapping[str, float] | None) -> dict[str, Any]:
    """Parameters with units, spread and interval, and what follows from them."""
    posterior = findings.posterior
    rows: dict[str, Any] = {}
    for column, parameter in enumerate(posterior.parameters):
        low, high = posterior.interval()[column]
        rows[parameter.name] = {
            "symbol": parameter.symbol,
            "unit": parameter.unit,
            "mode": float(posterior.mode[column]),
            "standard_deviation": float(posterior.standard_deviation[column]),
            "interval_95": [float(low), float(high)],
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
        "model": "Fisher-Kolmogorov",
        "method": "maximum a posteriori with Laplace approximation",
        "parameters": rows,
        "derived": derived,
        "fit": asdict(findings.misfit),
        "diagnostics": dict(posterior.diagnostics),
    }


def provenance(findings: Findings, options: Options) -> dict[str, Any]:
    """Versions, options and hashes: enough to repeat the run, nothing that names a patient."""
    sources = {modality: scan.path for modality, scan in findings.visit.scans.items()}
    sources["seg"] = findings.visit.labels.path
    inputs = {name: file_hash(path) for name, path in sources.items() if path is not None}
    return {
        "notice": RESEARCH_NOTICE,
        "versions": {
            "gliocast": version("gliocast"),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "options": asdict(options),
        "seed": options.seed,
        "warnings": list(findings.warnings),
        "label_schema": findings.visit.labels.schema.name,
        "inputs": inputs,
        "anatomy": {"atlas": load_mni152().name, "cached": findings.anatomy.cached, **asdict(findings.anatomy.quality)},
    }


def plan_table(comparison: PlanComparison, margin_mm: float) -> dict[str, Any]:
    """Target volumes and what they cover; volumes in ml."""
    return {"notice": RESEARCH_NOTICE, "margin_mm": margin_mm, **asdict(comparison)}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """One JSON file; numbers that JSON has no word for are refused."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
