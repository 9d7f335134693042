"""What an interrupted estimation needs to go on: plain arrays and a few words, in one file."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.core import InputError
from gliocast.data.outputs import whole_file

#: Entry of the archive that holds key and words.
_META = "__meta__"


def save_checkpoint(path: Path, *, key: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write arrays and words as a whole, or not at all."""
    words = np.frombuffer(json.dumps({"key": key, "meta": meta}).encode(), dtype=np.uint8)
    with whole_file(path) as stage, stage.open("wb") as file:
        np.savez(file, allow_pickle=False, **{_META: words}, **arrays)


def load_checkpoint(path: Path, *, key: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """What was saved, None if there is no file.

    Raises:
        InputError: the file is damaged, or of another job.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        words = json.loads(arrays.pop(_META).tobytes())
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"checkpoint {path.name}", expected="a whole checkpoint", got=f"{error}", advice="remove it to begin anew"
        ) from error
    if words["key"] != key:
        raise InputError(
            f"checkpoint {path.name}",
            expected="one of the same observation, options and seed",
            got="another's",
            advice="remove it, or choose another file",
        )
    return arrays, words["meta"]
