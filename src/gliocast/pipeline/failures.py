"""What is written where a patient failed, and when that is over."""

from pathlib import Path

from gliocast.core import RESEARCH_NOTICE
from gliocast.data import Results, file_hash, whole_file, write_json
from gliocast.data.results import PROVENANCE

#: What is written in the place of results.
FAILURE = "failure.json"


def write_failure(folder: Path, *, stage: str, reason: str, kind: str, version: str) -> None:
    """Say in the folder of a patient why there are no results.

    Args:
        folder: of the results; those of an earlier run stay, and don't count.
        stage: that it came to; empty where nobody knows.
        reason: in one line.
        kind: class of the error.
        version: of gliocast.
    """
    content = {
        "notice": RESEARCH_NOTICE,
        "stage": stage,
        "reason": reason,
        "error": kind,
        "version": version,
        "older_results": fingerprint(Results(folder)),
    }
    with whole_file(folder / FAILURE) as path:
        write_json(path, content)


def fingerprint(place: Results) -> str | None:
    """Of results that lie in a folder; a run that succeeds writes others."""
    path = place.path(PROVENANCE)
    return file_hash(path) if path.is_file() else None
