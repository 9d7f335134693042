"""Ordinary laws of volume growth, one per file, and their fit to the volumes of a lesion."""

from gliocast.growth.ode.choice import LawComparison, fit_laws
from gliocast.growth.ode.compartments import RadiotherapyCompartments
from gliocast.growth.ode.exponential import Exponential
from gliocast.growth.ode.fit import FitOptions, fit_law, why_not
from gliocast.growth.ode.gompertz import Gompertz
from gliocast.growth.ode.law import GrowthLaw, volume
from gliocast.growth.ode.logistic import Logistic
from gliocast.growth.ode.reduced_gompertz import GompertzRelation, ReducedGompertz
from gliocast.growth.ode.volume_fit import VolumeFit

__all__ = [
    "Exponential",
    "FitOptions",
    "Gompertz",
    "GompertzRelation",
    "GrowthLaw",
    "LawComparison",
    "Logistic",
    "RadiotherapyCompartments",
    "ReducedGompertz",
    "VolumeFit",
    "fit_law",
    "fit_laws",
    "volume",
    "why_not",
]
