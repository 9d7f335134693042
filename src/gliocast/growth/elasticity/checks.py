"""What the solvers refuse before any work; arrays and tensors alike."""

from typing import Any

from gliocast.core import InputError
from gliocast.growth.elasticity.displacement import Displacement

#: Fewest cells along an axis: one cell between two walls has no face that could move.
_MIN_CELLS = 2


def check_moduli(lam: Any, mu: Any, spacing: tuple[float, float, float]) -> None:
    """Refuse moduli that make no elastic body.

    Raises:
        InputError: shapes that differ, other than float32 or float64, fewer than two cells along an axis, a shear
            modulus that isn't positive, a negative lambda, or a spacing that isn't positive.
    """
    shapes = tuple(lam.shape), tuple(mu.shape)
    if shapes[0] != shapes[1] or len(shapes[0]) not in (3, 4) or min(shapes[0][-3:]) < _MIN_CELLS:
        raise InputError(
            "elastic moduli",
            expected=f"two arrays of one shape with {_MIN_CELLS} cells or more along each axis",
            got=f"shapes {shapes[0]} and {shapes[1]}",
            advice="give lambda and mu on the same grid",
        )
    if lam.dtype != mu.dtype or str(lam.dtype).removeprefix("torch.") not in ("float32", "float64"):
        raise InputError(
            "elastic moduli",
            expected="float32 or float64, the same for both",
            got=f"{lam.dtype} and {mu.dtype}",
            advice="convert them",
        )
    infinity = float("inf")
    if not bool(((mu > 0) & (mu < infinity) & (lam >= 0) & (lam < infinity)).all()):  # also false for nan
        raise InputError(
            "elastic moduli",
            expected="mu > 0 and lambda >= 0 in every voxel",
            got="other values",
            advice="make them with `lame` from Young's modulus and Poisson's ratio",
        )
    if len(spacing) != 3 or not all(0 < step < infinity for step in spacing):
        raise InputError(
            "spacing", expected="three positive lengths [mm]", got=f"{spacing}", advice="take the grid's own"
        )


def check_pressure(pressure: Any, moduli: Any) -> None:
    """Refuse a pressure that doesn't belong to the moduli.

    Raises:
        InputError: another shape, another floating type, or values that aren't finite.
    """
    if tuple(pressure.shape) != tuple(moduli.shape) or pressure.dtype != moduli.dtype:
        raise InputError(
            "pressure",
            expected=f"{moduli.dtype} of shape {tuple(moduli.shape)}, as the moduli",
            got=f"{pressure.dtype} of shape {tuple(pressure.shape)}",
            advice="give the pressure on the same grid",
        )
    if not _finite(pressure):
        raise InputError(
            "pressure", expected="finite numbers", got="others", advice="check the density it was made from"
        )


def check_faces(faces: Displacement, moduli: Any, subject: str) -> None:
    """Refuse what belongs to the faces of another grid.

    Raises:
        InputError: another shape or floating type, or values that aren't finite.
    """
    kinds = {part.dtype for part in faces.faces}
    batches = {tuple(part.shape[:-3]) for part in faces.faces}
    if faces.shape != tuple(moduli.shape[-3:]) or kinds != {moduli.dtype} or batches != {tuple(moduli.shape[:-3])}:
        raise InputError(
            subject,
            expected=f"{moduli.dtype} on the faces of the moduli's grid {tuple(moduli.shape)}",
            got=f"{', '.join(sorted(map(str, kinds)))} on {[tuple(part.shape) for part in faces.faces]}",
            advice="give one that belongs to the same grid, as an earlier solve returned it",
        )
    if not all(_finite(part) for part in faces.faces):
        raise InputError(subject, expected="finite numbers", got="others", advice="give an earlier solution")


def _finite(values: Any) -> bool:
    return bool((abs(values) < float("inf")).all())


def check_options(tolerance: float, max_iterations: int) -> None:
    """Refuse options that no iteration could meet.

    Raises:
        InputError: a tolerance outside of (0, 1) or no iterations at all.
    """
    if not 0 < tolerance < 1 or max_iterations < 1:
        raise InputError(
            "elasticity",
            expected="a tolerance between 0 and 1 and at least one iteration",
            got=f"{tolerance:g} and {max_iterations}",
            advice="use 1e-3 and 200",
        )
