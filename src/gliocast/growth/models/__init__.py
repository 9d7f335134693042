"""Equations of tumor growth, one per file."""

from gliocast.growth.models.fisher_kolmogorov import FisherKolmogorov
from gliocast.growth.models.proliferative_necrotic import ProliferativeNecrotic

__all__ = ["FisherKolmogorov", "ProliferativeNecrotic"]
