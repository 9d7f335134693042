r"""Conservative transport: tissue and cells move with a displacement, and none gets lost.

.. math:: \partial_t m + \nabla\cdot(m\,v) = 0, \qquad v\cdot n = 0 \text{ on the boundary of the grid}

over one step, in which tissue is displaced by :math:`v\tau` [mm], given normal to the faces of cells.

**In space** finite volumes: what leaves a cell through a face enters its neighbor. The value at a face is that of the
upwind cell, tilted by van Leer's slope, the harmonic mean of the differences to both neighbors where they agree in
sign and zero elsewhere: second order where fields are smooth, no new extrema where they jump.

**In time** two-stage strong-stability-preserving Runge-Kutta, an average of explicit Euler steps, over all axes at
once. Splitting by axes would allow longer steps, but what one axis compresses and the next dilates doesn't cancel
there: a constant field would not stay constant in an incompressible flow, and the order of the axes would show.

**Positive.** A cell's two face values along an axis are nonnegative and add up to twice its own, so an Euler step takes
out less than the cell has if its outflow, the larger of both sides summed over axes, is less than half of its volume;
the step is divided until that holds.

Source: van Leer, J. Comput. Phys. 14 (1974), Eq. 66; Shu & Osher, J. Comput. Phys. 77 (1988), Eq. 2.16; the equation:
Ezhov, dissertation (2023), Eqs. 3.7, 3.13.
"""

from gliocast.growth.transport.numba_transport import transport
from gliocast.growth.transport.warp import warp

__all__ = ["transport", "warp"]
