r"""What happens inside one voxel, written once: numba compiles it into its loops, torch runs it on whole tensors.

Only arithmetic is used, so that the same lines hold for a number and for a tensor, and so that loops vectorize.
"""
# mypy: disable-error-code="no-untyped-def"
# (every argument may be a number, an array or a tensor)

from numba.extending import register_jitable

#: Keeps a quotient defined where both of its parts vanish [1].
_TINY = 1e-12


@register_jitable
def exponential(x):
    r"""exp(x) by the fourth power of the Pade approximant [2/2] of exp(x/4): positive for every x.

    The relative error is below 2e-7 for \|x\| <= 0.5 and below 6e-6 for \|x\| <= 1.
    """
    square = x * x * (1.0 / 192.0)
    ratio = (1.0 + 0.125 * x + square) / (1.0 - 0.125 * x + square)
    ratio = ratio * ratio
    return ratio * ratio


@register_jitable
def logistic(u, growth):
    """Exact solution of u' = rho u (1 - u) after a time t with growth = exp(rho t)."""
    grown = growth * u
    return grown / (1.0 - u + grown)


@register_jitable
def nourish(p, n, deficit, time, uptake, supply):
    """Nutrient deficit q after a time at fixed cells:  q' = uptake p (1 - q) - supply (1 - p - n) q."""
    used = uptake * p
    total = used + supply * (1.0 - p - n) + _TINY
    balance = used / total
    return balance + (deficit - balance) * exponential(-total * time)


@register_jitable
def hypoxia(deficit, threshold):
    """Share of the full rate of necrosis, 1 / (1 + (s / threshold)^4) at nutrient s = 1 - deficit."""
    ratio = (1.0 - deficit) / threshold
    ratio = ratio * ratio
    return 1.0 / (1.0 + ratio * ratio)


@register_jitable
def starve(p, n, deficit, time, rate, death, threshold, uptake, supply):
    """Reaction of `ProliferativeNecrotic` over a time: flows of nutrient, necrosis and growth, symmetrically split.

    Args:
        p: proliferating cells [1].
        n: necrotic cells [1].
        deficit: of the nutrient, q = 1 - s [1].
        time: how long [d].
        rate: proliferation rate rho [1/d].
        death: rate of necrosis without nutrient [1/d].
        threshold: nutrient at which half of that rate holds [1].
        uptake: rate at which cells at capacity use nutrient up [1/d].
        supply: rate at which the vessels of healthy tissue refill it [1/d].

    Returns:
        p, n and deficit.
    """
    half = 0.5 * time
    deficit = nourish(p, n, deficit, half, uptake, supply)
    alive = exponential(-death * half * hypoxia(deficit, threshold))
    n = n + (1.0 - alive) * p
    p = alive * p
    room = 1.0 - n + _TINY
    p = room * logistic(p / room, exponential(rate * time * (1.0 - deficit) * room))
    n = n + (1.0 - alive) * p
    p = alive * p
    return p, n, nourish(p, n, deficit, half, uptake, supply)
