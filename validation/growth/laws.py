"""Laws of volume growth: closed forms against numerical integration of their right-hand sides."""

from collections.abc import Iterator

import numpy as np
from scipy.integrate import solve_ivp

from gliocast.growth.ode import (
    Exponential,
    Gompertz,
    GompertzRelation,
    GrowthLaw,
    Logistic,
    RadiotherapyCompartments,
    ReducedGompertz,
)

from .table import Row, below

NUM_DRAWS = 50
DAYS = np.linspace(0, 600.0, 25)
LAWS: tuple[tuple[str, GrowthLaw], ...] = (
    ("exponential", Exponential()),
    ("logistic", Logistic()),
    ("Gompertz", Gompertz()),
    ("reduced Gompertz", ReducedGompertz()),
    ("reduced Gompertz with an intercept", ReducedGompertz(GompertzRelation(26.0, -0.002))),
)


def rows() -> Iterator[Row]:
    for name, law in LAWS:
        yield below(
            f"{name}: log-volume over 600 d, {NUM_DRAWS} draws of the typical ranges, against Runge-Kutta of order 8",
            max(error(law, values) for values in draws(law)),
            1e-7,
            "largest error; tolerance of the integration, 1e-10 a step",
        )
    law = RadiotherapyCompartments(treatment_day=60.0)
    yield below(
        f"radiotherapy compartments, treated on day 60: both log-volumes, {NUM_DRAWS} draws",
        max(compartment_error(law, values) for values in draws(law)),
        1e-6,
        "as above; log-volumes of dying compartments fall by hundreds",
    )


def draws(law: GrowthLaw) -> np.ndarray:
    """Log-uniform over the typical ranges, (NUM_DRAWS, num_parameters)."""
    typical = np.log([parameter.typical for parameter in law.parameters])
    share = np.random.default_rng(0).uniform(size=(NUM_DRAWS, len(typical)))
    return np.exp(typical[:, 0] + share * np.diff(typical, axis=1).T)


def integrate(law: GrowthLaw, first: np.ndarray, days: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Log-volumes on the days, (num_compartments, num_days)."""
    return solve_ivp(
        lambda day, y: law.log_derivative(day, y, values),
        (days[0], days[-1]),
        first,
        method="DOP853",
        t_eval=days,
        rtol=1e-10,
        atol=1e-10,
    ).y


def error(law: GrowthLaw, values: np.ndarray) -> float:
    exact = integrate(law, np.log(values[:1]), DAYS, values)[0]
    return float(abs(law.log_volume(DAYS, values) - exact).max())


def compartment_error(law: RadiotherapyCompartments, values: np.ndarray) -> float:
    """From the closed form right after treatment, and of the whole volume before."""
    after = DAYS[law.treatment_day <= DAYS]
    closed = law.log_compartments(after, values)
    exact = integrate(law, closed[:, 0], after, values)
    before = DAYS[law.treatment_day > DAYS]
    grown = np.log(values[0]) + values[1] * before
    treated = np.log(values[0]) + values[1] * law.treatment_day
    parts = np.array([abs(closed - exact).max(), abs(law.log_volume(before, values) - grown).max()])
    # what is moved to the dying compartment is what doesn't survive
    moved = np.logaddexp(*law.log_compartments(np.array([law.treatment_day]), values)) - treated
    return float(max(parts.max(), abs(moved).max()))
