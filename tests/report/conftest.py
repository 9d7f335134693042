"""A small synthetic patient: a ball of tumor off the middle of an ellipsoid of brain."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from gliocast.core import (
    MODALITIES,
    POSITIVE,
    REAL,
    SCHEMAS,
    UNIT_INTERVAL,
    Anatomy,
    Density,
    Grid,
    LabelMap,
    Parameter,
    Posterior,
    Scan,
    Visit,
    Volume,
    block_mean,
)
from gliocast.inference import IndependentPrior
from gliocast.planning import compare_plans, coverage_curve, make_plan
from gliocast.planning.forecast import Clock, Forecast
from gliocast.planning.outlook import Outlook
from gliocast.problem import EXCEEDED_DENSITIES, PredictiveCheck, PredictiveMaps, PredictiveStatistic
from gliocast.report import ReportContent

PARAMETERS = (
    Parameter("diffusion_length", "sqrt(D_w T)", "mm", POSITIVE, (2.0, 30.0), "test"),
    Parameter("growth_number", "sqrt(rho T)", "1", POSITIVE, (1.5, 5.0), "test"),
    Parameter("seed_x", "x_x", "mm", REAL, (-np.inf, np.inf), "test"),
    Parameter("t1c_threshold", "c_T1c", "1", UNIT_INTERVAL, (0.5, 0.85), "test"),
)


@dataclass(frozen=True, eq=False)
class Case:
    """The pieces of a patient."""

    visit: Visit
    anatomy: Anatomy
    density: Density


def make_case(*, with_core=True, turn=None):
    """A patient; `turn` is a matrix that turns the grid, and not the patient, around the scanner's origin."""
    affine = np.array([[-4.0, 0, 0, 70], [0, -4, 0, 80], [0, 0, 5, -60], [0, 0, 0, 1]])
    if turn is not None:
        affine[:3] = turn @ affine[:3]
    grid = Grid((36, 42, 30), affine)
    points = grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1))
    x, y, z = np.moveaxis(points, -1, 0)
    brain = (x / 62) ** 2 + (y / 72) ** 2 + ((z - 10) / 60) ** 2 < 1
    fluid = (x / 12) ** 2 + (y / 24) ** 2 + ((z - 10) / 10) ** 2 < 1
    radius = np.linalg.norm(points - np.array([30.0, 15.0, 20.0]), axis=-1)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    labels[(radius < 20) & brain & ~fluid] = 2
    if with_core:
        labels[radius < 12] = 4
    tissue = (brain & ~fluid).astype(np.float32)
    anatomy = Anatomy(0.6 * tissue, 0.4 * tissue, (brain & fluid).astype(np.float32), brain, grid)
    mean = (tissue / (1 + np.exp((radius - 12) / 4))).astype(np.float32)
    generator = np.random.default_rng(0)
    scans = {
        modality: Scan(modality, Volume((brain * (100 + 40 * (labels > 0)) + generator.normal(size=grid.shape)), grid))
        for modality in MODALITIES
    }
    visit = Visit(scans, LabelMap(labels, grid, SCHEMAS["brats-2021"]), brain)
    return Case(visit, anatomy, Density(mean, grid, 1.0, 0.3 * mean * (1 - mean)))


def make_posterior(num_samples=400):
    mode, deviation = np.array([12.0, 3.1, 30.2, 0.62]), np.array([0.8, 0.1, 0.9, 0.03])
    samples = mode + deviation * np.random.default_rng(1).normal(size=(num_samples, 4))
    weights = np.full(num_samples, 1 / num_samples)
    return Posterior(PARAMETERS, samples, weights, np.zeros(num_samples), mode)


def make_prior():
    return IndependentPrior.from_typical(PARAMETERS, known={"seed_x": (30.0, 15.0)})


def make_maps(case):
    data = case.density.data
    shares = {level: (data > level).astype(np.float32) for level in EXCEEDED_DENSITIES}
    return PredictiveMaps(data, case.density.standard_deviation, shares)


