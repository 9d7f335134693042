"""Whether a posterior may be believed, from what its own simulations look like (see `misfit`)."""

from gliocast.core import Posterior

#: An observation farther out than this percentile of its posterior's simulations isn't explained by it [%]: of
#: posteriors that are right, one in a hundred is called wrong, or fewer.
_EXPLAINED_PERCENTILE = 99.0


def misfit_sentence(posterior: Posterior) -> str | None:
    """What a person must know where the observation lies beyond what was learned; None where it doesn't.

    Of posteriors by other methods, which learn nothing, there is nothing to say.
    """
    percentile = posterior.diagnostics.get("misfit_percentile", 0.0)
    if percentile <= _EXPLAINED_PERCENTILE:
        return None
    times = posterior.diagnostics.get("misfit_distance", float("nan"))
    return (
        f"the scan lies beyond what the networks learned from: farther out than {percentile:.0f} % of simulations of "
        f"its own posterior, {times:.1f} times as far as usual; distrust this posterior"
    )
