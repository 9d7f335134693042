"""What is written beside a NIfTI file that was a DICOM series: where it lies, and in which frame of reference.

The frame of reference is what a NIfTI file can't say of itself, and what targets need that go back to DICOM. Its UID
names nobody, but it stands in the series' archive, too.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom

from gliocast import __version__
from gliocast.core import RESEARCH_NOTICE, Grid, InputError
from gliocast.data.dicom import Series
from gliocast.data.folders import printable
from gliocast.data.likeness import fingerprint


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
        "fingerprint": fingerprint(series.volume),
        "warnings": list(series.warnings),
        "inputs": {"series": series.digest},
        "versions": {"gliocast": __version__, "python": platform.python_version(), "pydicom": pydicom.__version__},
    }
    if keep_identity:
        uids = {"StudyInstanceUID": series.study_uid, "SeriesInstanceUID": series.series_uid}
        content["identity"] = {**series.identity, **uids}
    return content


@dataclass(frozen=True, eq=False)
class Sidecar:
    """What a sidecar says of a converted scan.

    Args:
        grid: of the scan.
        frame_uid: UID of its frame of reference.
        fingerprint: of its gray values, see `gliocast.data.likeness`; None where it was written without.
    """

    grid: Grid
    frame_uid: str
    fingerprint: str | None


def read_sidecar(path: Path) -> Sidecar:
    """What the sidecar of a converted scan says.

    Raises:
        InputError: no sidecar that `gliocast convert` wrote.
    """
    label = f"sidecar ({printable(path.name)})"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        frame_uid = _text(content, "frame_of_reference_uid")
        trace = content.get("fingerprint")
        return Sidecar(
            Grid(tuple(content["shape"]), content["affine"]), frame_uid, None if trace is None else str(trace)
        )
    except FileNotFoundError:
        got = "no such file"
    except (OSError, ValueError, TypeError, KeyError) as error:
        got = f"a file that can't be used ({printable(' '.join(str(error).split()))})"
    raise InputError(label, expected="the JSON file that convert wrote", got=got, advice="convert the series again")


def _text(content: Mapping[str, Any], key: str) -> str:
    if not isinstance(content, dict) or not isinstance(content.get(key), str):
        raise ValueError(f"no {key}")
    return str(content[key])
