"""The inverse problem of the paper: T1c, FLAIR and FET-PET of one day.

Of its eleven parameters six are of growth (D_w, rho, T and the seed) and five of imaging (two thresholds, the width of
visibility, PET's uptake and noise). One scan knows no clock, so D_w, rho and T lie on a ridge; sqrt(D_w T) and
sqrt(rho T), which make ten of the eleven, are what it can tell.

Source: Ezhov, dissertation (2023), Chapter 5, Eqs. 4 to 7 and Table II.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from scipy.special import logit

from gliocast.core import Anatomy, Forward, InputError, LabelMap, Volume
from gliocast.growth import AgedScan, Simulator, SingleScan
from gliocast.inference import UniformPrior
from gliocast.observation import JointObservation, PETLikelihood, core_outline, whole_outline
from gliocast.problem.outlines import INFERENCE_ACCURACY, INFERENCE_SPACING_MM, Guess
from gliocast.problem.problem import Problem
from gliocast.problem.shape import central_point, coarsened, coarsening, equivalent_radius, front_shape

#: How growth is described. "identifiable": by sqrt(D_w T) and sqrt(rho T), ten parameters in all. "paper": by D_w, rho
#: and T, eleven.
Parametrization = Literal["identifiable", "paper"]

#: How scans are read. "tempered": errors of neighboring voxels are correlated, so only a share of voxels counts, and no
#: label costs more than `observation.double_logistic.LEAST_PROBABILITY` allows. "paper": every voxel is independent.
Reading = Literal["tempered", "paper"]

#: Prior ranges of the paper, in the parameters' units. Table II states D_w from 0.01 to 0.08 mm^2/d but reports modes
#: of up to 0.08998, four of five of them right below 0.09, which therefore was the bound in use, and is here.
PAPER_RANGES: Mapping[str, tuple[float, float]] = {
    "white_matter_diffusivity": (0.01, 0.09),
    "proliferation_rate": (0.0001, 0.03),
    "tumor_age": (30.0, 1000.0),
    "t1c_threshold": (0.6, 0.8),
    "flair_threshold": (0.05, 0.6),
    "visibility_width": (0.05, 0.08),
    "pet_uptake": (0.6, 1.02),
    "pet_noise": (0.01, 0.25),
}

#: Ranges of what one scan can tell. Above, they hold patients (`DIFFUSION_LENGTH`) and what the paper's ranges reach
#: together (9.5 mm and 5.5); below, cells that multiplied by less than exp(0.5^2) = 1.3 show no tumor.
IDENTIFIABLE_RANGES: Mapping[str, tuple[float, float]] = {
    **{name: PAPER_RANGES[name] for name in PAPER_RANGES if name.startswith(("t1c", "flair", "visibility", "pet"))},
    "diffusion_length": (0.5, 30.0),
    "growth_number": (0.5, 5.5),
}

_PARAMETRIZATIONS: Mapping[str, tuple[Callable[[Simulator], Forward], Mapping[str, tuple[float, float]]]] = {
    "identifiable": (SingleScan, IDENTIFIABLE_RANGES),
    "paper": (AgedScan, PAPER_RANGES),
}

#: The seed may lie this far from the core's center along each axis: the whole tumor's radius, and at least [mm].
_MIN_SEED_RANGE_MM = 10.0

#: A guess keeps this share of a range away from its ends [1].
_INSET = 0.05

#: Initial spread of a search on the straightened axes [1], where a uniform prior has a standard deviation of 1.8, and
#: of the seed, which the core's center tells better.
_SPREAD, _SEED_SPREAD = 0.7, 0.3


def mri_pet_problem(
    labels: LabelMap,
    uptake: Volume,
    anatomy: Anatomy,
    *,
    parametrization: Parametrization = "identifiable",
    reading: Reading = "tempered",
    ranges: Mapping[str, tuple[float, float]] | None = None,
    spacing_mm: float = INFERENCE_SPACING_MM,
    simulator: Simulator | None = None,
) -> tuple[Problem, Guess]:
    """The problem of a segmentation and a PET of one day, and where to begin.

    Priors are uniform. The seed's box is centered on the core and reaches as far as the whole tumor's radius (the paper
    states the seed as a fraction of its domain). A prior that is uniform in one parametrization isn't in the other.

    Args:
        labels: segmentation with core and whole tumor.
        uptake: normalized FET-PET on the same grid (see `gliocast.observation.normalize_uptake`).
        anatomy: tissue on the same grid.
        parametrization: "identifiable", or "paper" for comparison.
        reading: "tempered", or "paper" for comparison.
        ranges: of the priors, by parameter name, where they differ from `IDENTIFIABLE_RANGES` or `PAPER_RANGES`.
        spacing_mm: voxel size that inference works on [mm].
        simulator: grows the tumor.

    Returns:
        The problem; points are (sqrt(D_w T), sqrt(rho T), x, y, z, c_T1c, sigma_alpha, c_FLAIR, b, sigma), or with
        (D_w, rho, T) in place of the first two. And a first guess.

    Raises:
        InputError: a scan on another grid, no core, uptake that isn't normalized, no such parametrization or reading.
    """
    _require_sound(labels, uptake, anatomy, parametrization)
    solver = replace(simulator or Simulator(), backend="numba-single", accuracy=INFERENCE_ACCURACY, progress=None)
    growth, defaults = _PARAMETRIZATIONS[parametrization]
    forward = growth(solver)
    factors = coarsening(anatomy.grid, spacing_mm)
    coarse = anatomy.coarsen(factors)
    observation = _read(labels, uptake, coarse, factors, reading)
    reach = max(equivalent_radius(labels.whole, labels.grid), _MIN_SEED_RANGE_MM)
    center = central_point(labels.core, labels.grid)
    box = {f"seed_{axis}": (c - reach, c + reach) for axis, c in zip("xyz", center.tolist(), strict=True)}
    limits = {**defaults, **box, **(ranges or {})}
    prior = UniformPrior.over((*forward.parameters, *observation.parameters), limits)
    problem = Problem(forward, coarse, observation, prior)
    return problem, _guess(prior, labels, uptake, coarse.brain, observation)


def _require_sound(labels: LabelMap, uptake: Volume, anatomy: Anatomy, parametrization: Parametrization) -> None:
    """Raise InputError unless scans lie on one grid and there is a core."""
    if parametrization not in _PARAMETRIZATIONS:
        raise InputError(
            "parametrization",
            expected=" or ".join(_PARAMETRIZATIONS),
            got=parametrization,
            advice="use identifiable",
        )
    labels.grid.require_same(anatomy.grid, "segmentation")
    labels.grid.require_same(uptake.grid, "PET")
    if not labels.core.any():
        raise InputError(
            "segmentation", expected="a tumor core", got="none", advice="fit the outline alone, with outline_problem"
        )


def _read(
    labels: LabelMap, uptake: Volume, coarse: Anatomy, factors: tuple[int, int, int], reading: Reading
) -> JointObservation:
    """The three scans on the coarse grid."""
    core, whole = (coarsened(mask, factors) for mask in (labels.core, labels.whole))
    outlines = core_outline(core, coarse.grid, coarse.brain), whole_outline(whole, coarse.grid, coarse.brain)
    pet = PETLikelihood(coarsened(uptake.data, factors), coarse.grid, coarse.brain)
    if reading == "tempered":
        return JointObservation((*outlines, pet))
    if reading == "paper":
        apart: dict[str, Any] = {"tempering": "independent", "correlation_mm": 0.0}
        exact = (replace(outline, least_probability=0.0, **apart) for outline in outlines)
        return JointObservation((*exact, replace(pet, **apart)))
    raise InputError("reading", expected='"tempered" or "paper"', got=f"{reading}", advice="use tempered")


def _guess(
    prior: UniformPrior, labels: LabelMap, uptake: Volume, brain: np.ndarray, observation: JointObservation
) -> Guess:
    """The middle of every range, but what radii and gray values tell."""
    bounds = {p.name: (p.support.lower, p.support.upper) for p in prior.parameters}
    middle = {name: (low + high) / 2 for name, (low, high) in bounds.items()}
    core_logit, whole_logit = (float(logit(middle[f"{scan}_threshold"])) for scan in ("t1c", "flair"))
    length, number = front_shape(labels, core_logit, whole_logit)
    if "tumor_age" in bounds:
        middle |= _with_clock(length, number, bounds)
    else:
        middle |= {"diffusion_length": length, "growth_number": number}
    core, whole, image = observation.observed
    middle["pet_noise"] = float(image[brain & (whole == 0)].std())
    # a core is dense, but not full
    dense = (1 + middle["t1c_threshold"]) / 2
    middle["pet_uptake"] = float(np.average(image, weights=core)) / dense
    low, high = np.array([bounds[p.name] for p in prior.parameters]).T
    inset = _INSET * (high - low)
    point = np.clip([middle[p.name] for p in prior.parameters], low + inset, high - inset)
    spread = [_SEED_SPREAD if p.name.startswith("seed") else _SPREAD for p in prior.parameters]
    return Guess(point, np.array(spread))


def _with_clock(length: float, number: float, bounds: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """D_w, rho and T of a front, with the age in the middle of those that leave all three in their ranges."""
    diffusivity, rate, age = (bounds[n] for n in ("white_matter_diffusivity", "proliferation_rate", "tumor_age"))
    youngest = max(age[0], length**2 / diffusivity[1], number**2 / rate[1])
    oldest = min(age[1], length**2 / diffusivity[0], number**2 / rate[0])
    days = float(np.clip(np.sqrt(youngest * oldest), *age))
    return {
        "white_matter_diffusivity": length**2 / days,
        "proliferation_rate": number**2 / days,
        "tumor_age": days,
    }
