import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import gliocast
from gliocast.core import Parameter
from gliocast.observation import LabelErrors

PAGE = Path(__file__).resolve().parents[2] / "NOTATION.md"


def declared_parameters():
    """Every Parameter at the top of a module of the package, alone or in a tuple."""
    found = {}
    for module in pkgutil.walk_packages(gliocast.__path__, "gliocast."):
        for value in vars(importlib.import_module(module.name)).values():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Parameter):
                    found[item.name] = item
    return found


@pytest.fixture(scope="module")
def rows():
    """Cells of every table row."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line.startswith("|")]


def test_every_parameter_has_a_row_with_its_symbol_and_unit(rows):
    parameters = declared_parameters()
    assert len(parameters) >= 9
    for name, parameter in parameters.items():
        (row,) = (row for row in rows if len(row) == 5 and f"`{name}`" in row[1])
        assert re.search(rf"(?<!\w){re.escape(parameter.symbol)}(?!\w)", row[0]), name
        assert row[2] == parameter.unit, name


def test_typical_ranges_are_those_of_the_code(rows):
    for name, parameter in declared_parameters().items():
        if name.startswith("seed_"):
            continue  # depends on the scanner's frame
        (row,) = (row for row in rows if len(row) == 5 and f"`{name}`" in row[1])
        low, high = parameter.typical
        assert f"{low:g} to {high:g}" in row[3], name


def test_every_way_in_which_outlines_err_has_a_row(rows):
    named = {name for row in rows if len(row) == 5 for name in re.findall(r"`(\w+)`", row[1])}
    assert {field.name for field in dataclasses.fields(LabelErrors)} <= named
