r"""Fit a law of growth to the volumes of one lesion.

The point minimizes the sum of squared residuals of log-volumes within the parameters' bounds, by lmfit. A law with p
parameters is fitted from p + 1 visits.

The bootstrap is parametric: volumes of the fitted curve are read again, with factors drawn from N(1, 0.1) (kept
positive, not cut off at 1) and, where the law leaves the data farther away than that, with a log-normal factor that
makes up for it; each draw is refitted from the point.

Source: arXiv 2509.09610 for the noise of the bootstrap. We depart by adding what noise of 10 % doesn't explain: without
it the bands of lesions under treatment are far too narrow (validation/volume_laws.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

import lmfit
import numpy as np

from gliocast.core import InputError
from gliocast.growth.ode.law import GrowthLaw
from gliocast.growth.ode.readings import DETECTION_VOLUME_MM3, Readings
from gliocast.growth.ode.search import SearchBox, descend
from gliocast.growth.ode.volume_fit import READING_NOISE, VolumeFit, draw_noise

#: A start is kept this share of the box away from its bounds: on a bound lmfit's transform has no slope and stays
#: there.
_INSET = 1e-3
#: Starts that lmfit sees, the best ones of a search over all.
_NUM_POLISHED = 2
#: Residuals that lmfit may evaluate from one start: in a valley without floor it would go on for a second.
_MAX_EVALUATIONS = 600
#: Sums of squares that differ by less than this share are the same minimum [1].
_ROUNDING = 1e-6
#: Where censoring makes residuals depend on sigma: its first guess, rounds, and relative change that ends them [1].
_FIRST_SIGMA, _MAX_ROUNDS, _SIGMA_TOLERANCE = 0.2, 8, 0.01
_MIN_SEEN = 2

Residuals = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FitOptions:
    """How laws are fitted.

    Args:
        num_bootstrap: draws of the bootstrap [1].
        reading_noise: standard deviation of the factor by which a reading errs [1].
        scatter: standard deviation of a further log-normal factor [1]; None for what the law leaves beyond the reading
            noise, zero for none.
        detection_mm3: limit of detection [mm^3]; a volume of zero says that the lesion was smaller.
    """

    num_bootstrap: int = 400
    reading_noise: float = READING_NOISE
    scatter: float | None = None
    detection_mm3: float = DETECTION_VOLUME_MM3

    def __post_init__(self) -> None:
        checks = (
            ("bootstrap draws", self.num_bootstrap, self.num_bootstrap >= 1, "at least 1", "use 400"),
            ("reading noise", self.reading_noise, 0 < self.reading_noise < 1, "a share between 0 and 1", "use 0.1"),
            ("scatter", self.scatter, self.scatter is None or self.scatter >= 0, "0 or more", "leave it out"),
            ("detection volume", self.detection_mm3, self.detection_mm3 > 0, "a positive volume [mm^3]", "use 65"),
        )
        for subject, value, is_good, expected, advice in checks:
            if not is_good:
                raise InputError(subject, expected=expected, got=f"{value}", advice=advice)


def why_not(law: GrowthLaw, days: np.ndarray, volumes: np.ndarray) -> str | None:
    """Why a law can't be fitted to these visits, as half a sentence; None if it can."""
    needed = len(law.parameters) + 1
    if len(days) < needed:
        return f"its {len(law.parameters)} parameters need {needed} visits, there are {len(days)}"
    if np.sum(volumes > 0) < _MIN_SEEN:
        return f"it needs {_MIN_SEEN} visits at which the lesion was seen, there are {np.sum(volumes > 0)}"
    return law.objection(days)


def fit_law(
    law: GrowthLaw,
    days: np.ndarray,
    volumes: np.ndarray,
    *,
    generator: np.random.Generator,
    options: FitOptions | None = None,
) -> VolumeFit:
    """Fit one law to one lesion.

    Args:
        law: any.
        days: of the visits, ascending (num_days,) [d]; the first becomes the law's origin.
        volumes: (num_days,) [mm^3]; zero where the lesion wasn't seen.
        generator: of the bootstrap.
        options: noise, detection, number of draws.

    Raises:
        InputError: days or volumes can't be those of a lesion, or don't support the law (see `why_not`).
    """
    options = options or FitOptions()
    days, volumes = require_visits(days, volumes)
    reason = why_not(law, days, volumes)
    if reason is not None:
        raise InputError(
            f"{law.name} growth", expected="visits that fix it", got=reason, advice="use a law with fewer parameters"
        )
    law = law.from_day(float(days[0]))
    readings, box = Readings.of(days, volumes, options.detection_mm3), SearchBox(law.parameters)
    point, errors, sigma = _fit_point(law, readings, box)
    values = box.values(point)
    expected = law.log_volume(days, values)
    scatter = options.scatter
    if scatter is None:
        misfit = np.sum(readings.residuals(expected, sigma) ** 2) / (len(days) - len(values))
        scatter = float(np.sqrt(max(misfit - options.reading_noise**2, 0.0)))
    noise = draw_noise((options.num_bootstrap, len(days)), options.reading_noise, scatter, generator)
    draws = readings.drawn(expected + noise)
    starts = np.tile(point, (options.num_bootstrap, 1))
    samples, _ = descend(_residuals(law, draws, box, sigma), starts, box)
    return VolumeFit(
        law=law,
        values=values,
        standard_errors=np.where(box.logarithmic, values, 1.0) * errors,
        samples=box.values(samples),
        sigma=sigma,
        log_likelihood=readings.log_likelihood(expected, sigma),
        num_visits=len(days),
        reading_noise=options.reading_noise,
        scatter=scatter,
    )


