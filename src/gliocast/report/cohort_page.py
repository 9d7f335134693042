"""The report of a cohort as one page that needs nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gliocast.core import RESEARCH_NOTICE, Parameter
from gliocast.data.folders import printable
from gliocast.report.cohort import (
    FAILED,
    QUANTITIES,
    CohortContent,
    Estimate,
    PatientResult,
    Quantity,
    parameter_quantity,
    values_of,
)
from gliocast.report.cohort_figure import cohort_figure
from gliocast.report.naming import readable_name, readable_unit, symbol_pieces
from gliocast.report.page import packaged, template
from gliocast.report.tables import KeyFigure, number, percent
from gliocast.report.verdict import LEVELS, Reason
from gliocast.report.viewer_page import security_policy, stylesheet

_ABSENT = "–"


@dataclass(frozen=True)
class CohortReport:
    """A page and its figure.

    Args:
        page: HTML that needs nothing else.
        figure: its figure as PNG; None where nobody ran.
    """

    page: str
    figure: bytes | None


@dataclass(frozen=True)
class Cell:
    """One number of the table: as text, as what rows are sorted by (None where there is none), and what follows it."""

    text: str
    order: float | None
    beside: str = ""


@dataclass(frozen=True)
class Column:
    """Head of a column of numbers; the symbol in pieces, each with whether it is an index; what it is in words."""

    group: str
    name: str
    symbol: tuple[tuple[str, bool], ...] = ()
    words: str = ""


@dataclass(frozen=True)
class Row:
    """A patient as text."""

    name: str
    link: str
    level: str
    reasons: tuple[Reason, ...]
    numbers: tuple[Cell, ...]
    num_warnings: int
    segmentation: str
    seconds: Cell
    version: str


def make_cohort_report(content: CohortContent) -> CohortReport:
    """Render the report of a cohort: one HTML page, the same on every run, and its figure.

    The page makes no request and runs no script but its own, which sorts the table. Text is escaped.

    Args:
        content: patients.
    """
    style, script = stylesheet() + packaged("templates", "cohort.css"), packaged("templates", "cohort.js")
    png, webp = cohort_figure(content) if content.results else (None, None)
    page = template("cohort.html.j2").render(
        notice=RESEARCH_NOTICE,
        style=style,
        script=script,
        policy=security_policy(scripts=(script,), styles=(style,)),
        counts=_counts(content),
        differences=_differences(content),
        failed=FAILED,
        failures=[(printable(failure.name), failure.sentence) for failure in content.failures],
        columns=_columns(content),
        groups=_groups(content),
        rows=[_row(result, content) for result in content.results],
        figure=webp,
        summary_rows=_summary_rows(content),
    )
    return CohortReport(page, png)


def _counts(content: CohortContent) -> list[tuple[str, KeyFigure]]:
    """How many patients there are, by kind; with the kind."""
    total = len(content.failures) + len(content.results)
    said = {"fail": "don't use the model", "review": "look first", "pass": "no rule objects"}
    return [
        ("all", KeyFigure(f"{total}", "patient" if total == 1 else "patients")),
        ("failed", KeyFigure(f"{len(content.failures)}", "without a result")),
        *((level, KeyFigure(f"{content.count(level)}", f"{level}: {said[level]}")) for level in LEVELS),
    ]


def _differences(content: CohortContent) -> list[str]:
    """A line for each setting in which patients differ."""
    return [
        f"{name.replace('_', ' ')}: " + ", ".join(f"{setting} ({count})" for setting, count in sorted(counts.items()))
        for name, counts in content.differences().items()
    ]


def _columns(content: CohortContent) -> list[Column]:
    """Columns of numbers, by group."""
    shown = [
        Column("Dice", "core"),
        Column("Dice", "whole"),
        Column("HD95 [mm]", "core"),
        Column("HD95 [mm]", "whole"),
        Column("Volume [ml]", "GTV"),
        Column("Volume [ml]", "CTV"),
        Column("Cells covered [%]", "standard"),
        Column("Cells covered [%]", "model"),
        Column("CTVs", "Dice"),
    ]
    return shown + [_parameter_column(parameter) for parameter in content.comparable_parameters]


def _parameter_column(parameter: Parameter) -> Column:
    unit = readable_unit(parameter)
    group, name = "Parameters: mode, 95 % interval", f"[{unit}]" if unit else ""
    return Column(group, name, tuple(symbol_pieces(parameter)), readable_name(parameter))


def _groups(content: CohortContent) -> list[tuple[str, int]]:
    """Groups of columns, with how many there are."""
    names = [column.group for column in _columns(content)]
    return [(name, names.count(name)) for name in dict.fromkeys(names)]


def _row(result: PatientResult, content: CohortContent) -> Row:
    return Row(
        name=printable(result.name),
        link=result.link,
        level=result.level,
        reasons=result.reasons,
        numbers=tuple(_cells(result, content)),
        num_warnings=result.num_warnings,
        segmentation=result.segmentation,
        seconds=Cell(f"{result.seconds:.0f}", result.seconds),
        version=result.version,
    )


def _cells(result: PatientResult, content: CohortContent) -> Iterator[Cell]:
    for quantity in QUANTITIES:
        value = quantity.value(result)
        yield Cell(_ABSENT, None) if value is None else Cell(_shown(quantity, value), value)
    for parameter in content.comparable_parameters:
        found = result.estimate(parameter.name)
        yield Cell(_ABSENT, None) if found is None else _estimate_cell(found)


def _is_share(quantity: Quantity) -> bool:
    """Whether it is shown as percent."""
    return quantity.key.startswith("covered")


def _shown(quantity: Quantity, value: float, *, digits: int = 2) -> str:
    """A number as its column has it; digits are decimals of Dice coefficients."""
    if _is_share(quantity):
        text = percent(value).removesuffix(" %")
        return ">99.999" if value < 1 and text.startswith("100") else text
    return f"{value:.{digits}f}" if quantity in QUANTITIES and quantity.unit == "1" else number(value)


def _estimate_cell(found: Estimate) -> Cell:
    low, high = found.interval
    return Cell(number(found.mode), found.mode, f"{number(low, 2)}–{number(high, 2)}")


def _summary_rows(content: CohortContent) -> list[tuple[str, ...]]:
    """Quantity, unit, number of patients, median, quartiles and range."""
    rows: list[tuple[str, ...]] = []
    for quantity in (*QUANTITIES, *map(parameter_quantity, content.comparable_parameters)):
        values = values_of(quantity, content)
        if len(values):
            ends = np.percentile(values, (0, 25, 50, 75, 100))
            least, lower, median, upper, most = (_shown(quantity, float(value), digits=3) for value in ends)
            unit = "%" if _is_share(quantity) else "" if quantity.unit == "1" else quantity.unit
            rows.append((quantity.title, unit, f"{len(values)}", median, f"{lower} to {upper}", f"{least} to {most}"))
    return rows
