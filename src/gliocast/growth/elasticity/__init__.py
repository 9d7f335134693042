r"""Quasi-static linear elasticity: how far tissue gives way to a tumor that pushes.

.. math::
    \nabla\cdot\bigl(\lambda\,(\nabla\cdot u)\,I + \mu\,(\nabla u + \nabla u^T)\bigr) = \nabla p,
    \qquad u = 0 \text{ on the boundary of the grid}

with the pressure :math:`p = \gamma c` of the tumor's cells, or :math:`\nabla\cdot(\sigma - p I) = 0`: inside a tumor in
a large uniform medium :math:`\nabla\cdot u = p / (\lambda + 2\mu)`, it takes more room.

**Discretization.** Displacements live on faces, each component on those it is normal to, for that is what conservative
transport needs, and no pressure can hide from it in a checkerboard. With all sums over cells or edges, the energy

.. math::
    E(u) = \tfrac12\sum_{cells}\Bigl[\lambda\,(\nabla\cdot u)^2 + 2\mu\sum_a e_{aa}^2\Bigr]
         + \tfrac12\sum_{edges}\mu_e\,\gamma_{ab}^2 - \sum_{cells} p\,\nabla\cdot u

with differences of neighbors for the divergence, the normal strains :math:`e_{aa}` at cells and the shear
:math:`\gamma_{ab} = \partial_b u_a + \partial_a u_b` at edges, is minimal where :math:`A u = -\nabla p`. A is its
second derivative, so it is symmetric, and positive definite because the walls hold the body.

**Shear modulus of an edge.** The harmonic mean of the four cells around it, for layers that are sheared along each
other carry one stress and add their compliances; it lets the brain slide in its fluid. On a wall the half volume of
the edge and the doubled difference (the wall is half a cell away, and u = 0 there) together double the modulus, which
is as if the cells behind the wall had no compliance: :math:`\mu_e = 4 / \sum 1/\mu` in both cases.

**On tensors** the same body is `torch_body.TorchElasticity`, which only those who compute with tensors import.

**Solver.** Conjugate gradients with a multigrid V-cycle; see `multigrid` and `coarsening`.

Source: Ezhov, dissertation (2023), Eqs. 3.8, 3.12 (as Subramanian et al. 2019). There both moduli stand before
:math:`\nabla u`; the first term is read as :math:`\lambda\,(\nabla\cdot u)\,I`, which makes it the linear elasticity
that its text names.
"""

from gliocast.growth.elasticity.body import Elasticity
from gliocast.growth.elasticity.displacement import Displacement, centered, divergence
from gliocast.growth.elasticity.material import lame

__all__ = ["Displacement", "Elasticity", "centered", "divergence", "lame"]
