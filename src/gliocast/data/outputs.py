"""Output that is there as a whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gliocast.core import InputError
from gliocast.data.folders import printable

#: What the operating system says where nothing more fits.
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def whole_folder(path: Path | str) -> Iterator[Path]:
    """Write a folder as a whole: yields a hidden temporary folder, moved into place when the block succeeds.

    On any exception, KeyboardInterrupt included, the target is left as it was: no folder, no parent, no changed file.
    A new folder appears by one rename. In a folder that exists the new files are moved in one by one (what else lies
    there stays), and moved back if one of them fails. The temporary folder is inside of the nearest folder that
    exists, the target itself if it does: so it lies on the target's file system even where that is a mount point,
    and permission to write nowhere else is needed.

    Args:
        path: folder to write; missing parents are created at the end.

    Raises:
        InputError: at entry, if the folder can't be created or written.
    """
    target = _resolve(path)
    with _stage(_nearest_folder(target, "folder"), target) as stage:
        yield stage
        with _advice(target), ExitStack() as undo:
            if target.is_dir():
                _merge(stage, target, undo)
            else:
                _make_folders(target.parent, undo)
                stage.rename(target)
            undo.pop_all()


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Write a file as a whole: yields a temporary path with the file's own name, moved into place at success.

    On any exception a file that was there before stays as it was. Raises as `whole_folder`.
    """
    target = _resolve(path)
    nearest = _nearest_folder(target.parent, "file")
    with _advice(target):
        blocked = target.exists() and not target.is_file()
    if blocked or not target.name:
        raise InputError(
            f"output {printable(str(path))}", expected="a file", got="a folder or device", advice="pick another name"
        )
    with _stage(nearest, target) as stage:
        yield stage / target.name
        with _advice(target), ExitStack() as undo:
            _make_folders(target.parent, undo)
            (stage / target.name).replace(target)
            undo.pop_all()


def _resolve(path: Path | str) -> Path:
    """The absolute target, links followed, so that a change of the working folder or of a link does no harm."""
    try:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a null character; a circle of links
        raise _unwritable(Path(path), str(error)) from error


def _nearest_folder(path: Path, what: str) -> Path:
    """The path itself or its nearest ancestor that exists."""
    with _advice(path):
        nearest = next(candidate for candidate in (path, *path.parents) if candidate.exists())
        if nearest.is_dir():
            return nearest
    raise InputError(
        f"output {printable(str(path))}",
        expected=f"a {what} that can be created",
        got=f"{printable(nearest.name)}, which is a file",
        advice="pick another name",
    )


@contextmanager
def _stage(parent: Path, target: Path) -> Iterator[Path]:
    """A hidden folder that is gone afterwards; mkdir instead of mkdtemp, whose mode keeps everyone else out."""
    stage = parent / f".gliocast-{secrets.token_hex(8)}"
    with _advice(target):
        stage.mkdir()
    try:
        yield stage
    except OSError as error:
        if error.errno in _FULL:
            raise _unwritable(target, os.strerror(error.errno)) from error
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _merge(stage: Path, target: Path, undo: ExitStack) -> None:
    """Move every file of the stage to its place in a folder that exists, keeping what it replaces until all is done."""
    files = sorted(path for path in stage.rglob("*") if path.is_file())
    kept = stage / f".replaced-{secrets.token_hex(4)}"
    kept.mkdir()
    for index, source in enumerate(files):
        destination = target / source.relative_to(stage)
        _make_folders(destination.parent, undo)
        if destination.exists():
            undo.callback(os.replace, shutil.copy2(destination, kept / str(index)), destination)
        else:
            undo.callback(destination.unlink, missing_ok=True)
        source.replace(destination)


def _make_folders(folder: Path, undo: ExitStack) -> None:
    """Create a folder and its missing parents."""
    missing = [candidate for candidate in (folder, *folder.parents) if not candidate.exists()]
    for candidate in reversed(missing):
        candidate.mkdir(exist_ok=True)
        undo.callback(candidate.rmdir)


@contextmanager
def _advice(target: Path) -> Iterator[None]:
    """Turn the operating system's refusal into advice."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise _unwritable(target, getattr(error, "strerror", None) or str(error)) from error


def _unwritable(path: Path, reason: str) -> InputError:
    return InputError(
        f"output {printable(str(path))}",
        expected="a place that can be written",
        got=printable(reason),
        advice="pick another folder or mend its permissions",
    )
