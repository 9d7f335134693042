"""What targets were made of: the density behind them, and traces of the scans behind that."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gliocast.core import InputError, Visit
from gliocast.data import file_hash, find_results
from gliocast.data.likeness import fingerprint, likeness

#: Where a folder of targets says what they are.
PLAN_FILE = "plan.json"


@dataclass(frozen=True)
class Origin:
    """What targets were made of.

    Args:
        density: SHA-256 of the image of the tumor-cell density.
        scans: fingerprints of the scans behind it by modality; none where they aren't known.
    """

    density: str
    scans: Mapping[str, str] = field(default_factory=dict)

    def likeness(self, scans: Mapping[str, str]) -> float | None:
        """How alike the scans are to others by fingerprint, best of all pairs; None where nothing can be compared."""
        pairs = (likeness(own, other) for own in self.scans.values() for other in scans.values())
        return max((found for found in pairs if found is not None), default=None)


def origin_of(visit: Visit, density: Path) -> Origin:
    """Of targets from a density that was found from the scans of a visit."""
    return Origin(file_hash(density), fingerprints(visit))


def fingerprints(visit: Visit) -> dict[str, str]:
    """Of the scans of a visit by modality, as far as they show its brain."""
    return {name: fingerprint(scan.volume, visit.brain) for name, scan in visit.scans.items()}


def find_origin(density: Path) -> Origin:
    """Of targets from a density in a file: its scans are known if `plan.json` beside it is about that very file."""
    digest = file_hash(density)
    beside = read_origin(density.parent)
    return beside if beside is not None and beside.density == digest else Origin(digest)


def read_origin(folder: Path) -> Origin | None:
    """What the targets of a folder were made of, in either layout; None where it doesn't say."""
    try:
        content = json.loads(find_results(folder).path(PLAN_FILE).read_text(encoding="utf-8"))
        scans = {str(name): text for name, text in content["scans"].items() if isinstance(text, str)}
        return Origin(str(content["density"]), scans)
    except (OSError, InputError, ValueError, KeyError, TypeError, AttributeError):
        return None
