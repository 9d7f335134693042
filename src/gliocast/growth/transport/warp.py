"""Images of displaced tissue."""

import numpy as np

from gliocast.core import InputError
from gliocast.growth.kernels.compiled import compile_loops


def _warp(out, image, u, ix, iy, iz):  # type: ignore[no-untyped-def]
    """out(x) <- image(x - u(x)), trilinear; beyond the outermost cell centers their value."""
    nx, ny, nz = image.shape
    zero = image.dtype.type(0)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                x = min(max(i - u[0, i, j, k] * ix, zero), nx - 1)
                y = min(max(j - u[1, i, j, k] * iy, zero), ny - 1)
                z = min(max(k - u[2, i, j, k] * iz, zero), nz - 1)
                a, b, c = min(int(x), max(nx - 2, 0)), min(int(y), max(ny - 2, 0)), min(int(z), max(nz - 2, 0))
                a1, b1, c1 = min(a + 1, nx - 1), min(b + 1, ny - 1), min(c + 1, nz - 1)
                x, y, z = x - a, y - b, z - c
                near = (1 - y) * ((1 - z) * image[a, b, c] + z * image[a, b, c1])
                near += y * ((1 - z) * image[a, b1, c] + z * image[a, b1, c1])
                far = (1 - y) * ((1 - z) * image[a1, b, c] + z * image[a1, b, c1])
                far += y * ((1 - z) * image[a1, b1, c] + z * image[a1, b1, c1])
                out[i, j, k] = (1 - x) * near + x * far


#: For one thread: what is drawn once isn't worth the seconds that loops with threads take to compile.
_LOOP = compile_loops(_warp, parallel=False).warp


def warp(image: np.ndarray, displacement: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """An image as it looks after its tissue was displaced, image(x - u(x)), linearly interpolated.

    For drawing: unlike `transport` it keeps values and not amounts. u is taken where tissue is now; elasticity is
    linear and doesn't tell that from where it was.

    Args:
        image: values at cell centers, shape (nx, ny, nz), float32 or float64.
        displacement: u at cell centers [mm], shape (3, nx, ny, nz), from `centered`.
        spacing: cell size along the axes [mm].

    Raises:
        InputError: shapes that don't fit, integers, or a displacement that isn't finite.
    """
    if displacement.shape != (3, *image.shape) or image.ndim != 3 or image.dtype.kind != "f":
        raise InputError(
            "image to warp",
            expected="floating numbers (nx, ny, nz) and a displacement (3, nx, ny, nz)",
            got=f"{image.dtype} {image.shape} and {displacement.shape}",
            advice="give the displacement at cell centers, and warp labels one at a time",
        )
    if not np.isfinite(displacement).all():
        raise InputError("image to warp", expected="a finite displacement", got="others", advice="solve for it again")
    inverse = (image.dtype.type(1 / h) for h in spacing)
    out = np.empty(image.shape, image.dtype)
    _LOOP(out, np.ascontiguousarray(image), np.ascontiguousarray(displacement, image.dtype), *inverse)
    return out
