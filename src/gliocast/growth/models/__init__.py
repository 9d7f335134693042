"""Equations of tumor growth, one per file."""

from gliocast.growth.models.fisher_kolmogorov import FisherKolmogorov
from gliocast.growth.models.mass_effect import MassEffect, Stiffness
from gliocast.growth.models.proliferative_necrotic import ProliferativeNecrotic
from gliocast.growth.models.tensor_fisher_kolmogorov import TensorFisherKolmogorov

__all__ = ["FisherKolmogorov", "MassEffect", "ProliferativeNecrotic", "Stiffness", "TensorFisherKolmogorov"]
