"""The inverse problem of one segmentation: which growth, which likelihood, which prior, and where a search begins."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import Anatomy, Forward, InputError, LabelMap
from gliocast.growth import FisherKolmogorov, Held, MassEffect, Simulator, SingleScan
from gliocast.inference import IndependentPrior
from gliocast.observation import OutlineLikelihood
from gliocast.observation.tempering import Tempering
from gliocast.problem.problem import Problem
from gliocast.problem.shape import central_point, coarsening, equivalent_radius, front_shape

#: Inference looks at the tumor on voxels of about this size [mm].
INFERENCE_SPACING_MM = 2.0

#: Relative L2 error of the solves behind a likelihood [1]; the log-likelihood moves by less than a tenth of a nat.
INFERENCE_ACCURACY = 2e-2

#: Initial spread of a search along the straightened axes of length, number and thresholds [1], and of the seed [mm].
_SPREAD = {"diffusion_length": 0.4, "growth_number": 0.3, "t1c_threshold": 0.4, "flair_threshold": 0.4}
_SEED_SPREAD_MM = 4.0


@dataclass(frozen=True, eq=False)
class Guess:
    """Where a search begins.

    Args:
        point: natural units, (num_parameters,).
        spread: standard deviations on the straightened axes, (num_parameters,).
    """

    point: np.ndarray
    spread: np.ndarray


def outline_problem(
    labels: LabelMap,
    anatomy: Anatomy,
    *,
    simulator: Simulator | None = None,
    known: Mapping[str, float] | None = None,
    tempering: Tempering = "residuals",
) -> tuple[Problem, Guess]:
    """The problem of a segmentation in an anatomy of the same grid, and where to begin.

    Both are coarsened to the inference spacing; the seed's prior is centered on the core and as wide as the tumor.

    Args:
        labels: the segmentation.
        anatomy: tissue on its grid.
        simulator: grows the tumor; by default Fisher-Kolmogorov growth. Where it is mass effect of a known pressure,
            Fisher-Kolmogorov growth, which costs a hundredth, helps `temper` to find the mode.
        known: values of parameters of the growth that aren't inferred, by name.
        tempering: what a voxel counts, see `OutlineLikelihood`. By "residuals", weights are provisional until `temper`
            has fitted the problem once.
    """
    labels.grid.require_same(anatomy.grid, "segmentation")
    if not labels.whole.any():
        raise InputError("segmentation", expected="a tumor", got="only background", advice="segment it first")
    factors = coarsening(anatomy.grid, INFERENCE_SPACING_MM)
    observation = OutlineLikelihood.from_labels(labels, factors, tempering=tempering)
    solver = replace(simulator or Simulator(), backend="numba-single", accuracy=INFERENCE_ACCURACY, progress=None)
    forward = Held(SingleScan(solver), known) if known else SingleScan(solver)
    parameters = (*forward.parameters, *observation.parameters)
    center = central_point(labels.core if labels.core.any() else labels.whole, labels.grid)
    width = equivalent_radius(labels.whole, labels.grid)
    seed = {f"seed_{axis}": (float(position), width) for axis, position in zip("xyz", center, strict=True)}
    prior = IndependentPrior.from_typical(parameters, known=seed)
    cheaper = _cheaper(solver, forward)
    problem = Problem(forward, anatomy.coarsen(factors), observation, prior, cheaper=cheaper)
    return problem, _guess_from_moments(labels, prior)


def _cheaper(solver: Simulator, forward: Forward) -> Forward | None:
    """Growth that stands in for mass effect while a mode is sought, where the parameters are the same."""
    if not isinstance(solver.model, MassEffect):
        return None
    plain = SingleScan(replace(solver, model=FisherKolmogorov(solver.model.diffusivity_ratio)))
    return plain if plain.parameters == forward.parameters else None


def _guess_from_moments(labels: LabelMap, prior: IndependentPrior) -> Guess:
    """A first guess from the radii of core and whole tumor.

    The front has traveled R = 2 l g, and between the two thresholds its logit falls by one per l/g; so the radii give
    length l and number g, within their typical ranges. Seed and thresholds begin in the middle of their priors.
    """
    names = [parameter.name for parameter in prior.parameters]
    middle = dict(zip(names, prior.location, strict=True))
    if "t1c_threshold" in middle:
        length, number = front_shape(labels, middle["t1c_threshold"], middle["flair_threshold"])
    else:
        radius = equivalent_radius(labels.whole, labels.grid)
        length, number = radius / np.sqrt(12), np.sqrt(3)  # a front a sixth of the radius wide
    typical = {parameter.name: parameter.typical for parameter in prior.parameters}
    middle["diffusion_length"] = np.log(np.clip(length, *typical["diffusion_length"]))
    middle["growth_number"] = np.log(np.clip(number, *typical["growth_number"]))
    point = [float(parameter.support.bend(middle[parameter.name])) for parameter in prior.parameters]
    return Guess(np.array(point), np.array([_SPREAD.get(name, _SEED_SPREAD_MM) for name in names]))
