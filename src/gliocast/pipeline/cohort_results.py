"""Folders that runs and failed runs left, read back for a table: numbers as they were written, nothing computed anew.

What can't be read is a failure with a reason. Files may come from anyone, so nothing in them is trusted to be there, to
be of its kind, or to be a number.
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gliocast.core import REAL, InputError, Parameter
from gliocast.data import Results, find_results, read_table
from gliocast.data.folders import printable
from gliocast.data.results import PAGE, PARAMETERS, PLAN, PROVENANCE, VERDICT
from gliocast.pipeline.failures import FAILURE, fingerprint
from gliocast.pipeline.record import what_counts
from gliocast.pipeline.reporting import verdict_record
from gliocast.report import load_content
from gliocast.report.cohort import Estimate, Failure, PatientResult
from gliocast.report.verdict import LEVELS, Level, Reason

#: What a parameter may be called, written and measured in: nothing that a figure would take for a formula.
_NAME, _SYMBOL, _UNIT = r"[a-z][a-z0-9_]{0,59}", r"(?:[^\\$_]|_\{?[A-Za-z0-9]+\}?){1,60}", r"[^\\$]{1,20}"

#: What options are called as settings, where that is shorter; what follows their numbers; and what they switch.
_OPTION_NAMES = {"margin_mm": "margin", "num_samples": "samples", "num_densities": "densities"}
_OPTION_UNITS = {"margin_mm": " mm", "speed": " mm/d"}
_SWITCHES = {"barriers": ("kept to", "ignored"), "forecast": ("made", "none")}

#: What damaged content raises on the way to a number.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)

_Read = TypeVar("_Read")


def read_results(folder: Path, name: str | None = None) -> PatientResult | Failure:
    """What a run left in a folder, or why there is nothing of it.

    Args:
        folder: of one patient, in either layout. Without `verdict.json`, which older versions didn't write, the saved
            report is judged again; that takes seconds.
        name: what the patient is called; None for the folder's name.
    """
    name = folder.name if name is None else name
    try:
        place = find_results(folder)
        failure = _read(place, FAILURE, partial(_failure, name)) if place.path(FAILURE).is_file() else None
        if failure is not None:
            return failure
        missing = [table for table in (PARAMETERS, PLAN, PROVENANCE) if not place.path(table).is_file()]
        if missing:
            return Failure(name, "", f"no {', '.join(missing)} in it, which `gliocast run` writes")
        return _result(name, place)
    except InputError as error:
        return Failure(name, "", str(error))
    except OSError as error:
        return Failure(name, "", f"can't be read ({error.strerror})")


def is_ours(folder: Path) -> bool:
    """Whether a folder holds anything that a run or a failed one wrote."""
    try:
        place = find_results(folder)
        return any(place.path(name).is_file() for name in (FAILURE, PARAMETERS, PLAN, PROVENANCE))
    except (OSError, InputError):
        return False


def _read(place: Results, name: str, understand: Callable[[Results, dict[str, Any]], _Read]) -> _Read:
    """What a file says, understood.

    Raises:
        InputError: it is damaged.
    """
    try:
        return understand(place, read_table(place.path(name)))
    except _DAMAGE as error:
        raise InputError(
            name,
            expected="what `gliocast run` of this version writes",
            got=f"a damaged file ({type(error).__name__})",
            advice="run it again",
        ) from error


def _failure(name: str, place: Results, content: Mapping[str, Any]) -> Failure | None:
    """The failure; None if results came later."""
    if content["older_results"] != fingerprint(place):
        return None
    return Failure(name, _text(content["stage"]), _text(content["reason"]))


def _result(name: str, place: Results) -> PatientResult:
    level, reasons, distances = _verdict(place)
    dice, estimates, method = _read(place, PARAMETERS, _fit)
    return PatientResult(
        name=name,
        page=place.name(PAGE),
        level=level,
        reasons=reasons,
        dice=dice,
        hd95_mm=distances,
        estimates=estimates,
        **_read(place, PLAN, _plan),
        **_read(place, PROVENANCE, partial(_origin, method)),
    )


def _verdict(place: Results) -> tuple[Level, tuple[Reason, ...], dict[str, float]]:
    if not place.path(VERDICT).is_file():
        return _judgement(place, verdict_record(load_content(place)))
    return _read(place, VERDICT, _judgement)


def _judgement(_: Results, content: Mapping[str, Any]) -> tuple[Level, tuple[Reason, ...], dict[str, float]]:
    level = LEVELS[LEVELS.index(content["level"])]
    reasons = tuple(
        Reason(LEVELS[LEVELS.index(reason["level"])], _text(reason["text"]), _text(reason["short"]))
        for reason in content["reasons"]
    )
    return level, reasons, _numbers(content["outline_hd95_mm"])


def _fit(_: Results, content: Mapping[str, Any]) -> tuple[dict[str, float], tuple[Estimate, ...], dict[str, str]]:
    """Dice coefficients, parameters, and how they were found."""
    fit = content["fit"]
    dice = _numbers({part: fit[f"{part}_dice"] for part in ("core", "whole") if fit[f"{part}_dice"] is not None})
    estimates = tuple(_estimate(name, row) for name, row in content["parameters"].items())
    return dice, estimates, {"model": _text(content["model"]), "method": _text(content["method"]["name"])}


def _estimate(name: str, row: Mapping[str, Any]) -> Estimate:
    low, high = (_number(end) for end in row["interval_95"])
    typical = (-math.inf, math.inf) if row["typical"] is None else tuple(_number(end) for end in row["typical"])
    first, last = typical
    symbol, unit = _text(row["symbol"]), _text(row["unit"])
    if not all(map(re.fullmatch, (_NAME, _SYMBOL, _UNIT), (name, symbol, unit))):
        raise ValueError("no parameter")
    return Estimate(Parameter(name, symbol, unit, REAL, (first, last), ""), _number(row["mode"]), (low, high))


def _plan(_: Results, content: Mapping[str, Any]) -> dict[str, Any]:
    """Volumes and coverage."""
    keys = {
        "gtv_ml": "gtv_ml",
        "ctv_ml": "standard_ml",
        "covered_standard": "covered_by_standard",
        "covered_model": "covered_by_model",
        "overlap": "overlap",
    }
    return {field: _number(content[key]) for field, key in keys.items()}


def _origin(method: Mapping[str, str], _: Results, content: Mapping[str, Any]) -> dict[str, Any]:
    """Where numbers come from."""
    inputs, options = content["inputs"], content["options"]
    made = "synthetic" if not inputs else "given" if "seg" in inputs else "network"
    if not (isinstance(inputs, dict) and isinstance(content["warnings"], list)):
        raise TypeError("neither hashes nor sentences")
    return {
        "num_warnings": len(content["warnings"]),
        "segmentation": made,
        "seconds": sum(_numbers(content["seconds"]).values()),
        "version": _text(content["versions"]["gliocast"]),
        "settings": {**method, **_settings(options)},
    }


def _settings(options: Mapping[str, Any]) -> dict[str, str]:
    """Options that count, in words; growth and method are told beside them."""
    counts = what_counts(options)
    return {
        _OPTION_NAMES.get(name, name): _setting(name, value)
        for name, value in counts.items()
        if name not in ("growth", "tumor_pressure", "method")
    }


def _setting(name: str, value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, bool):
        yes, no = _SWITCHES.get(name, ("yes", "no"))
        return yes if value else no
    return _text(value) if isinstance(value, str) else f"{_number(value):g}{_OPTION_UNITS.get(name, '')}"


def _numbers(content: Mapping[str, Any]) -> dict[str, float]:
    return {str(key): _number(value) for key, value in content.items()}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return printable(" ".join(value.split()))
