"""What is said of a forecast: what it assumes, what it comes to, and what is seen in its figure."""

from collections.abc import Mapping
from dataclasses import dataclass

from gliocast.planning.forecast import COURSES, Forecast
from gliocast.planning.isoeffect import IsoEffect
from gliocast.planning.outlook import Outlook
from gliocast.report.content import ReportContent
from gliocast.report.naming import GREEK
from gliocast.report.tables import isoeffective_text, number

#: Units of sensitivities, by symbol.
UNITS = {"alpha": "/Gy", "kappa": "/d"}

_TARGETS = {"ctv_standard": "the standard target", "ctv_model": "the model's target"}


@dataclass(frozen=True)
class CourseRow:
    """One scenario with one sensitivity as text; "–" where there is no such number.

    Args:
        sensitivity: what was assumed of cells.
        standard: cells left right after the course, aimed at the standard target [ml].
        model: the same of the model's target, the integral dose being the same [ml].
        equal: prescription of the model's target that has that integral dose [Gy].
        isoeffective: the one with which the model's target leaves as many as the standard one [Gy].
        burden: cells on the last day [ml].
        visible: volume that FLAIR shows on the last day [ml].
    """

    sensitivity: str
    standard: str
    model: str
    equal: str
    isoeffective: str
    burden: str
    visible: str


def is_pushing(content: ReportContent) -> bool:
    """Whether the growth that was fitted has mass effect."""
    return "mass effect" in str(content.provenance.get("model"))


def sensitivity_text(sensitivity: Mapping[str, float]) -> str:
    """Such as "α 0.03 /Gy"; a dash where nothing was assumed."""
    return ", ".join(f"{GREEK[symbol]} {value:g} {UNITS[symbol]}" for symbol, value in sensitivity.items()) or "–"


def course_table(content: ReportContent) -> list[tuple[str, list[CourseRow]]]:
    """Rows of each scenario under its name; none where there is no forecast."""
    outlook = content.outlook
    if outlook is None:
        return []
    return [(name, [_row(each, content.effects) for each in outlook.of(name)]) for name in outlook.names]


def _row(forecast: Forecast, effects: tuple[IsoEffect, ...]) -> CourseRow:
    alpha = forecast.sensitivity.get("alpha")
    effect = next((e for e in effects if e.course.name == forecast.name and e.alpha == alpha), None)
    return CourseRow(
        sensitivity_text(forecast.sensitivity),
        "–" if effect is None else number(effect.reference_ml),
        "–" if effect is None else number(effect.equal_integral_ml),
        "–" if effect is None else number(effect.equal_integral_gy),
        "–" if effect is None else isoeffective_text(effect),
        number(float(forecast.burden_ml[-1])),
        number(float(forecast.visible_ml[-1])),
    )


def assumptions(content: ReportContent) -> list[tuple[str, str]]:
    """What a forecast rests on that no scan shows: of what, and what is assumed."""
    outlook = content.outlook
    if outlook is None:
        return []
    clock = outlook.clock
    growth = (
        "Fisher-Kolmogorov, at the mode of the posterior, whose width isn't in any band, on voxels of about "
        f"{voxel_text(outlook)}."
    )
    if is_pushing(content):
        growth += " The growth that was fitted pushes tissue aside; the forecast has no mass effect: tissue stays."
    return [
        (
            "Clock",
            f"One scan doesn't tell how fast a tumor grows. A front of {outlook.speed:g} mm/d is assumed, where "
            "untreated glioblastomas show 0.02 to 0.5. From it follow a diffusivity of "
            f"{number(clock.diffusivity)} mm²/d in white matter, a proliferation rate of {number(clock.rate)} /d and "
            f"an age of {clock.age_days:.0f} d at the scan. "
            "Another speed stretches the days of the untreated curve.",
        ),
        (
            "Sensitivity",
            "Nobody's is known, and it decides most. α, to radiation, with α/β of 10 Gy, and κ, to temozolomide, are "
            "swept over their typical ranges: no single line is the forecast.",
        ),
        ("Treatment", _schedule(outlook)),
        ("Growth", growth),
    ]


def voxel_text(outlook: Outlook) -> str:
    """Width of the voxels that growth was solved on."""
    (spacing, *_) = sorted(next(iter(outlook.densities.values())).grid.spacing, reverse=True)
    return f"{number(spacing, 2).removesuffix('.0')} mm"


def _schedule(outlook: Outlook) -> str:
    """What is done on which days."""
    by_name = {name: outlook.middle(name).given for name in outlook.names}
    names = {course.name for course in COURSES}
    surgery = {given["resection"][0] for given in by_name.values() if "resection" in given}
    alone = {given["radiotherapy"][0] for name, given in by_name.items() if name in names}
    said = []
    if surgery:
        said.append(f"Surgery takes out the GTV on day {min(surgery):g}.")
    if alone:
        target = _TARGETS[outlook.target]
        after = [
            given["radiotherapy"][0] for given in by_name.values() if {"resection", "radiotherapy"} <= given.keys()
        ]
        late = f", or {min(after):g} where there was surgery" if after else ""
        said.append(
            f"Fractions begin on day {min(alone):g}{late}, one each weekday, aimed at {target}, with a penumbra."
        )
    if any("chemotherapy" in given for given in by_name.values()):
        said.append("Temozolomide is given in cycles of 5 days of 28, and daily with radiation.")
    return " ".join(said)


def figure_words(outlook: Outlook) -> tuple[str, str]:
    """Alternative text and caption of the forecast's figure."""
    day = f"{outlook.last_day:g}"
    ends = ", ".join(f"{name} {number(float(outlook.middle(name).burden_ml[-1]))} ml" for name in outlook.names)
    return (
        f"Curves of tumor burden and visible volume over {day} days for {len(outlook.names)} courses, and a density "
        f"map of each at the end. Burden then: {ends}.",
        f"What may come, a column for each course. Top: tumor cells [ml of tissue at carrying capacity], with what is "
        "done on which day above; middle: volume above the density from which on FLAIR shows tumor "
        f"({number(outlook.visible, 2)}). Lines: sensitivities, that in the middle thick; band: between them; dotted: "
        f"no treatment. Bottom: density on day {day} with the middle sensitivity, from 0.001 (transparent below), over "
        "the T1c of the scan, what surgery takes out in black; white: where FLAIR would show tumor then; blue, dotted: "
        "where it did at the scan. The patient's right (R) is on the left. All under the model and what is assumed "
        "above; no band holds its error.",
    )
