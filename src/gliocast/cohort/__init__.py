"""Digital patients, made by a computer and labeled so."""

from gliocast.cohort.digital import DigitalPatient, Truth, atlas_anatomy, draw_outlines, make_digital_patient

__all__ = ["DigitalPatient", "Truth", "atlas_anatomy", "draw_outlines", "make_digital_patient"]
