"""Numbered parts of a set on disk, each there as a whole or not at all."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from gliocast.cohort.crew import each
from gliocast.core import InputError
from gliocast.data import whole_file

_DESCRIPTION = "set.json"


def require_same_set(folder: Path, described: dict[str, object], kind: str) -> None:
    """Raise InputError where a folder holds a set of another description."""
    path = folder / _DESCRIPTION
    if not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = "something else"
    if found != json.loads(json.dumps(described)):
        raise InputError(
            f"set {folder.name}",
            expected=f"{kind} of the same model, seed and ranges",
            got="others",
            advice="pick another folder, or remove this one",
        )


def make_shards(
    folder: Path,
    described: dict[str, object],
    paths: Sequence[Path],
    make: Callable[[int], None],
    *,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Make those shards that aren't there; stopped at any moment, it goes on where it was.

    Args:
        folder: where they lie; of a cluster's machines, too.
        described: what the set depends on, written beside them.
        paths: of all shards.
        make: writes the shard of a number; it is sent to other processes.
        num_workers: processes; None for one for each core.
        scheduler: address of a Dask scheduler, or "slurm"; None for processes here.
        progress: called with the share that is there.

    Raises:
        InputError: a worker died; what is whole stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / _DESCRIPTION) as path:
        path.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    absent = [index for index, path in enumerate(paths) if not path.exists()]

    def tell(done: int) -> None:
        if progress is not None:
            progress((len(paths) - len(absent) + done) / len(paths))

    tell(0)
    for done, _ in enumerate(each(make, absent, num_workers=num_workers, scheduler=scheduler)):
        tell(done + 1)


def damaged(path: Path) -> InputError:
    """What to raise where a shard can't be read."""
    return InputError(
        f"training set, shard {path.name}",
        expected="a shard as it was written",
        got="a damaged file",
        advice="remove it; it will be made again",
    )
