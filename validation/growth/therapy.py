"""Treatments against their formulas, and what they cost in accuracy."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.ndimage import gaussian_filter

from gliocast.core import (
    Chemotherapy,
    Radiotherapy,
    Resection,
    Treatments,
    Volume,
    adjuvant_temozolomide,
    concomitant_temozolomide,
)
from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.treatment import log_survival

from .scenes import OWN, UNIT, gaussian, model, patchy, relative, solve, uniform
from .table import Row, below

SHAPE = (24, 22, 20)
CENTER = (11.0, 12.0, 9.0)
#: Radiosensitivity [1/Gy] and its ratio [Gy].
ALPHA, ALPHA_BETA = 0.08, 10.0


def rows() -> Iterator[Row]:
    for name in OWN:
        yield below(
            f"{name}: living cells after fractions of 0 to 4 Gy against exp(-alpha d (1 + d / (alpha/beta))) of "
            "those before, largest error of five",
            fraction_error(name),
            1e-6,
            "dose and survival are kept in float32, and 1e-9 d pass",
        )
    yield below(
        "Drugs: ln S of daily doses and six cycles, over four intervals, against quadrature of kappa C(t), relative",
        drug_error(),
        1e-7,
        "the quadrature's own error",
    )
    yield below(
        "Cells without migration and crowding under that drug over 400 d against u_0 exp(rho t) S(t), relative",
        sparse_error(),
        1e-4,
        "densities up to 5e-5 leave that much less room",
    )
    for name in OWN:
        yield below(
            f"{name}: cells in the cavity of a resection from the day on, over 300 d, D = 1.5, rho = 0.1",
            cavity_cells(name),
            0.0,
            "a cavity without residue is closed",
        )
        yield below(
            f"{name}: a resection with 5 % residue leaves 5 % of the living, relative error",
            residue_error(name),
            1e-6,
            "kept in float32",
        )
    for edge in (0.0, 3.0):
        yield below(
            f"30 x 2 Gy with an edge {edge:g} mm wide (D = 0.5, rho = 0.01): relative L2 error in default time steps, "
            "worst of 1, 30 and 100 d after the last fraction",
            radiotherapy_error(edge),
            5e-3,
            "what the option says: time steps begin anew after each fraction",
        )


def living(fields: dict[str, np.ndarray]) -> np.ndarray:
    return fields["density"] - fields.get("necrotic", 0.0)


def fraction_error(name: str) -> float:
    anatomy, wait = patchy(SHAPE), 1e-9
    dose = np.linspace(0, 4, SHAPE[0])[:, None, None] * np.ones(SHAPE)
    days = [20.0 + n for n in range(5)]
    course = Radiotherapy(Volume((5 * dose).astype(np.float32), anatomy.grid), tuple(days), ALPHA, ALPHA_BETA)
    looks = [time for day in days for time in (day, day + wait)]
    first = gaussian(SHAPE, UNIT, CENTER, 4.0, 0.8)
    grown = solve(
        model(name, anatomy.grid), OWN[name], anatomy, first, looks, treatments=Treatments((course,)), accuracy=0.05
    )
    survival = np.exp(-ALPHA * dose * (1 + dose / ALPHA_BETA))
    pairs = zip(grown[::2], grown[1::2], strict=True)
    return float(max(abs(living(after) - survival * living(before)).max() for before, after in pairs))


def drugs() -> tuple[Chemotherapy, Chemotherapy]:
    return concomitant_temozolomide(20.0, kill_rate=0.3), adjuvant_temozolomide(90.0, kill_rate=0.3)


def drug_error() -> float:
    plan, worst = Treatments(drugs()), 0.0

    def rate(time: float) -> float:
        total = 0.0
        for drug in drugs():
            tau = drug.half_life / np.log(2)
            given = zip(drug.days, drug.doses, strict=True)
            total += drug.kill_rate * sum(w * np.exp(-(time - day) / tau) for day, w in given if day <= time)
        return total

    for start, stop in ((0.0, 30.0), (21.3, 21.9), (60.5, 95.2), (100.0, 250.0)):
        doses = [day for drug in drugs() for day in drug.days if start < day < stop]
        # between doses the rate is smooth; it decays within hours
        edges = sorted({start, stop, *doses, *(day + 0.5 for day in doses if day + 0.5 < stop)})
        exact = -sum(quad(rate, a, b, epsabs=1e-12)[0] for a, b in pairwise(edges))
        worst = max(worst, abs(log_survival(plan, start, stop) / exact - 1))
    return worst


def sparse_error() -> float:
    shape, rate, days = (6, 5, 4), 0.01, 400.0
    anatomy, plan = uniform(shape), Treatments(drugs())
    first = np.full(shape, 1e-6)
    (fields,) = solve(FisherKolmogorov(), (0.0, rate), anatomy, first, [days], treatments=plan)
    expected = 1e-6 * np.exp(rate * days + log_survival(plan, 0.0, days))
    return float(abs(fields["density"] / expected - 1).max())


def cavity(shape: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[8:14, 9:15, 6:12] = True
    return mask


def cavity_cells(name: str) -> float:
    anatomy, mask = patchy(SHAPE), cavity(SHAPE)
    plan = Treatments((Resection(20.0, Volume(mask, anatomy.grid)),))
    first = gaussian(SHAPE, UNIT, CENTER, 4.0, 0.8)
    own = (1.5, 0.1, *OWN[name][2:])
    grown = solve(
        model(name, anatomy.grid),
        own,
        anatomy,
        first,
        [20.0 + 1e-6, 25.0, 100.0, 320.0],
        treatments=plan,
        accuracy=0.05,
    )
    return float(max(abs(field[mask]).max() for fields in grown for field in fields.values()))


def residue_error(name: str) -> float:
    anatomy, mask, wait = patchy(SHAPE), cavity(SHAPE), 1e-9
    plan = Treatments((Resection(20.0, Volume(mask, anatomy.grid), residual_fraction=0.05),))
    first = gaussian(SHAPE, UNIT, CENTER, 4.0, 0.8)
    before, after = solve(
        model(name, anatomy.grid), OWN[name], anatomy, first, [20.0, 20.0 + wait], treatments=plan, accuracy=0.05
    )
    left = living(after)[mask].sum() / living(before)[mask].sum()
    return float(abs(left / 0.05 - 1))


def radiotherapy_error(edge: float) -> float:
    shape = (32, 32, 32)
    anatomy = uniform(shape)
    target = np.zeros(shape)
    target[10:22, 10:22, 10:22] = 60.0
    dose = (gaussian_filter(target, edge) if edge else target).astype(np.float32)
    course = Radiotherapy(Volume(dose, anatomy.grid), tuple(100.0 + n for n in range(30)), ALPHA, ALPHA_BETA)
    first = gaussian(shape, UNIT, (15.5, 15.5, 15.5), 2.0, 0.5)
    ours, reference = (
        solve(
            FisherKolmogorov(),
            (0.5, 0.01),
            anatomy,
            first,
            [130.0, 160.0, 230.0],
            treatments=Treatments((course,)),
            accuracy=accuracy,
            dtype="float32",
            width=2.0,
        )
        for accuracy in (5e-3, 1e-4)
    )
    return max(relative(a["density"], b["density"]) for a, b in zip(ours, reference, strict=True))
