"""Files of a training that are there as a whole or not at all."""

import os
from pathlib import Path

from gliocast.core import InputError


def write_whole(path: Path, content: bytes, *, kept: str = "what was there before is whole") -> None:
    """Write a file; it replaces the one before only when it is whole and on the disk.

    `safetensors.save_file` would do, but for two things: where a process is killed in the midst of it, it leaves a
    file of a new name every time; and a full disk is none of the operating system's errors there.

    Args:
        path: file to write, in a folder that exists.
        content: all of it.
        kept: said to the user where there is no space.

    Raises:
        InputError: it can't be written; the file of before is as it was, and nothing lies beside it.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"output {path.name}",
            expected="a place that can be written",
            got=error.strerror or str(error),
            advice=f"free some space or pick another folder; {kept}",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
