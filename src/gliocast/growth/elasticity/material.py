"""Elastic moduli of isotropic tissue."""

from typing import Any

import numpy as np

from gliocast.core import InputError


def lame(young: Any, poisson: Any) -> tuple[Any, Any]:
    r"""Lamé's moduli from Young's modulus and Poisson's ratio.

    .. math:: \lambda = \frac{E\,\nu}{(1 + \nu)(1 - 2\nu)}, \qquad \mu = \frac{E}{2\,(1 + \nu)}

    Typical of gliomas: E = 0.1 (fluid), 2.1 (brain), 8 (tumor), 15 kPa (elsewhere), nu = 0.1, 0.4, 0.45, 0.45.

    Args:
        young: E > 0 [kPa], a number, array or tensor.
        poisson: 0 <= nu < 0.5 [1], of the same shape or a number. Solutions cost more the nearer it is to 0.5.

    Returns:
        lambda and mu [kPa], of the floating type that came in.

    Raises:
        InputError: a modulus that isn't positive and finite, or a ratio outside of [0, 0.5).
    """
    if not _all((young > 0) & (young < float("inf"))):  # also false for nan
        raise InputError(
            "Young's modulus",
            expected="positive numbers",
            got="zero, negative or not-a-number values",
            advice="give every voxel, also outside of the head, a stiffness [kPa]",
        )
    if not _all((poisson >= 0) & (poisson < 0.5)):
        raise InputError(
            "Poisson's ratio",
            expected="numbers in [0, 0.5)",
            got="values outside of it",
            advice="use 0.45 for nearly incompressible tissue",
        )
    shear = young / (2 * (1 + poisson))
    return 2 * shear * poisson / (1 - 2 * poisson), shear


def _all(condition: Any) -> bool:
    return bool(condition.all()) if hasattr(condition, "all") else bool(np.all(condition))
