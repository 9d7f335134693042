"""Tables of names and numbers as JSON files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """One JSON file.

    Raises:
        OSError: it can't be written.
        ValueError: a number in it isn't finite, for which JSON has no word.
    """
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_table(path: Path) -> dict[str, Any]:
    """A JSON file with an object in it.

    Raises:
        OSError: it can't be read.
        ValueError: it isn't one.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content
