"""A cache of arrays by what they were computed from.

A key is a hash of every input, so an entry can never be out of date, and deleting the folder is always safe. Entries
hold plain arrays only: loading one runs no code. What unfinished jobs keep lies beside the entries.
"""

import hashlib
import os
import secrets
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from hashlib import _Hash

#: What a key can be made of.
Part: TypeAlias = np.ndarray | np.generic | str | int | float | Sequence["Part"] | None


def cache_folder() -> Path:
    """Where entries lie: $GLIOCAST_CACHE, else $XDG_CACHE_HOME/gliocast, else ~/.cache/gliocast; it may not exist."""
    if own := os.environ.get("GLIOCAST_CACHE"):
        return Path(own)
    if (shared := os.environ.get("XDG_CACHE_HOME")) and Path(shared).is_absolute():  # relative ones are to be ignored
        return Path(shared) / "gliocast"
    return Path.home() / ".cache" / "gliocast"


def content_key(*parts: Part) -> str:
    """SHA-256 over arrays (type, shape, values), strings, numbers and None, or tuples and lists of these; hexadecimal.

    Every part is preceded by its kind and length, so that no two different lists of parts run together to one key.

    Raises:
        TypeError: for a part of any other kind.
    """
    digest = hashlib.sha256()
    _feed(digest, parts)
    return digest.hexdigest()


def load_arrays(key: str) -> dict[str, np.ndarray] | None:
    """The arrays stored under a key; None if there are none. A damaged entry counts as absent and is removed."""
    try:
        entry = _entry(key)
        with entry.open("rb") as file:
            return _read_archive(file)
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile):
        with suppress(OSError):
            entry.unlink(missing_ok=True)
    except (OSError, RuntimeError):  # absent or no permission; no home folder
        pass
    return None


def store_arrays(key: str, /, **arrays: np.ndarray) -> None:
    """Store arrays under a key, as a whole or not at all; a cache that can't be written is silently none."""
    try:
        entry = _entry(key)
        entry.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return
    temporary = entry.with_name(f".{entry.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        temporary.replace(entry)
    except OSError:
        pass
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def unfinished_file(key: str) -> Path | None:
    """Where a long job keeps what it needs to go on after an interruption; None where nothing can be written.

    Whoever uses it removes it at the end.
    """
    try:
        path = cache_folder() / "unfinished" / f"{key}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path if os.access(path.parent, os.W_OK) else None
    except (OSError, RuntimeError):
        return None


def file_hash(path: Path | str) -> str:
    """SHA-256 of a file's bytes, hexadecimal; says later which input a result came from."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(key: str) -> Path:
    return cache_folder() / f"{key}.npz"


def _read_archive(file: BinaryIO) -> dict[str, np.ndarray]:
    """All arrays of an .npz; the zip's checksums are verified on the way."""
    with zipfile.ZipFile(file) as archive:
        return {name.removesuffix(".npy"): _read_member(archive, name) for name in archive.namelist()}


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _feed(digest: "_Hash", part: Part) -> None:
    """Add one part to a hash, after its kind and length."""
    if isinstance(part, np.generic):
        part = part.item()
    if isinstance(part, np.ndarray):
        if part.dtype.hasobject:
            raise TypeError("a key can't be made of an array of objects")
        digest.update(f"array {part.dtype.str} {part.shape} ".encode())
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    elif isinstance(part, str):
        content = part.encode(errors="surrogateescape")
        digest.update(f"str {len(content)} ".encode() + content)
    elif part is None or isinstance(part, bool | int | float):
        digest.update(f"{type(part).__name__} {part!r} ".encode())
    elif isinstance(part, tuple | list):
        digest.update(f"sequence {len(part)} ".encode())
        for item in part:
            _feed(digest, item)
    else:
        raise TypeError(f"expected arrays, strings, numbers or sequences of these in a key, got {type(part).__name__}")
