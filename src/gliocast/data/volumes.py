"""Volumes over time from a CSV file, checked line by line before anything is computed.

The file is UTF-8, comma-separated, with decimal points and a header. A row is one visit. Columns are found by name, in
this spelling only:

- the day: ``day``, ``days`` or ``T_days``
- the volume [mm^3], 0 where the lesion can't be seen: ``volume_mm3`` or ``Lesion_vol``
- the patient, where there is more than one: ``patient`` or ``Pt_hashID``

or by what `ColumnNames` says. Other columns are ignored. Rows of one patient stand in the order of their days; rows of
different patients may alternate. Rows out of order are refused rather than sorted: they are how two lesions, or two
patients under one name, look.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gliocast.core import InputError, VolumeCourse
from gliocast.data.folders import MAX_NAMES, printable

DAY_COLUMNS = ("day", "days", "T_days")
VOLUME_COLUMNS = ("volume_mm3", "Lesion_vol")
PATIENT_COLUMNS = ("patient", "Pt_hashID")

#: Two visits make a rate of growth, and a third shows how wrong it is.
MIN_VISITS = 3
#: No lesion is larger than ten liters [mm^3]; such a number is in another unit.
MAX_VOLUME_MM3 = 1e7
#: Letters of a cell that an error message shows.
_SHOWN = 24


@dataclass(frozen=True)
class ColumnNames:
    """Names of columns where they aren't those that `read_volumes` knows; None for those.

    Args:
        day: of the day.
        volume: of the volume [mm^3].
        patient: of the patient.
    """

    day: str | None = None
    volume: str | None = None
    patient: str | None = None


@dataclass
class _Rows:
    """Rows of one patient, as they were read."""

    number: int
    lines: list[int] = field(default_factory=list)
    cells: list[tuple[str, str]] = field(default_factory=list)


def read_volumes(
    path: Path | str,
    *,
    columns: ColumnNames | None = None,
    patient: str | None = None,
    on_fault: Callable[[InputError], None] | None = None,
) -> tuple[VolumeCourse, ...]:
    """Read the volumes of one patient or of many.

    Args:
        path: CSV file.
        columns: names of columns that go by other names.
        patient: as the file calls one patient; the others are neither checked nor returned.
        on_fault: called with what is wrong with a patient's visits, who is then left out; None raises it. A table that
            isn't rectangular is refused all the same.

    Returns:
        Courses in the order of the file, patients numbered in this order.

    Raises:
        InputError: the file can't be read, lacks a column, or has a row that isn't a visit; the message names the line.
    """
    path = Path(path)
    subject = f"table {printable(path.name or str(path))}"
    patients = _group(_read_lines(path, subject), columns or ColumnNames(), subject)
    if patient is not None:
        patients = {name: rows for name, rows in patients.items() if name == patient}
    if not patients:
        raise InputError(
            subject,
            expected="rows of the patient asked for" if patient is not None else "at least one row below the header",
            got="none",
            advice="check the name, as it stands in the file" if patient is not None else "add the visits",
        )
    courses = []
    for rows in patients.values():
        try:
            courses.append(_course(rows, subject))
        except InputError as fault:
            if on_fault is None:
                raise
            on_fault(fault)
    if not courses:
        raise InputError(
            subject, expected="a patient without fault", got=f"faults in all {len(patients)}", advice="mend the table"
        )
    return tuple(courses)


def _read_lines(path: Path, subject: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that isn't blank."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, [cell.strip() for cell in row]
    except UnicodeDecodeError as error:
        raise InputError(
            subject, expected="text in UTF-8", got="bytes that aren't", advice="save it as CSV, UTF-8"
        ) from error
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            subject, expected="a CSV file that can be read", got=printable(reason), advice="check path and format"
        ) from error


def _group(lines: Iterator[tuple[int, list[str]]], columns: ColumnNames, subject: str) -> dict[str, _Rows]:
    """Rows by patient, in order of appearance."""
    try:
        _, header = next(lines)
    except StopIteration:
        raise InputError(subject, expected="a header", got="an empty file", advice="write day,volume_mm3") from None
    day = _find(header, columns.day, DAY_COLUMNS, "day", subject)
    volume = _find(header, columns.volume, VOLUME_COLUMNS, "volume", subject)
    person = None
    if columns.patient is not None or set(PATIENT_COLUMNS) & set(header):
        person = _find(header, columns.patient, PATIENT_COLUMNS, "patient", subject)
    patients: dict[str, _Rows] = {}
    for line, row in lines:
        if len(row) != len(header):
            raise InputError(
                f"{subject}, line {line}",
                expected=f"{len(header)} cells, as the header has",
                got=f"{len(row)}",
                advice="separate cells by commas and write decimals with a point",
            )
        name = row[person] if person is not None else ""
        if person is not None and not name:
            raise InputError(f"{subject}, line {line}", expected="a patient", got="an empty cell", advice="fill it in")
        rows = patients.setdefault(name, _Rows(len(patients) + 1))
        rows.lines.append(line)
        rows.cells.append((row[day], row[volume]))
    return patients


def _find(header: list[str], given: str | None, known: tuple[str, ...], what: str, subject: str) -> int:
    """Place of a column."""
    wanted = known if given is None else (given,)
    places = [place for place, name in enumerate(header) if name in wanted]
    if len(places) == 1:
        return places[0]
    shown = ", ".join(printable(name)[:_SHOWN] or "(nothing)" for name in header[:MAX_NAMES])
    raise InputError(
        f"{subject}, line 1",
        expected=f"one column named {' or '.join(printable(name) for name in wanted)}",
        got=f"{len(places) or 'none'} among {shown}{' and more' if len(header) > MAX_NAMES else ''}",
        advice=f"rename it, or name it by --{what}-column",
    )


def _course(rows: _Rows, subject: str) -> VolumeCourse:
    """Visits of one patient."""
    days: list[float] = []
    volumes: list[float] = []
    for line, (day, volume) in zip(rows.lines, rows.cells, strict=True):
        where = f"{subject}, line {line}"
        days.append(_number(day, "a day", where))
        volumes.append(_number(volume, "a volume", where))
        _require_volume(volumes[-1], where)
        if len(days) > 1:
            _require_later(days[-1], days[-2], rows.lines[len(days) - 2], where)
    if len(days) < MIN_VISITS:
        raise InputError(
            f"{subject}, line {rows.lines[-1]}",
            expected=f"at least {MIN_VISITS} visits of each patient",
            got=f"{len(days)} of patient {rows.number}",
            advice="add visits or leave the patient out",
        )
    return VolumeCourse(rows.number, np.array(days), np.array(volumes))


def _number(cell: str, what: str, where: str) -> float:
    """The number in a cell."""
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value) or "_" in cell:  # Python reads 1_000
        raise InputError(
            where,
            expected=f"{what}, a number",
            got=f"'{printable(cell)[:_SHOWN]}'" if cell else "an empty cell",
            advice="mend it or leave the row out",
        )
    return value


def _require_volume(volume: float, where: str) -> None:
    if not 0 <= volume <= MAX_VOLUME_MM3:
        raise InputError(
            where,
            expected=f"a volume of 0 to {MAX_VOLUME_MM3:.0e} mm^3",
            got=f"{volume:g}",
            advice="give mm^3, and 0 where the lesion can't be seen",
        )


def _require_later(day: float, before: float, line: int, where: str) -> None:
    if day == before:
        raise InputError(
            where,
            expected="one row for each day of a patient",
            got=f"day {day:g} again (line {line})",
            advice="keep one of them, or tell lesions apart by a patient column",
        )
    if day < before:
        raise InputError(
            where,
            expected=f"a day after {before:g} (line {line})",
            got=f"{day:g}",
            advice="sort the rows by day, or tell patients apart by a patient column",
        )
