"""The layout of a vector inside of the solvers.

Every field lives in an array that is two longer than the grid along each axis, a vector in three such arrays. Cell i
sits in slot i + 1, face (edge) i of an axis in slot i + 1 too, so that the neighbors of the cell slot a are the face
slots a and a + 1. Slots outside the grid and faces on the wall hold zero, which is the boundary condition.
"""

from typing import Any

from gliocast.growth.elasticity.displacement import Displacement

_CELLS, _FACES = slice(1, -1), slice(1, None)


def face_views(u: Any) -> tuple[Any, Any, Any]:
    """The components on all faces, walls included, as views of an array or tensor (..., 3, slots)."""
    return (
        u[..., 0, _FACES, _CELLS, _CELLS],
        u[..., 1, _CELLS, _FACES, _CELLS],
        u[..., 2, _CELLS, _CELLS, _FACES],
    )


def fill(u: Any, displacement: Displacement) -> Any:
    """Write the components into a vector, in place; what they hold on the walls doesn't count."""
    u[..., 0, 2:-1, _CELLS, _CELLS] = displacement.x[..., 1:-1, :, :]
    u[..., 1, _CELLS, 2:-1, _CELLS] = displacement.y[..., :, 1:-1, :]
    u[..., 2, _CELLS, _CELLS, 2:-1] = displacement.z[..., :, :, 1:-1]
    return u
