"""How the figures look: one page width, one set of colors, one way to write a file."""

from io import BytesIO
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

PAGE_WIDTH_IN = 10.0
DPI = 140

#: Okabe and Ito's colors, told apart under every common color blindness.
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION = "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00"
PURPLE = "#CC79A7"
#: Quality of the WebP images on the page [1]: at 90 an MRI shows no trace of the compression.
WEBP_QUALITY = 90
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


def to_images(figure: Figure, *, exact: bool = False) -> tuple[bytes, bytes]:
    """The figure drawn once and written twice: as PNG, and as WebP of a fifth of the size for the page.

    Args:
        figure: to draw.
        exact: whether WebP keeps every pixel, as line drawings need.
    """
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    png, webp = BytesIO(), BytesIO()
    image.save(png, format="png", dpi=(DPI, DPI))
    image.save(webp, format="webp", quality=WEBP_QUALITY, lossless=exact)
    return png.getvalue(), webp.getvalue()
