"""Mass: kept without division, gained as the reaction says with it."""

from collections.abc import Iterator

import numpy as np

from gliocast.growth.models import FisherKolmogorov

from .scenes import CLINICAL, OWN, UNIT, gaussian, model, patchy, solve, uniform
from .table import Row, below, between

SHAPE, EXTENT = (26, 24, 12), (26.0, 24.0, 36.0)


def rows() -> Iterator[Row]:
    for name in OWN:
        for dtype, limit in (("float64", 1e-12), ("float32", 2e-5)):
            yield below(
                f"{name}, rho = 0, random tissue of 1 x 1 x 3 mm voxels, 200 d, {dtype}: relative change of the cells",
                drift(name, dtype, (OWN[name][0], 0.0, *OWN[name][2:]), 200.0),
                limit,
                "what one cell loses the other gains: rounding of some hundred sweeps",
            )
    yield below(
        "Fisher-Kolmogorov in uniform tissue, D = 1.5, rho = 0, 3000 d, float32: the same in steps of up to 130 stages",
        flat_drift(),
        2e-3,
        "once the field is flat its voxels all round alike, and errors of stages add up like their square",
    )
    for name in OWN:
        gaps = [gap(name, num_days) for num_days in (12, 24, 48)]
        yield between(
            f"{name}: gain of cells minus time integral of the reaction: order in the interval of the quadrature",
            np.log2(gaps[1] / gaps[2]),
            1.7,
            2.3,
            "the trapezoidal rule",
        )
        yield below(f"{name}: the same from 48 intervals of 1.25 d, relative", gaps[2], 1e-3, "(rho h)^2 / 12")


def first_cells() -> np.ndarray:
    return gaussian(SHAPE, CLINICAL, [12.0, 11.0, 17.0], 3.0, 0.5)


def drift(name: str, dtype: str, own: tuple[float, ...], days: float) -> float:
    anatomy = patchy(SHAPE, CLINICAL)
    early, late = solve(model(name, anatomy.grid), own, anatomy, first_cells(), [1e-6, days], dtype=dtype)
    return float(abs(late["density"].sum() / early["density"].sum() - 1))


def flat_drift() -> float:
    shape = (20, 20, 20)
    first = gaussian(shape, UNIT, [10.0, 10.0, 10.0], 2.0, 0.5)
    (late,) = solve(FisherKolmogorov(), (1.5, 0.0), uniform(shape), first, [3000.0], dtype="float32")
    return float(abs(late["density"].sum() / first.astype(np.float32).sum(dtype=float) - 1))


def gap(name: str, num_intervals: int) -> float:
    anatomy = patchy(SHAPE, CLINICAL)
    days = np.linspace(0, 60.0, num_intervals + 1)
    grown = solve(model(name, anatomy.grid), OWN[name], anatomy, first_cells(), days[1:].tolist(), accuracy=1e-4)
    reaction = [rate_of_gain(fields, OWN[name][1]) for fields in grown]
    total = [fields["density"].sum() for fields in grown]
    return float(abs(np.trapezoid(reaction, days[1:]) / (total[-1] - total[0]) - 1))


def rate_of_gain(fields: dict[str, np.ndarray], rate: float) -> float:
    """Integral of rho s p (1 - p - n) over all voxels [1/d]; without necrosis s = 1 and n = 0."""
    density = fields["density"]
    living = density - fields.get("necrotic", 0.0)
    return float((rate * (1 - fields.get("nutrient_deficit", 0.0)) * living * (1 - density)).sum())
