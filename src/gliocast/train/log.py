"""The log of a run: one row of figures per validation, as JSON lines, as a table and, if asked for, for TensorBoard.

Rows later than the checkpoint that a run goes on from are dropped, for they come again; rows are written before the
checkpoint that counts them. So an interrupted run has each row once.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gliocast.core import InputError
from gliocast.train.whole import write_whole

_LINES, _TABLE, _BOARD = "log.jsonl", "log.csv", "tensorboard"


class Log:
    """Rows of figures in a folder.

    Args:
        folder: it exists.
        step: that the run goes on from.
        tensorboard: whether TensorBoard is to show them, too.

    Raises:
        InputError: TensorBoard is asked for, and isn't installed.
    """

    def __init__(self, folder: Path, *, step: int = 0, tensorboard: bool = False) -> None:
        self._folder = folder
        self._board = _board(folder / _BOARD, step) if tensorboard else None
        self._rows = [row for row in _rows_of(folder / _LINES) if row["step"] <= step]
        self._write()

    def append(self, figures: Mapping[str, float]) -> None:
        """Add a row.

        Args:
            figures: by name; "step" is one of them.
        """
        self._rows.append(dict(figures))
        self._write()
        if self._board is not None:
            for name, value in figures.items():
                if name != "step":
                    self._board.add_scalar(name, value, int(figures["step"]))
            self._board.flush()

    def close(self) -> None:
        """Let go of TensorBoard's file."""
        if self._board is not None:
            self._board.close()

    def _write(self) -> None:
        """Both files, whole: rows are few, and a name that is new in a late row becomes the table's last column."""
        table = io.StringIO()
        names = list({name: None for row in self._rows for name in row})
        writer = csv.DictWriter(table, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_whole(self._folder / _LINES, "".join(json.dumps(row) + "\n" for row in self._rows).encode())
        write_whole(self._folder / _TABLE, table.getvalue().encode())


def _rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of a file, which may not exist."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    except ValueError as error:
        raise InputError(f"log {path.name}", expected="JSON lines", got=str(error), advice="remove it") from error


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "log", expected="TensorBoard", got="none installed", advice="pip install tensorboard, or do without"
        ) from error
    return SummaryWriter(str(folder), purge_step=step + 1)