def make_check(case):
    """One volume as the model draws it, and a shape that it doesn't draw."""
    replicated = np.linspace(10, 14, 40)
    statistics = (
        PredictiveStatistic("core volume", "ml", 11.0, replicated, two_sided=True),
        PredictiveStatistic("whole Dice with the typical outline", "1", 0.61, 0.8 + replicated / 100, two_sided=False),
    )
    radius = np.indices(case.density.grid.shape).sum(axis=0)
    shares = {name: np.clip(case.density.data + 0.001 * radius, 0, 1) for name in ("core", "whole")}
    return PredictiveCheck(statistics, shares, case.density.grid)


def make_outlook(case):
    """On voxels twice as wide as the scan's; made up, not grown."""
    factors = (2, 2, 2)
    grid, data = case.density.grid.coarsen(factors), block_mean(case.density.data, factors)
    days = np.linspace(0, 180, 7)
    scenarios = [("no treatment", {}, {}, 1.01), ("resection", {}, {"resection": (7.0,)}, 1.005)]
    for alpha, rate in ((0.03, 1.0), (0.065, 0.99), (0.14, 0.96)):
        scenarios.append(("60 Gy in 30", {"alpha": alpha}, {"radiotherapy": (14.0, 15.0)}, rate))
    for kappa, rate in ((0.01, 1.0), (1.0, 0.99)):
        scenarios.append(("temozolomide", {"kappa": kappa}, {"chemotherapy": (14.0, 190.0)}, rate))
    given = {"resection": (7.0,), "radiotherapy": (35.0, 36.0), "chemotherapy": (35.1, 36.1)}
    scenarios.append(("surgery, 60 Gy, temozolomide", {"alpha": 0.065, "kappa": 0.1}, given, 0.95))
    forecasts = tuple(
        Forecast(name, sensitivity, done, days, 20 * rate**days, 40 * rate**days)
        for name, sensitivity, done, rate in scenarios
    )
    densities = {name: Density(data, grid, 180.0) for name in dict.fromkeys(each.name for each in forecasts)}
    return Outlook(0.1, Clock(0.07, 0.036, 298.0), 0.2, "ctv_standard", forecasts, densities)


def make_content(case, **changes):
    plan = make_plan(case.visit.labels, case.anatomy, case.density, margin_mm=15.0)
    content = ReportContent(
        visit=case.visit,
        anatomy=case.anatomy,
        density=case.density,
        posterior=make_posterior(),
        thresholds={"t1c": 0.62, "flair": 0.2},
        outline_dice={"core": 0.712, "whole": 0.853},
        plan=plan,
        comparison=compare_plans(plan, case.density, case.visit.labels),
        curve=coverage_curve(case.density, case.visit.labels, case.anatomy),
        warnings=(),
        provenance={"versions": {"gliocast": "0.1.0"}, "seed": 7, "inputs": {}, "seconds": {"fit": 3.0, "plan": 1.0}},
    )
    return replace(content, **changes)


@pytest.fixture(scope="session", name="make_case")
def make_case_fixture():
    """Builds a patient."""
    return make_case


@pytest.fixture(scope="session", name="make_content")
def make_content_fixture():
    """Builds a report's content from a patient."""
    return make_content


@pytest.fixture(scope="session")
def prior():
    """Of the parameters."""
    return make_prior()


@pytest.fixture(scope="session")
def maps(case):
    """What the posterior says of the density."""
    return make_maps(case)


@pytest.fixture(scope="session")
def outlook(case):
    """What may come."""
    return make_outlook(case)


@pytest.fixture(scope="session")
def check(case):
    """What was observed among what the model draws."""
    return make_check(case)


@pytest.fixture(scope="session")
def case():
    """A patient with core and edema."""
    return make_case()


@pytest.fixture(scope="session")
def truth():
    """True parameters; the seed's lies far off the estimate."""
    return {"diffusion_length": 11.7, "growth_number": 3.2, "seed_x": 99.0, "t1c_threshold": 0.6}
