"""An answer drawn to the outlines of a problem, by its own growth or by a cheaper one that stands in."""

from collections.abc import Callable

import numpy as np

from gliocast.core import ConvergenceError, Density, Posterior
from gliocast.inference import straighten
from gliocast.problem.matching import match
from gliocast.problem.problem import Problem

#: Times that an expensive growth is solved to correct its stand-in, at most [1]: after the third what is left is for a
#: search. It ends before that when no coordinate moved by more than the second, in standard deviations of the
#: answer [1].
_MAX_STAND_INS, _SETTLED = 3, 0.05


def draw_closer(problem: Problem, answer: Posterior, *, progress: Callable[[float], None] | None = None) -> Posterior:
    """An answer moved to where level sets of the growth pass least beside the outlines; see `match`.

    Where the problem has a cheaper growth, that one is matched, corrected to have the expensive one's density wherever
    an answer has come to.

    Args:
        problem: of outlines.
        answer: about its parameters, with some ten samples for each of them or more.
        progress: called with the fraction of the expected work that is done.

    Raises:
        InputError: the problem isn't one of outlines, these have no border inside tissue, or samples are few.
        ConvergenceError: growth can't begin at the answer's mode.
    """
    if problem.cheaper is None:
        return match(problem, answer, progress=progress)
    known: list[tuple[np.ndarray, Density]] = []
    drawn, tell = answer, progress or (lambda share: None)
    deviations = straighten(answer.parameters, answer.samples).std(axis=0)
    for number in range(_MAX_STAND_INS):
        density = problem.grow(drawn.mode[None])[0]
        if density is None:
            break
        known.insert(0, (drawn.mode, density))
        before, drawn = drawn.mode, match(problem.standing_in(known), answer, start=drawn.mode)
        tell((number + 1) / _MAX_STAND_INS)
        here, there = straighten(answer.parameters, np.stack([before, drawn.mode]))
        if np.abs((there - here) / deviations).max() < _SETTLED:
            break
    if not known:
        raise ConvergenceError(
            "fit", expected="growth at the answer", got="none", advice="check the tissue maps and the labels"
        )
    tell(1.0)
    return drawn
