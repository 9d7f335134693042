"""How the figures look: one page width, one set of colors, one way to write a file."""

from io import BytesIO
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

PAGE_WIDTH_IN = 10.0
DPI = 140

#: Okabe and Ito's colors, told apart under every common color blindness.
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION = "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00"
PURPLE = "#CC79A7"
INK, FAINT = "#1b1f24", "#6b7280"

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that every machine draws the same letters
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa1ab",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "image.interpolation": "bicubic",
}


def figure_style() -> Any:
    """Context in which every figure is made; a user's matplotlibrc has no say."""
    return matplotlib.style.context(["default", RC])


def to_png(figure: Figure, *, dpi: float = DPI) -> bytes:
    """The figure as PNG bytes, the same on every run (no date, no software version)."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
