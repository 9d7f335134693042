"""Checkpoints: where a long job stands, as plain arrays and JSON in one file that is whole or not there.

A checkpoint says which run it belongs to, part by part (options, seed, data, ...), so that another run refuses it and
says in what it differs. Reading one runs no code.
"""

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.core import InputError
from gliocast.data.cache import content_key
from gliocast.data.folders import printable
from gliocast.data.outputs import whole_file

#: Member of the archive that holds everything that is no array.
_HEADER = "checkpoint"

#: What reading a file that isn't a whole archive of plain arrays may raise.
_DAMAGE = (ValueError, EOFError, KeyError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where a job stands.

    Args:
        arrays: by name; "checkpoint" is taken.
        meta: whatever JSON can hold; numbers come back exactly.
    """

    arrays: Mapping[str, np.ndarray]
    meta: Mapping[str, Any]


def save_checkpoint(path: Path | str, checkpoint: Checkpoint, *, run: Mapping[str, str]) -> None:
    """Replace the checkpoint in a file; whenever this is interrupted, the old or the new one is there, whole.

    Args:
        path: file to write; missing folders are made.
        checkpoint: where the job stands.
        run: what the job depends on, a hash (`content_key`) or short text by name.

    Raises:
        InputError: the file can't be written.
    """
    body = json.dumps({"run": dict(run), "meta": checkpoint.meta})
    header = json.dumps({"digest": _digest(body, checkpoint.arrays), "body": body})
    members: dict[str, Any] = {_HEADER: np.frombuffer(header.encode(), dtype=np.uint8), **checkpoint.arrays}
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **members)
        file.flush()
        os.fsync(file.fileno())


def load_checkpoint(path: Path | str, *, run: Mapping[str, str]) -> Checkpoint | None:
    """The checkpoint in a file, None where there is no file.

    Args:
        path: file that `save_checkpoint` wrote.
        run: what the job that wants to go on depends on.

    Raises:
        InputError: the file is damaged, can't be read, or belongs to another run.
    """
    subject = f"checkpoint {printable(Path(path).name)}"
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
        body, digest = header["body"], header["digest"]
        damaged = digest != _digest(body, arrays)
        content = json.loads(body)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or "an error of the file system"
        raise InputError(subject, expected="a file that can be read", got=reason, advice="name another file") from error
    except _DAMAGE:
        damaged = True
    if damaged:
        raise InputError(
            subject,
            expected="a whole checkpoint",
            got="a damaged file",
            advice="delete it and start anew",
        )
    known = content["run"]
    differing = sorted(name for name in {*known, *run} if known.get(name) != run.get(name))
    if differing:
        raise InputError(
            subject,
            expected="one that this run wrote",
            got=f"one of a run that differs in {', '.join(differing)}",
            advice="repeat that run's settings, or delete the file to start anew",
        )
    return Checkpoint(arrays, content["meta"])


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a random generator, as JSON can hold it."""
    return json.loads(json.dumps(dict(generator.bit_generator.state), default=_listed))


def restore_generator(generator: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Put a generator into a state that `generator_state` told.

    Raises:
        InputError: the state is that of another kind of generator.
    """
    try:
        generator.bit_generator.state = state
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            "random generator",
            expected=f"a state of {type(generator.bit_generator).__name__}",
            got=f"one of {state.get('bit_generator', 'nothing known')}",
            advice="go on with the kind of generator that the run began with",
        ) from error


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"expected a generator's state, got {type(value).__name__}")


def _digest(body: str, arrays: Mapping[str, np.ndarray]) -> str:
    return content_key(body, *(part for name in sorted(arrays) for part in (name, arrays[name])))
