"""Several visits: begin with what the first shows, calibrate on the second, predict the third.

Between two visits time is known, so diffusivity and proliferation rate are identified one by one, in days. Growth
begins with the density that the first visit suggests (see `gliocast.problem.first_visit`) and not with a seed. Where
that density is drawn through the first visit's outlines, it depends on the same thresholds as the second visit's do.

Source: Ezhov, dissertation (2023), Chapter 6, which begins with inverse ADC, infers (D, rho, u_T1, u_T2) from the next
visit, and predicts those after it. The likelihood here is `OutlineLikelihood`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import (
    Anatomy,
    Density,
    Forward,
    InputError,
    LabelMap,
    OutsideTissueError,
    Posterior,
    Volume,
)
from gliocast.growth import DensityMap, KnownAge, Simulator
from gliocast.inference import IndependentPrior
from gliocast.observation import OutlineLikelihood
from gliocast.observation.joint import merge_parameters
from gliocast.problem.first_visit import FrontFromOutlines, OutlineStart
from gliocast.problem.grown import require_most_grown, require_posterior_of
from gliocast.problem.outlines import INFERENCE_ACCURACY, INFERENCE_SPACING_MM, Guess
from gliocast.problem.problem import Problem
from gliocast.problem.shape import coarsened, coarsening, equivalent_radius

#: Initial spread of a search on the straightened axes [1].
_SPREAD = 0.5

#: Densities held at a time.
_CHUNK = 16

#: Slowest growth of the whole tumor's radius that a first guess assumes [mm/d]; segmentations may even shrink.
_MIN_SPEED = 0.005


class VisitProblem(Problem):
    """Posterior of growth from the first visit to the second, which was observed; a Target."""

    forward: KnownAge

    def seen_on(
        self, points: np.ndarray, day: float, generator: np.random.Generator
    ) -> Iterator[tuple[Density, np.ndarray]]:
        """The density on any day after the first visit, and outlines drawn of it, for each point in turn.

        Points from which growth can't begin are left out.
        """

        def grow(point: np.ndarray) -> Density | None:
            try:
                return self.forward.forward(point[: len(self.forward.parameters)], self.anatomy, days=[day])[0]
            except OutsideTissueError:
                return None

        for first in range(0, len(points), _CHUNK):  # all densities together may not fit into memory
            chunk = points[first : first + _CHUNK]
            for point, density in zip(chunk, self._map(grow, chunk), strict=True):
                if density is not None:
                    yield density, self.observation.sample(density, self.observation_values(point), generator)


def visit_problem(
    first: LabelMap | Density,
    second: LabelMap,
    anatomy: Anatomy,
    *,
    days: float,
    known: Mapping[str, tuple[float, float]] | None = None,
    spacing_mm: float = INFERENCE_SPACING_MM,
    simulator: Simulator | None = None,
) -> tuple[VisitProblem, Guess]:
    """The problem of growth from a first visit to a second, and where to begin.

    Args:
        first: the first visit's segmentation, or its density (say of `density_from_adc`).
        second: the second visit's segmentation; all on one grid.
        anatomy: tissue on that grid.
        days: from the first visit to the second [d].
        known: (location, scale) of the prior on the straightened axis, by parameter name, where the typical range of
            patients isn't meant.
        spacing_mm: voxel size that inference works on [mm].
        simulator: grows the tumor; its own start isn't used.

    Returns:
        The problem; points are (D_w, rho, c_T1c, c_FLAIR). And a first guess.

    Raises:
        InputError: a visit on another grid, without a tumor, or no time between them.
    """
    anatomy.grid.require_same(first.grid, "first visit")
    anatomy.grid.require_same(second.grid, "second visit")
    factors = coarsening(anatomy.grid, spacing_mm)
    observation = OutlineLikelihood.from_labels(second, factors)
    coarse = anatomy.coarsen(factors)
    solver = replace(simulator or Simulator(), backend="numba-single", accuracy=INFERENCE_ACCURACY, progress=None)
    growth: Forward
    if isinstance(first, Density):
        growth = solver.starting(DensityMap(Density(coarsened(first.data, factors), coarse.grid, 0.0)))
    else:
        growth = FrontFromOutlines(solver.starting(OutlineStart.from_labels(first, factors)))
    forward = KnownAge(growth, days)
    prior = IndependentPrior.from_typical(merge_parameters(forward.parameters, observation.parameters), known=known)
    return VisitProblem(forward, coarse, observation, prior), _guess(first, second, days, prior)


def _guess(first: LabelMap | Density, second: LabelMap, days: float, prior: IndependentPrior) -> Guess:
    """A front that travels 2 sqrt(D_w rho) a day and whose logit falls by one per sqrt(D_w / rho)."""
    middle = {p.name: float(p.support.bend(z)) for p, z in zip(prior.parameters, prior.location, strict=True)}
    seen = first.data > middle["flair_threshold"] if isinstance(first, Density) else first.whole
    before, after = (equivalent_radius(mask, second.grid) for mask in (seen, second.whole))
    speed = max((after - before) / days, _MIN_SPEED)
    width = after / 6  # in the middle of typical growth numbers, sqrt(rho T) = 1.7
    if second.core.any():
        logits = [np.log(middle[name] / (1 - middle[name])) for name in ("t1c_threshold", "flair_threshold")]
        width = max(after - equivalent_radius(second.core, second.grid), 1.0) / (logits[0] - logits[1])
    middle |= {"white_matter_diffusivity": speed * width / 2, "proliferation_rate": speed / (2 * width)}
    low, high = prior.color(np.array([[-2.0], [2.0]]) * np.ones((1, len(prior.parameters))))
    point = np.clip([middle[p.name] for p in prior.parameters], low, high)
    return Guess(point, np.full(len(point), _SPREAD))


@dataclass(frozen=True, eq=False)
class VisitPrediction:
    """What a visit will show, with a rater's errors.

    Args:
        day: days after the first visit [d].
        volumes_ml: of core and whole tumor over posterior samples [ml], (num_samples, 2).
        core: probability that a voxel is inside the core's outline [1]; half of it is the outline to expect.
        whole: the same of the whole tumor.
        density: posterior mean, with its standard deviation.
    """

    day: float
    volumes_ml: np.ndarray
    core: Volume
    whole: Volume
    density: Density

    def interval_ml(self, probability: float = 0.95) -> np.ndarray:
        """Central intervals of the volumes of core and whole tumor [ml], (2, 2)."""
        tail = (1 - probability) / 2
        return np.quantile(self.volumes_ml, [tail, 1 - tail], axis=0).T


def predict_visit(
    problem: VisitProblem,
    posterior: Posterior,
    *,
    day: float,
    generator: np.random.Generator,
    num_samples: int = 200,
) -> VisitPrediction:
    """Outlines and volumes on a day after the first visit: the posterior predictive distribution.

    Growth runs through from the first visit, so the second one is met on the way.

    Args:
        problem: of the first two visits.
        posterior: its solution.
        day: days after the first visit [d].
        generator: of the rater's errors.
        num_samples: posterior samples to grow.

    Raises:
        InputError: no day after the first visit, or a posterior of another problem.
        QualityError: most samples can't grow.
    """
    if not 0 < day < np.inf or num_samples < 2:
        raise InputError(
            "prediction", expected="a day after the first visit, two samples or more", got=f"{day}, {num_samples}",
            advice="count days from the first visit",
        )  # fmt: skip
    require_posterior_of(problem.parameters, posterior)
    grid = problem.anatomy.grid
    volumes, shown = [], np.zeros((2, *grid.shape))
    mean, scatter = np.zeros(grid.shape), np.zeros(grid.shape)
    for count, (density, outlines) in enumerate(problem.seen_on(posterior.drawn(num_samples), day, generator), 1):
        volumes.append(outlines.sum(axis=(1, 2, 3)) * grid.voxel_ml)
        shown += outlines
        step = density.data - mean  # Welford's mean and sum of squares
        mean += step / count
        scatter += step * (density.data - mean)
    require_most_grown("prediction", len(volumes), num_samples)
    core, whole = (Volume((part / len(volumes)).astype(np.float32), grid) for part in shown)
    spread = np.sqrt(scatter / len(volumes)).astype(np.float32)
    density = Density(mean.astype(np.float32), grid, day, standard_deviation=spread)
    return VisitPrediction(day, np.array(volumes), core, whole, density)
