"""The inverse problem of one segmentation: which growth, which likelihood, which prior, and where a search begins."""

from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import Anatomy, InputError, LabelMap
from gliocast.growth import Simulator, SingleScan
from gliocast.inference import IndependentPrior
from gliocast.observation import OutlineLikelihood
from gliocast.observation.mri import Tempering
from gliocast.problem.problem import Problem

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
    labels: LabelMap, anatomy: Anatomy, *, simulator: Simulator | None = None, tempering: Tempering = "residuals"
) -> tuple[Problem, Guess]:
    """The problem of a segmentation in an anatomy of the same grid, and where to begin.

    Both are coarsened to the inference spacing; the seed's prior is centered on the core and as wide as the tumor.

    Args:
        labels: the segmentation.
        anatomy: tissue on its grid.
        simulator: grows the tumor; by default Fisher-Kolmogorov growth.
        tempering: what a voxel counts, see `OutlineLikelihood`. By "residuals", weights are provisional until `temper`
            has fitted the problem once.
    """
    labels.grid.require_same(anatomy.grid, "segmentation")
    if not labels.whole.any():
        raise InputError("segmentation", expected="a tumor", got="only background", advice="segment it first")
    x, y, z = (max(1, round(INFERENCE_SPACING_MM / spacing)) for spacing in anatomy.grid.spacing)
    observation = OutlineLikelihood.from_labels(labels, (x, y, z), tempering=tempering)
    solver = replace(simulator or Simulator(), backend="numba-single", accuracy=INFERENCE_ACCURACY, progress=None)
    forward = SingleScan(solver)
    parameters = (*forward.parameters, *observation.parameters)
    voxels = np.argwhere(labels.core if labels.core.any() else labels.whole)
    # the centroid of a bent or bilateral tumor may lie in fluid; the tumor's voxel next to it doesn't
    nearest = voxels[np.argmin(np.sum((voxels - voxels.mean(axis=0)) ** 2, axis=1))]
    center = anatomy.grid.world_from_voxel(nearest)
    width = _radius(float(labels.whole.sum()) * anatomy.grid.voxel_volume)
    seed = {f"seed_{axis}": (float(position), width) for axis, position in zip("xyz", center, strict=True)}
    prior = IndependentPrior.from_typical(parameters, known=seed)
    problem = Problem(forward, anatomy.coarsen((x, y, z)), observation, prior)
    return problem, _guess_from_moments(labels, prior)


def _guess_from_moments(labels: LabelMap, prior: IndependentPrior) -> Guess:
    """A first guess from the radii of core and whole tumor.

    The front has traveled R = 2 l g, and between the two thresholds its logit falls by one per l/g; so the radii give
    length l and number g, within their typical ranges. Seed and thresholds begin in the middle of their priors.
    """
    names = [parameter.name for parameter in prior.parameters]
    middle = dict(zip(names, prior.location, strict=True))
    whole, core = (_radius(float(part.sum()) * labels.grid.voxel_volume) for part in (labels.whole, labels.core))
    if "t1c_threshold" in middle:
        front_width = max(whole - core, 1.0) / (middle["t1c_threshold"] - middle["flair_threshold"])
    else:
        front_width = whole / 6
    typical = {parameter.name: parameter.typical for parameter in prior.parameters}
    middle["diffusion_length"] = np.log(np.clip(np.sqrt(whole * front_width / 2), *typical["diffusion_length"]))
    middle["growth_number"] = np.log(np.clip(np.sqrt(whole / (2 * front_width)), *typical["growth_number"]))
    point = [float(parameter.support.bend(middle[parameter.name])) for parameter in prior.parameters]
    return Guess(np.array(point), np.array([_SPREAD.get(name, _SEED_SPREAD_MM) for name in names]))


def _radius(volume: float) -> float:
    """Radius of the ball of a volume, mm from mm^3."""
    return (3 * volume / (4 * np.pi)) ** (1 / 3)
