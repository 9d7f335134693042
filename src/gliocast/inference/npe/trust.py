"""Whether a posterior may be believed, from what its own simulations look like (see `misfit`)."""

from gliocast.core import Posterior

#: An observation farther out than the second of these percentiles of its posterior's simulations isn't explained by it;
#: one nearer than the first shows a posterior that has run away from all that was learned [%]. Of posteriors that are
#: right, one in fifty is called wrong, or fewer.
_USUAL_PERCENTILES = (1.0, 99.0)


def misfit_sentence(posterior: Posterior) -> str | None:
    """What a person must know where scan, posterior and what was learned don't go together; None where they do.

    Of posteriors by other methods, which learn nothing, there is nothing to say.
    """
    percentile = posterior.diagnostics.get("misfit_percentile")
    if percentile is None or _USUAL_PERCENTILES[0] <= percentile <= _USUAL_PERCENTILES[1]:
        return None
    if percentile < _USUAL_PERCENTILES[0]:
        return (
            "simulations of the posterior don't look like any that the networks learned from; distrust this posterior"
        )
    times = posterior.diagnostics.get("misfit_distance", float("nan"))
    return (
        f"the scan lies beyond what the networks learned from: farther out than {percentile:.0f} % of simulations of "
        f"its own posterior, {times:.1f} times as far as usual; distrust this posterior"
    )
