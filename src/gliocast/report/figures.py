"""Every figure of the report with its words: what is seen, for those who look and those who can't."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from matplotlib.figure import Figure

from gliocast.core import Density
from gliocast.planning.coverage_band import BAND as COVERAGE_BAND
from gliocast.problem import PredictiveMaps
from gliocast.report.content import ReportContent
from gliocast.report.corner import corner
from gliocast.report.ctv import ctv_comparison
from gliocast.report.curves import coverage_figure
from gliocast.report.maps import anatomy_maps, density_maps
from gliocast.report.montage import ISODENSITY_LEVELS, montage
from gliocast.report.outlines import outline_comparison, truth_comparison
from gliocast.report.outlook_figure import outlook_figure
from gliocast.report.outlook_words import figure_words as outlook_words
from gliocast.report.posterior_maps import posterior_maps
from gliocast.report.replicates import BAND, replicate_band
from gliocast.report.style import figure_style, to_images
from gliocast.report.tables import number, percent
from gliocast.report.viewer_figure import viewer_figure

CONVENTION = (
    "Three planes through the middle of the tumor, in radiological convention: the patient's right (R) is on the left "
    "of axial and coronal views, the front (A) on the left of the sagittal view; x, y, z in mm of the scanner (RAS)."
)


@dataclass(frozen=True)
class FigureEntry:
    """A figure of the report.

    Args:
        number: on the page.
        png: the figure as a file of its own.
        webp: the same for the page.
        alt: its alternative text.
        caption: what is below it.
    """

    number: int
    png: bytes
    webp: bytes
    alt: str
    caption: str


#: Figures without a scan, of which every pixel is kept.
LINE_DRAWINGS = ("coverage", "corner")


def make_figures(content: ReportContent) -> dict[str, FigureEntry]:
    """Draw every figure that the content has something for, numbered in the order of the page."""
    entries: dict[str, FigureEntry] = {}
    with figure_style():
        for key, figure, alt, caption in (
            *_first_figures(content),
            *_density_figures(content),
            *_fit_figures(content),
            *_plan_figures(content),
            *_model_figures(content),
            *_outlook_figures(content),
        ):
            png, webp = to_images(figure, exact=key in LINE_DRAWINGS)
            entries[key] = FigureEntry(len(entries) + 1, png, webp, alt, caption)
    return entries


#: Key, figure, alternative text, caption.
_Drawn = tuple[str, Figure, str, str]


def _first_figures(content: ReportContent) -> Iterator[_Drawn]:
    """What the viewer shows, standing still, and the anatomy that all else rests on."""
    visit = content.visit
    yield (
        "viewer-still",
        viewer_figure(visit, content.density, content.plan),
        "T1c slices with a color map of the modeled density and the outlines of target volumes and segmentation.",
        f"What the viewer shows at first: the modeled density over T1c, with target volumes and segmentation. "
        f"{CONVENTION}",
    )
    yield (
        "anatomy",
        anatomy_maps(visit, content.anatomy),
        "Tissue classes over T1c slices: gray matter, cerebrospinal fluid, ventricles.",
        "The anatomy that the tumor grew in, over T1c: gray matter (orange), cerebrospinal fluid (light blue) and "
        "ventricles (dark blue); the rest is white matter. Where the tints don't follow the scan, the registration "
        "failed and nothing below can be trusted.",
    )


def _density_figures(content: ReportContent) -> Iterator[_Drawn]:
    """What the model sees, and how sure it is."""
    visit, density = content.visit, content.density
    levels = ", ".join(f"{level:g}" for level in ISODENSITY_LEVELS)
    yield (
        "montage",
        montage(visit, density),
        f"T1c and FLAIR slices with lines of equal tumor-cell density ({levels}) around the segmented tumor.",
        f"Scans with the modeled tumor. Top: T1c; bottom: FLAIR. Warm lines: modeled tumor-cell density {levels} "
        f"[fraction of carrying capacity]; blue lines: segmented core (solid) and whole tumor (dotted). {CONVENTION}",
    )
    # the maps of the posterior show the standard deviation, too
    shown = density if content.maps is None else replace(density, standard_deviation=None)
    yield "density", density_maps(visit, shown), *_density_words(shown)
    if content.maps is not None:
        yield "posterior-maps", posterior_maps(visit, content.maps), *_posterior_words(content.maps)


def _fit_figures(content: ReportContent) -> Iterator[_Drawn]:
    """Whether the model fits what was seen."""
    visit, density = content.visit, content.density
    if content.thresholds:
        yield (
            "outlines",
            outline_comparison(visit, density, thresholds=content.thresholds, dice=content.outline_dice),
            "Segmented outlines against those that the fitted model simulates, disagreement tinted. " + _dice(content),
            f"Observed against simulated outlines. White: segmented; blue, dashed: where the density reaches the "
            f"fitted threshold of visibility ({_thresholds(content)}). Orange: segmented but not simulated; blue: "
            f"simulated but not segmented.",
        )
    if content.replicated:
        low, high = (f"{100 * share:.0f}" for share in BAND)
        yield (
            "replicates",
            replicate_band(visit, content.replicated),
            "Segmented outlines over a tinted band in which the outlines drawn by the fitted model lie.",
            "Segmented outlines (white) over what the fitted model draws: parameters from the posterior, outlines with "
            f"a rater's errors. Tinted: {low} to {high} % of these replicates draw tumor there. Where white leaves the "
            "band, the tumor has a shape that the model doesn't make.",
        )


def _plan_figures(content: ReportContent) -> Iterator[_Drawn]:
    """The target volumes and what they cover."""
    yield "ctv", ctv_comparison(content.visit, content.plan), *_ctv_words(content)
    yield (
        "coverage",
        coverage_figure(content.curve, content.comparison, margin_mm=content.plan.margin_mm, band=content.band),
        "Curves of the modeled tumor burden covered, and left out, against the treated volume in ml.",
        "Share of the modeled tumor burden covered (left) and left out (right, logarithmic) against treated volume "
        "[ml]: a uniform margin growing from the GTV (upper scale, mm) against the densest tissue of the same volume. "
        "Ring: the model's plan; dot: the standard one; as triangles at the lower end: less than that is left out. "
        "Both curves are computed under the model's own density. " + _band_words(content),
    )


def _model_figures(content: ReportContent) -> Iterator[_Drawn]:
    """The parameters, and the truth where it is known."""
    visit, density = content.visit, content.density
    yield (
        "corner",
        corner(content.posterior, prior=content.prior, truth=content.truth),
        "Posterior of each parameter as a histogram, and of each pair of parameters as contours.",
        "Posterior of the parameters: each one on the diagonal, pairs below it, with the smallest regions that hold 50 "
        "% and 95 % of it; seed coordinates in mm of the scanner (RAS)."
        + (
            " Dashed: the prior; where its contours aren't seen, they lie outside of the panel."
            if content.prior is not None
            else ""
        )
        + (" Dotted: the truth." if content.truth else ""),
    )
    if content.true_density is not None:
        yield (
            "truth",
            truth_comparison(visit, density, content.true_density),
            "Lines of equal density of the estimate laid over those of the truth on T1c slices.",
            "Estimate against truth: lines of equal tumor-cell density on T1c, white for the truth.",
        )


def _outlook_figures(content: ReportContent) -> Iterator[_Drawn]:
    """What may come."""
    if content.outlook is not None:
        drawn = outlook_figure(content.visit, content.anatomy, content.outlook, gtv=content.plan["gtv"])
        yield "outlook", drawn, *outlook_words(content.outlook)


def _density_words(density: Density) -> tuple[str, str]:
    deviation = density.standard_deviation
    lower = "" if deviation is None else " Bottom: its posterior standard deviation, of the same unit."
    caption = (
        f"{'' if deviation is None else 'Top: '}Modeled tumor-cell density [fraction of carrying capacity], on a "
        f"logarithmic scale from 0.001 (transparent below).{lower} Blue lines: segmentation as above."
    )
    peak = "" if deviation is None else f"; standard deviation up to {number(float(deviation.max()), 2)}"
    return f"Color maps of density, at most {number(float(density.data.max()), 2)}{peak}, over T1c.", caption


def _posterior_words(maps: PredictiveMaps) -> tuple[str, str]:
    levels = ", ".join(f"{level:g}" for level in maps.exceedance)
    peak = number(float(maps.standard_deviation.max()), 2)
    return (
        f"Color maps over T1c: posterior mean and standard deviation (up to {peak}) of the density, and the "
        f"probability that it exceeds {levels}.",
        f"The density under the posterior, over T1c in three planes: its mean, its standard deviation, and the "
        f"probability that it exceeds {levels} [fraction of carrying capacity], with a white line where that is one in "
        f"two. All of it is given the model: what growth from one focus can't explain isn't in it. Blue lines: "
        f"segmentation as above.",
    )


def _ctv_words(content: ReportContent) -> tuple[str, str]:
    plans = content.comparison
    size = f"{number(plans.standard_ml, 4)} ml"
    return (
        f"Outlines of two clinical target volumes of {size} each on T1c and FLAIR; they overlap with Dice "
        f"{plans.overlap:.2f}.",
        f"Clinical target volumes of {size} each. Orange: GTV + {content.plan.margin_mm:g} mm, cropped at "
        f"{content.cropped_at}; blue: the tissue of highest modeled density; tinted: what only one of them treats; "
        "white: gross tumor volume. Covered share of the modeled burden: "
        f"{percent(plans.covered_by_standard)} (standard), {percent(plans.covered_by_model)} (model).",
    )


def _band_words(content: ReportContent) -> str:
    if content.band is None:
        return "No band is drawn: the samples of the posterior weren't at hand."
    low, high = (f"{100 * share:.0f}" for share in COVERAGE_BAND)
    return (
        f"Bands: the same plans under {content.band.num_samples} densities drawn from the posterior, {low} to {high} % "
        "of them; the curves belong to its mode, and needn't lie in the middle."
    )


def _thresholds(content: ReportContent) -> str:
    names = {"t1c": "T1c", "flair": "FLAIR"}
    return ", ".join(
        f"{name} {number(content.thresholds[key], 2)}" for key, name in names.items() if key in content.thresholds
    )


def _dice(content: ReportContent) -> str:
    names = {"core": "core", "whole": "whole tumor"}
    shown = [f"{name} {content.outline_dice[key]:.2f}" for key, name in names.items() if key in content.outline_dice]
    return f"Dice: {', '.join(shown)}." if shown else ""
