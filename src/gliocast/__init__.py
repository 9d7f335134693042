"""From a glioma patient's MRI to the tumor that the MRI cannot show. For research only."""

__version__ = "0.1.0"
