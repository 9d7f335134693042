"""Rows of a table of checks: what is claimed, what was measured, how far off it may be, and why that far."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One check.

    Args:
        claim: what should hold.
        measured: the figure, as it is shown.
        tolerance: where the figure should lie, as it is shown; empty for a figure that is only told.
        reason: why there.
        passed: whether it does.
    """

    claim: str
    measured: str
    tolerance: str
    reason: str
    passed: bool = True


def below(claim: str, value: float, limit: float, reason: str) -> Row:
    """A figure, such as an error, that should be at most `limit`."""
    return Row(claim, f"{value:.2g}", f"<= {limit:.2g}", reason, bool(value <= limit))


def between(claim: str, value: float, low: float, high: float, reason: str) -> Row:
    """A figure, such as an order of convergence, that should lie in an interval."""
    return Row(claim, f"{value:.3g}", f"{low:g} to {high:g}", reason, bool(low <= value <= high))


def told(claim: str, measured: str, reason: str) -> Row:
    """A figure that someone should know and that nothing is asked of."""
    return Row(claim, measured, "", reason)


def print_theme(title: str, rows: Iterable[Row]) -> tuple[int, int]:
    """Print the rows as Markdown; how many there are, and how many failed."""
    print(f"\n## {title}\n\n| claim | measured | tolerance | reason of the tolerance | |\n|---|---|---|---|---|")
    count = failed = 0
    for row in rows:
        verdict = ("pass" if row.passed else "**FAIL**") if row.tolerance else "told"
        print(f"| {row.claim} | {row.measured} | {row.tolerance} | {row.reason} | {verdict} |", flush=True)
        count, failed = count + 1, failed + (not row.passed)
    return count, failed
