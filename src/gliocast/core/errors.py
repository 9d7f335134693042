"""What can go wrong, said as advice.

Every error that a user can cause reads ``expected X, got Y; do Z``. The command line turns it into one line and an
exit code; nothing below the command line exits the process.
"""

from functools import partial
from typing import Any


class GliocastError(Exception):
    """Base of every error that gliocast raises on purpose."""

    def __init__(self, subject: str, *, expected: str, got: str, advice: str) -> None:
        """Say what went wrong.

        Args:
            subject: what is being talked about (a file, an option, a stage).
            expected: what would have been right.
            got: what was found instead.
            advice: what to do about it, as an imperative.
        """
        self.subject, self.expected, self.got, self.advice = subject, expected, got, advice
        super().__init__(f"{subject}: expected {expected}, got {got}; {advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        """How it comes back from another process as what it is, which it wouldn't from its message alone."""
        again = partial(type(self), expected=self.expected, got=self.got, advice=self.advice)
        return again, (self.subject,)


class InputError(GliocastError):
    """The input can't be used; nothing was computed and nothing written."""


class OutsideTissueError(InputError):
    """Growth can't begin where no cell can live."""


class QualityError(GliocastError):
    """A stage ran, and its result failed a quality check."""


class ConvergenceError(GliocastError):
    """An iterative method stopped before it converged."""
