"""Folders as a run leaves them, without the minute that it takes: tables, and files without content."""

import json
from pathlib import Path

from gliocast import __version__
from gliocast.core import RESEARCH_NOTICE

FILES = ("density.nii.gz", "report.html", "report.npz")


def tables(**changes):
    """Content of the JSON files by name; changes go into the file that has the key."""
    parameter = {"unit": "mm", "mode": 4.6, "interval_95": [2.8, 7.5], "prior_ratio": 0.4}
    content = {
        "parameters": {
            "model": "Fisher-Kolmogorov",
            "method": {"name": "laplace"},
            "parameters": {
                "diffusion_length": {**parameter, "symbol": "sqrt(D_w T)", "typical": [2.0, 30.0]},
                "seed_x": {**parameter, "symbol": "x_x", "typical": None},
            },
            "fit": {"core_dice": None, "whole_dice": 0.83},
        },
        "plan": {
            "gtv_ml": 9.3,
            "standard_ml": 68.5,
            "model_ml": 68.5,
            "covered_by_standard": 0.9993,
            "covered_by_model": 0.99997,
            "overlap": 0.88,
        },
        "provenance": {
            "versions": {"gliocast": __version__},
            "options": {"margin_mm": 15.0, "barriers": True},
            "inputs": {"t1": "0123", "seg": "4567"},
            "label_schema": "brats-2021",
            "warnings": ["one"],
            "seconds": {"read": 1.5, "fit": 20.0},
        },
        "verdict": {
            "level": "review",
            "reasons": [{"level": "review", "text": "Read the warning.", "short": "1 warning"}],
            "outline_hd95_mm": {"whole": 5.4},
            "synthetic": False,
        },
    }
    for key, value in changes.items():
        next(table for table in content.values() if key in table)[key] = value
    return content


def write_results(folder: Path, **changes) -> Path:
    """Write them into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tables(**changes).items():
        (folder / f"{name}.json").write_text(json.dumps({"notice": RESEARCH_NOTICE, **content}), encoding="utf-8")
    for name in FILES:
        (folder / name).write_text("")
    return folder
