"""Sequential neural posterior estimation: from a target that can be simulated to a posterior."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from gliocast.core import Posterior, Target
from gliocast.inference.cma import Mode
from gliocast.inference.npe.options import NPEOptions


def npe(
    target: Target,
    *,
    generator: np.random.Generator,
    options: NPEOptions | None = None,
    start: Mode | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Posterior:
    r"""Posterior by networks that learn, round by round, which parameters look like the observation.

    Parameters drawn from a proposal are simulated; a network learns the Gaussian mixture q(theta | x) of parameters
    given what was seen; what it says of the observation is the next round's proposal. No likelihood is evaluated.

    Args:
        target: the posterior; its prior, its `simulate` and what it observed are used.
        generator: source of randomness.
        options: how to estimate.
        start: a mode, found by Gauss-Newton, that the first round draws around, broadly, instead of from the prior
            alone; it changes where networks learn and not what they learn. None where nothing is known.
        checkpoint: a file that each finished round is saved in, and that an interrupted run goes on from, to the
            same result.
        progress: called with the fraction of the expected work that is done.

    Returns:
        Samples of the last mixture with equal weights and its log-densities with respect to the straightened
        coordinates. `stages` holds the rounds' simulations, losses [nat], epochs and, where there are importance
        weights, their effective sample size. `diagnostics` has ``observation_distance``: how far the observation lies
        from its nearest simulation of the last round, over what nine in ten simulations keep to among each other;
        well above one, no simulation looks like it. ``misfit_percentile`` says how many of a hundred simulations of
        the posterior itself are nearer to what was simulated last than the observation is, and ``misfit_distance`` how
        far it is, over how far these are (see `misfit`); `misfit_sentence` puts in words when not to believe the
        posterior.

    Raises:
        InputError: the observation isn't finite, or the checkpoint is damaged or another job's.
        ConvergenceError: simulations fail or are all equal, training diverges, or the prior rules all draws out.
        QualityError: the observation lies far outside of all that was simulated.

    Source:
        Greenberg et al. (2019) and, as the variant "chapter-6", Ezhov's dissertation (2022), Chapter 6; see `npe_c`
        and `chapter_6` for equations and departures.
    """
    from gliocast.inference.npe.conclusion import conclude  # torch takes seconds to import
    from gliocast.inference.npe.first import around
    from gliocast.inference.npe.mixture import Mixture
    from gliocast.inference.npe.rounds import replicated_misfit, run_rounds

    options = options or NPEOptions()
    first = Mixture.prior(len(target.parameters)) if start is None else around(target, start)
    learned = run_rounds(target, options, first, generator, checkpoint, progress)
    posterior = conclude(target, learned, options, generator)
    found = replicated_misfit(target, learned, posterior, options.num_replicates, generator)
    if progress is not None:
        progress(1.0)
    return replace(posterior, diagnostics={**posterior.diagnostics, **found})