def require_visits(days: np.ndarray, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days and volumes as arrays of numbers; InputError unless days ascend and volumes are finite and not negative."""
    days, volumes = np.asarray(days, dtype=float), np.asarray(volumes, dtype=float)
    if days.ndim != 1 or days.shape != volumes.shape or not np.all(np.diff(days) > 0) or not np.isfinite(days).all():
        raise InputError(
            "visits",
            expected="ascending days and as many volumes",
            got=f"shapes {days.shape} and {volumes.shape}, days {np.array2string(days, threshold=8)}",
            advice="sort by day, one volume each",
        )
    if not (np.isfinite(volumes) & (volumes >= 0)).all():
        raise InputError(
            "volumes",
            expected="numbers of at least 0 [mm^3]",
            got=np.array2string(volumes, threshold=8),
            advice="leave out visits without a volume, write 0 for a lesion that can't be seen",
        )
    return days, volumes


def _fit_point(law: GrowthLaw, readings: Readings, box: SearchBox) -> tuple[np.ndarray, np.ndarray, float]:
    """Coordinates of the minimum, their standard errors, and sigma, which censored visits make part of the problem."""
    sigma = _FIRST_SIGMA
    starts = box.coordinates(law.starts(readings.days, readings.log_volumes))
    points, costs = descend(_residuals(law, readings, box, sigma), starts, box)
    candidates = points[np.argsort(costs)[:_NUM_POLISHED]]
    for _ in range(_MAX_ROUNDS):
        residuals = _residuals(law, readings, box, sigma)
        polished = [_polish(residuals, start, box) for start in candidates]
        point, errors, _ = min(polished, key=lambda result: result[2])
        previous, sigma = sigma, readings.most_likely_sigma(law.log_volume(readings.days, box.values(point)))
        if readings.seen.all() or abs(sigma - previous) < _SIGMA_TOLERANCE * previous:
            break
        candidates = point[None]
    return point, errors, sigma


def _polish(residuals: Residuals, start: np.ndarray, box: SearchBox) -> tuple[np.ndarray, np.ndarray, float]:
    """Least squares by lmfit from one start: coordinates, standard errors (nan where it finds none), sum of squares.

    lmfit moves a start outside its bounds onto them without a word, and there its transform has no slope: so the start
    is moved inside first. It squares the residuals itself. Should it end higher than it began (it stopped at the limit
    of evaluations, or the minimum lay on the bound it was moved from), the start stands, without errors.
    """
    lower, upper = box.lower, box.upper
    inset = _INSET * (upper - lower)
    parameters = lmfit.Parameters()
    names = [parameter.name for parameter in box.parameters]
    inside = np.clip(start, lower + inset, upper - inset)
    for name, value, low, high in zip(names, inside, lower, upper, strict=True):
        parameters.add(name, value=float(value), min=float(low), max=float(high))

    def of(trial: lmfit.Parameters) -> np.ndarray:
        return residuals(np.array([[trial[name].value for name in names]]))[0]

    result = lmfit.minimize(of, parameters, method="leastsq", max_nfev=_MAX_EVALUATIONS)
    point = np.array([result.params[name].value for name in names])
    found = [result.params[name].stderr for name in names]
    errors = np.array([np.nan if error is None else error for error in found], dtype=float)
    cost, cost_before = (float(np.sum(residuals(row[None]) ** 2)) for row in (point, start))
    if cost <= cost_before * (1 + _ROUNDING) + np.finfo(float).eps:
        return point, errors, cost
    return start, np.full_like(errors, np.nan), cost_before


def _residuals(law: GrowthLaw, readings: Readings, box: SearchBox, sigma: float) -> Residuals:
    """Residuals as a function of coordinates, (num_points, num_parameters) -> (num_points, num_days)."""
    return lambda points: readings.residuals(law.log_volume(readings.days, box.values(points)), sigma)
