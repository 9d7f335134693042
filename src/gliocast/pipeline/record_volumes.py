"""What is written down of laws fitted to volumes; every number with its unit, no patient with a name."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from gliocast.core import RESEARCH_NOTICE, VolumeCourse
from gliocast.core.grid import MM3_PER_ML
from gliocast.growth.ode import VolumeFit
from gliocast.pipeline.course_fit import CourseFit, VolumeOptions

#: What every forecast has to say of itself; the figures stand in docs/volume-laws.md.
CAUTION = (
    "Bands assume that the law holds. On lesions under treatment they covered fewer visits than they say, and carrying "
    "the last volume forward was nearer than any law."
)
#: Libraries whose version can change a fit.
_LIBRARIES = ("lmfit", "numpy", "scipy")
#: Digits that are worth writing; more would only be rounding [1].
_DIGITS = 7
#: Points of a written curve [1].
_NUM_POINTS = 41


def volume_record(results: Sequence[CourseFit], options: VolumeOptions, table_hash: str) -> dict[str, Any]:
    """Everything that was fitted, ready for JSON.

    Args:
        results: patients in the order of the table.
        options: of the fits.
        table_hash: SHA-256 of the table.
    """
    parameters = {
        parameter.name: parameter
        for result in results
        for fit in result.comparison.fits
        for parameter in fit.parameters
    }
    return {
        "notice": RESEARCH_NOTICE,
        "caution": CAUTION,
        "method": "least squares of log-volumes, parametric bootstrap; intervals and bands from 5 to 95 %",
        "versions": {
            "gliocast": version("gliocast"),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "options": asdict(options),
        "inputs": {"table": table_hash},
        "parameters": {
            name: {
                "symbol": parameter.symbol,
                "unit": parameter.unit,
                "bounds": [parameter.support.lower, parameter.support.upper],
                "typical": list(parameter.typical),
            }
            for name, parameter in parameters.items()
        },
        "patients": [
            _patient(result, options, has_curves=count < options.max_figures) for count, result in enumerate(results)
        ],
    }


def _patient(result: CourseFit, options: VolumeOptions, *, has_curves: bool) -> dict[str, Any]:
    """One patient: visits, and each law; curves of those whose picture is drawn."""
    course, comparison = result.course, result.comparison
    record: dict[str, Any] = {
        "patient": course.number,
        "visits": {"day": _numbers(course.days), "volume_ml": _numbers(course.volumes / MM3_PER_ML)},
        "num_held_out": result.num_held_out,
        "best": comparison.best.law.name,
        "laws": {},
        "refused": dict(comparison.refused),
    }
    generators = np.random.default_rng([options.seed, course.number]).spawn(2 * len(comparison.fits))
    for fit, weight, generator in zip(
        comparison.fits, comparison.weights, generators[len(comparison.fits) :], strict=True
    ):
        law = _law(fit)
        if has_curves:
            law["curve"] = _curve(fit, course)
        law["akaike_weight"] = _number(weight) if comparison.is_compared else None
        if result.num_held_out:
            law["forecast"] = _forecast(fit, course, generator)
        record["laws"][fit.law.name] = law
    return record


def _law(fit: VolumeFit) -> dict[str, Any]:
    """One law: parameters and criteria."""
    rows = zip(fit.parameters, fit.values, fit.standard_errors, fit.interval(), strict=True)
    return {
        "values": {
            parameter.name: {
                "value": _number(value),
                "standard_error": _number(error),
                "interval_90": _numbers(interval),
                "on_bound": parameter.name in fit.on_bound,
            }
            for parameter, value, error, interval in rows
        },
        "sigma": _number(fit.sigma),
        "scatter": _number(fit.scatter),
        "log_likelihood": _number(fit.log_likelihood),
        "aic": _number(fit.aic),
        "aicc": _number(fit.aicc),
        "bic": _number(fit.bic),
    }


def _curve(fit: VolumeFit, course: VolumeCourse) -> dict[str, Any]:
    """The law's volume from the first visit to the last, with its band."""
    days = np.linspace(course.days[0], course.days[-1], _NUM_POINTS)
    low, high = fit.band(days) / MM3_PER_ML
    return {
        "day": _numbers(days),
        "volume_ml": _numbers(fit.volume(days) / MM3_PER_ML),
        "low_ml": _numbers(low),
        "high_ml": _numbers(high),
    }


def _forecast(fit: VolumeFit, course: VolumeCourse, generator: np.random.Generator) -> dict[str, Any]:
    """The last visit, which the fit didn't see."""
    day = course.days[-1:]
    return {
        "day": _number(day[0]),
        "volume_ml": _number(fit.volume(day)[0] / MM3_PER_ML),
        "band_ml": _numbers(fit.band(day)[:, 0] / MM3_PER_ML),
        "reading_band_ml": _numbers(fit.reading_band(day, generator)[:, 0] / MM3_PER_ML),
        "measured_ml": _number(course.volumes[-1] / MM3_PER_ML),
        "carried_forward_ml": _number(course.volumes[-2] / MM3_PER_ML),
    }


def _number(value: float | np.floating) -> float | None:
    """A number of few digits; None where there is none, for which JSON has no word."""
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[float | None]:
    return [_number(value) for value in values]
