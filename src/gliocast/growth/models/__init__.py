"""Equations of tumor growth, one per file."""

from gliocast.growth.models.fisher_kolmogorov import FisherKolmogorov

__all__ = ["FisherKolmogorov"]
