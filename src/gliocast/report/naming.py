"""Parameters as people read them."""

import re

import numpy as np

from gliocast.core import Parameter
from gliocast.report.montage import SCAN_NAMES

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "kappa": "κ", "lambda": "λ", "rho": "ρ", "sigma": "σ", "tau": "τ"}


def readable_name(parameter: Parameter) -> str:
    """The parameter's name as prose: ``t1c_threshold`` becomes "T1c threshold"."""
    return " ".join(SCAN_NAMES.get(word, word) for word in parameter.name.split("_"))


def symbol_pieces(parameter: Parameter) -> list[tuple[str, bool]]:
    """The parameter's symbol in pieces, each with whether it is an index: ``sqrt(D_w T)`` is √(D, w, " T)"."""
    pieces = re.split(r"_\{?(\w+)\}?", pretty(parameter.symbol))
    return [(piece, k % 2 == 1) for k, piece in enumerate(pieces) if piece]


def readable_unit(parameter: Parameter) -> str:
    """The unit, nothing where there is none."""
    return "" if parameter.unit == "1" else parameter.unit


def has_typical_range(parameter: Parameter) -> bool:
    """Whether a range seen in patients means something: not for a location, which depends on the scanner's frame."""
    return bool(np.isfinite(parameter.typical).all())


def symbol_text(parameter: Parameter) -> str:
    """The symbol as matplotlib draws it, indices lowered."""
    pieces = symbol_pieces(parameter)
    return "".join(f"$_{{\\mathrm{{{piece}}}}}$" if is_index else piece for piece, is_index in pieces)


def axis_label(parameter: Parameter) -> str:
    """Symbol and unit."""
    unit = readable_unit(parameter)
    return symbol_text(parameter) + (f" [{unit}]" if unit else "")


def pretty(text: str) -> str:
    """A sentence with symbols in it: roots and Greek letters as such, indices left as they are."""
    text = re.sub(r"\bsqrt\b", "√", text)
    return re.sub(rf"(?<![A-Za-z])({'|'.join(GREEK)})(?![A-Za-z])", lambda match: GREEK[match[1]], text)
