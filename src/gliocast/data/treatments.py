"""A list of treatments from a JSON file and the images that it names; docs/treatments.md describes the format."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.core import (
    Chemotherapy,
    InputError,
    Radiotherapy,
    Resection,
    Treatment,
    Treatments,
    Volume,
    cycle_doses,
    weekday_fractions,
)
from gliocast.data.folders import printable
from gliocast.data.nifti import file_label, read_integers, read_volume

#: Characters of a value that a message quotes.
_QUOTED = 60


def read_treatments(path: Path | str) -> Treatments:
    """Read the treatments of a patient.

    Args:
        path: a JSON file; paths of images in it are relative to its folder.

    Returns:
        Treatments in order of time; masks and doses are read and lie on one grid.

    Raises:
        InputError: anything wrong with the file or an image that it names, said in one line that names the entry.
    """
    path = Path(path)
    label = file_label(path, "treatments")
    found = []
    for number, entry in enumerate(_entries(path, label), start=1):
        with _said_of(f"{label}, entry {number}"):
            found.append(_treatment(entry, path.parent))
    with _said_of(label):
        return Treatments(tuple(found))


@dataclass(frozen=True)
class _Entry:
    """The keys of one treatment, read with checks; every getter raises InputError about its key."""

    fields: Mapping[str, Any]
    folder: Path

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number, not negative."""
        return _number(self._get(key, default), key)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of at least one such number."""
        value = self._get(key)
        if not isinstance(value, list) or not value:
            raise _wrong(key, "a list of numbers", value)
        return tuple(_number(item, key) for item in value)

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(key, "a whole number", value)
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A text that isn't empty."""
        value = self._get(key, default)
        if not isinstance(value, str) or not value:
            raise _wrong(key, "a text", value)
        return value

    def mask(self, key: str) -> Volume:
        """A binary image, as bool."""
        path = self.folder / self.text(key)
        image = read_integers(path, key)
        values = np.unique(image.data)
        if not np.isin(values, (0, 1)).all():
            raise InputError(
                file_label(path, key),
                expected="a mask of 0 and 1",
                got=f"{len(values)} values from {values[0]} to {values[-1]}",
                advice="pick the one label that is meant",
            )
        return Volume(image.data == 1, image.grid)

    def dose(self, key: str) -> Volume:
        """A map of doses [Gy], not negative."""
        path = self.folder / self.text(key)
        image = read_volume(path, key)
        if image.data.min() < 0:
            raise InputError(
                file_label(path, key),
                expected="doses of at least 0 Gy",
                got=f"{image.data.min():g}",
                advice="clip what resampling brought below zero",
            )
        return image

    def choose(self, *forms: tuple[str, ...]) -> str:
        """The first key of the one form that is used, each form being keys that go together."""
        used = [form for form in forms if any(key in self.fields for key in form)]
        if len(used) != 1:
            raise InputError(
                "keys",
                expected=" or else ".join(", ".join(form).replace(", ", " with ", 1) for form in forms),
                got=", ".join(key for form in used for key in form if key in self.fields) or "none of them",
                advice="give one of the two",
            )
        return used[0][0]

    def _get(self, key: str, default: Any = None) -> Any:
        if key not in self.fields and default is None:
            raise InputError(
                key,
                expected="this key",
                got=", ".join(printable(name) for name in self.fields),
                advice="see docs/treatments.md",
            )
        return self.fields.get(key, default)


def _resection(entry: _Entry) -> Resection:
    day, residual_fraction = entry.number("day"), entry.number("residual_fraction", 0.0)
    return Resection(day, entry.mask("cavity"), residual_fraction)


def _radiotherapy(entry: _Entry) -> Radiotherapy:
    alpha, alpha_beta = entry.number("alpha"), entry.number("alpha_beta", 10.0)
    if entry.choose(("days",), ("start_day", "num_fractions", "first_weekday")) == "days":
        days = entry.numbers("days")
    else:
        start, weekday = entry.number("start_day"), entry.text("first_weekday", "monday")
        days = weekday_fractions(start, entry.count("num_fractions"), first_weekday=weekday)
    if entry.choose(("dose",), ("target", "dose_gy")) == "dose":
        return Radiotherapy(entry.dose("dose"), days, alpha, alpha_beta)
    dose_gy = entry.number("dose_gy")
    return Radiotherapy.to_target(entry.mask("target"), dose_gy, days=days, alpha=alpha, alpha_beta=alpha_beta)


