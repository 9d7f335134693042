"""Do laws of growth forecast a lesion's next volume better than its last volume does?

Each patient's last visit is held out; the laws are fitted to the visits before it and compared with carrying the last
fitted volume forward. Volumes below the limit of detection, zeros included, count as the limit, measured or forecast.
The cohort's Gompertz relation is estimated from visits that weren't held out.

    python validation/volume_laws.py ../shared/data/lesion-volumes/flat_patient_data.csv
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from gliocast.core import VolumeCourse
from gliocast.data import read_volumes
from gliocast.growth.ode import (
    Exponential,
    FitOptions,
    Gompertz,
    GompertzRelation,
    GrowthLaw,
    Logistic,
    RadiotherapyCompartments,
    ReducedGompertz,
    VolumeFit,
    fit_law,
    why_not,
)
from gliocast.growth.ode.readings import DETECTION_VOLUME_MM3

DEFAULT_TABLE = Path("../shared/data/lesion-volumes/flat_patient_data.csv")
MIN_VISITS = 4
NUM_BOOTSTRAP = 100
NUM_RESAMPLES = 2000
CARRY, CHOICE, CHOICE_COMPARED = "carry the last volume forward", "best law by AICc", "best law, where an AICc exists"
HEADING = (
    "forecast",
    "patients",
    "median error of log-volume",
    "carried forward, same patients",
    "nearer than carried forward, %",
    "median symmetric error, %",
    "noise band covers, %",
    "curve band covers, %",
    "reading band covers, %",
)

#: Error of the log-volume, symmetric relative error, and whether three bands cover the volume (1 or 0).
Forecast = tuple[float, ...]


def clamp(volumes: np.ndarray | float) -> np.ndarray:
    return np.maximum(volumes, DETECTION_VOLUME_MM3)


def errors(forecast: float, measured: float) -> tuple[float, float]:
    a, b = clamp(forecast), clamp(measured)
    return float(abs(np.log(a / b))), float(abs(a - b) / ((a + b) / 2))


def covers(band: np.ndarray, measured: float) -> float:
    low, high = clamp(band[:, 0])
    return float(low <= clamp(measured) <= high)


def forecast_course(course: VolumeCourse, laws: Sequence[tuple[str, GrowthLaw]]) -> dict[str, Forecast]:
    """Errors and coverage of each law that the patient's visits support, of the choice, and of carrying forward."""
    seen, day, measured = course.without_last(), course.days[-1:], float(course.volumes[-1])
    rows = {CARRY: (*errors(float(seen.volumes[-1]), measured), np.nan, np.nan, np.nan)}
    fits: dict[str, VolumeFit] = {}
    for number, (name, law) in enumerate(laws):
        if why_not(law, seen.days, seen.volumes) is not None:
            continue
        generator = np.random.default_rng([course.number, number])
        fit = fit_law(
            law, seen.days, seen.volumes, generator=generator, options=FitOptions(num_bootstrap=NUM_BOOTSTRAP)
        )
        noise_alone = FitOptions(num_bootstrap=NUM_BOOTSTRAP, scatter=0.0)
        narrow = fit_law(law, seen.days, seen.volumes, generator=generator, options=noise_alone)
        bands = (narrow.band(day), fit.band(day), fit.reading_band(day, generator))
        coverage = (covers(band, measured) for band in bands)
        rows[name] = (*errors(float(fit.volume(day)[0]), measured), *coverage)
        fits[name] = fit
    fits = {name: fit for name, fit in fits.items() if "cohort" not in name}  # a user has no cohort to choose from
    if fits:
        best = min(fits, key=lambda name: (fits[name].aicc, fits[name].num_estimated, fits[name].aic))
        rows[CHOICE] = rows[best]
        if np.isfinite(fits[best].aicc):
            rows[CHOICE_COMPARED] = rows[best]
    return rows


def gompertz_values(course: VolumeCourse) -> np.ndarray | None:
    """Gompertz parameters of a patient without the last visit; None where the data don't fix them."""
    seen, law = course.without_last(), Gompertz()
    if why_not(law, seen.days, seen.volumes) is not None:
        return None
    options = FitOptions(num_bootstrap=1)
    fit = fit_law(law, seen.days, seen.volumes, generator=np.random.default_rng(0), options=options)
    return None if fit.on_bound else fit.values


def interval(values: np.ndarray, statistic: str, generator: np.random.Generator, scale: float, digits: int) -> str:
    """Median or mean with its 95 % interval over resampled patients."""
    of = np.median if statistic == "median" else np.mean
    resampled = of(values[generator.integers(len(values), size=(NUM_RESAMPLES, len(values)))], axis=1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    center, low, high = (f"{scale * value:.{digits}f}" for value in (of(values), low, high))
    return f"{center} ({low} to {high})"


def print_table(forecasts: Sequence[dict[str, Forecast]], names: Sequence[str]) -> None:
    print("| " + " | ".join(HEADING) + " |")
    print("|---" * len(HEADING) + "|")
    generator = np.random.default_rng(0)
    for name in names:
        pairs = [(rows[name], rows[CARRY]) for rows in forecasts if name in rows]
        if not pairs:
            continue
        law, carried = (np.array(part) for part in zip(*pairs, strict=True))
        cells = [name, str(len(pairs)), interval(law[:, 0], "median", generator, 1, 3)]
        if name == CARRY:
            cells += ["", "", interval(law[:, 1], "median", generator, 100, 0), "", "", ""]
        else:
            nearer = (law[:, 0] < carried[:, 0]) + 0.5 * (law[:, 0] == carried[:, 0])
            cells += [interval(carried[:, 0], "median", generator, 1, 3), interval(nearer, "mean", generator, 100, 0)]
            cells.append(interval(law[:, 1], "median", generator, 100, 0))
            cells += [interval(law[:, column], "mean", generator, 100, 0) for column in (2, 3, 4)]
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", default=DEFAULT_TABLE)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--patients", type=int, default=None, help="only the first so many")
    options = parser.parse_args()
    since, faults = time.perf_counter(), []
    table = read_volumes(options.table, on_fault=faults.append)
    courses = [course for course in table if len(course) >= MIN_VISITS][: options.patients]
    with ProcessPoolExecutor(options.processes) as pool:
        found = [values for values in pool.map(gompertz_values, courses, chunksize=16) if values is not None]
        relation, without_intercept = GompertzRelation.of(found), GompertzRelation.through_origin(found)
        laws = [
            ("exponential", Exponential()),
            ("logistic", Logistic()),
            ("Gompertz", Gompertz()),
            ("reduced Gompertz, Norton's limit", ReducedGompertz()),
            ("reduced Gompertz, cohort's limit", ReducedGompertz(without_intercept)),
            ("reduced Gompertz, cohort's line", ReducedGompertz(relation)),
            ("radiotherapy compartments", RadiotherapyCompartments(0.0)),
        ]
        forecasts = list(pool.map(partial(forecast_course, laws=laws), courses, chunksize=16))
    print(f"{len(courses)} patients with at least {MIN_VISITS} visits; {len(faults)} left out for faulty rows\n")
    print_table(forecasts, [CARRY, *(name for name, _ in laws), CHOICE, CHOICE_COMPARED])
    print(
        f"\nGompertz relation of {len(found)} fits: k = {relation.slope:.2f}, c = {relation.intercept:.5f} / d; "
        f"without intercept k = {without_intercept.slope:.2f}. "
        f"{time.perf_counter() - since:.0f} s."
    )


if __name__ == "__main__":
    main()
