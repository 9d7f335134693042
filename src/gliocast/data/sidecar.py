"""What is written beside a NIfTI file that was a DICOM series: where it lies, and in which frame of reference.

The frame of reference is what a NIfTI file can't say of itself, and what targets need that go back to DICOM. Its UID
names nobody, but it stands in the series' archive, too.
"""

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydicom

from gliocast import __version__
from gliocast.core import RESEARCH_NOTICE, Grid, InputError
from gliocast.data.dicom import Series
from gliocast.data.folders import printable


def sidecar(series: Series, *, keep_identity: bool = False) -> dict[str, Any]:
    """The content of a sidecar; name, identifiers, dates and UIDs of study and series only on request."""
    grid = series.grid
    content: dict[str, Any] = {
        "notice": RESEARCH_NOTICE,
        "modality": series.modality,
        "frame": "world coordinates RAS, mm",
        "frame_of_reference_uid": series.frame_uid,
        "shape": list(grid.shape),
        "spacing_mm": list(grid.spacing),
        "affine": grid.affine.tolist(),
        "image_orientation_lps": list(series.orientation),
        "warnings": list(series.warnings),
        "inputs": {"series": series.digest},
        "versions": {"gliocast": __version__, "python": platform.python_version(), "pydicom": pydicom.__version__},
    }
    if keep_identity:
        uids = {"StudyInstanceUID": series.study_uid, "SeriesInstanceUID": series.series_uid}
        content["identity"] = {**series.identity, **uids}
    return content


def read_sidecar(path: Path) -> tuple[Grid, str]:
    """The grid of a converted scan, and the UID of its frame of reference.

    Raises:
        InputError: no sidecar that `gliocast convert` wrote.
    """
    label = f"sidecar ({printable(path.name)})"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        frame_uid = _text(content, "frame_of_reference_uid")
        return Grid(tuple(content["shape"]), content["affine"]), frame_uid
    except FileNotFoundError:
        got = "no such file"
    except (OSError, ValueError, TypeError, KeyError) as error:
        got = f"a file that can't be used ({printable(' '.join(str(error).split()))})"
    raise InputError(label, expected="the JSON file that convert wrote", got=got, advice="convert the series again")


def _text(content: Mapping[str, Any], key: str) -> str:
    if not isinstance(content, dict) or not isinstance(content.get(key), str):
        raise ValueError(f"no {key}")
    return str(content[key])