def _chemotherapy(entry: _Entry) -> Chemotherapy:
    kill_rate, half_life = entry.number("kill_rate"), entry.number("half_life")
    doses = entry.numbers("doses") if "doses" in entry.fields else ()
    if entry.choose(("days",), ("start_day", "days_on", "cycle_days", "num_cycles")) == "days":
        return Chemotherapy(entry.numbers("days"), kill_rate, half_life, doses)
    start, days_on = entry.number("start_day"), entry.count("days_on")
    cycle_days, num_cycles = entry.count("cycle_days", 28), entry.count("num_cycles", 1)
    days = cycle_doses(start, days_on=days_on, cycle_days=cycle_days, num_cycles=num_cycles)
    return Chemotherapy(days, kill_rate, half_life, doses)


_READERS: Mapping[str, Callable[[_Entry], Treatment]] = {
    Resection.kind: _resection,
    Radiotherapy.kind: _radiotherapy,
    Chemotherapy.kind: _chemotherapy,
}

#: Every key of an entry, by its kind.
TREATMENT_KEYS: Mapping[str, tuple[str, ...]] = {
    Resection.kind: ("kind", "day", "cavity", "residual_fraction"),
    Radiotherapy.kind: (
        *("kind", "start_day", "num_fractions", "first_weekday", "days"),
        *("dose", "target", "dose_gy", "alpha", "alpha_beta"),
    ),
    Chemotherapy.kind: (
        *("kind", "start_day", "days_on", "cycle_days", "num_cycles", "days"),
        *("doses", "kill_rate", "half_life"),
    ),
}


def _treatment(fields: Any, folder: Path) -> Treatment:
    """One entry of the list, whatever it is, as a treatment."""
    if not isinstance(fields, dict):
        raise _wrong("treatment", "an object of keys", fields)
    entry = _Entry(fields, folder)
    kind = entry.text("kind")
    if kind not in _READERS:
        raise _wrong("kind", f"one of {', '.join(_READERS)}", kind)
    _refuse_unknown(fields, TREATMENT_KEYS[kind], kind)
    return _READERS[kind](entry)


def _entries(path: Path, label: str) -> list[Any]:
    """The list in the file, nothing in it checked but that it is JSON."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique_keys)
    except FileNotFoundError:
        got, advice = "no such file", "check the path"
    except IsADirectoryError:
        got, advice = "a folder", "name the file inside"
    except json.JSONDecodeError as error:
        got, advice = f"{error.msg} in line {error.lineno}, column {error.colno}", "correct that place"
    except (OSError, ValueError, RecursionError) as error:  # not UTF-8, a number of thousands of digits, deep nesting
        got, advice = f"one that can't be read ({printable(str(error))})", "write it again as plain JSON"
    else:
        with _said_of(label):
            return _listed(content)
    raise InputError(label, expected="a JSON file", got=got, advice=advice)


def _listed(content: Any) -> list[Any]:
    if not isinstance(content, dict):
        raise _wrong("file", 'an object {"treatments": [...]}', content)
    _refuse_unknown(content, ("treatments",), "file")
    entries = content.get("treatments")
    if not isinstance(entries, list) or not entries:
        raise _wrong("treatments", "a list of at least one treatment", entries)
    return entries


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; Python keeps the last of two equal keys without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"the key {twice[:_QUOTED]} twice in one object")
    return found


def _refuse_unknown(fields: Mapping[str, Any], known: tuple[str, ...], subject: str) -> None:
    unknown = [key for key in fields if key not in known]
    if unknown:
        raise InputError(
            subject,
            expected=f"the keys {', '.join(known)}",
            got=", ".join(printable(key)[:_QUOTED] for key in unknown),
            advice="correct or remove it",
        )


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(key, "a number", value)
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        number = math.inf
    if not math.isfinite(number) or number < 0:  # Python's reader takes NaN and Infinity, which JSON doesn't have
        raise _wrong(key, "a finite number of at least 0", value)
    return number


def _wrong(key: str, expected: str, value: Any) -> InputError:
    """The refusal of a value, quoted as JSON writes it and cut to a readable length."""
    text = printable(json.dumps(value, ensure_ascii=False))
    got = text if len(text) <= _QUOTED else text[:_QUOTED] + "..."
    return InputError(key, expected=expected, got=got, advice="see docs/treatments.md")


@contextmanager
def _said_of(label: str) -> Iterator[None]:
    """Say of every InputError inside which file and entry it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"{label}: {error.subject}", expected=error.expected, got=error.got, advice=error.advice
        ) from error
