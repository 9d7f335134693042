"""Whether a person may read on, should look first, or should throw the result away: rules that say why.

The rules look at what the stages measured. None of them can tell that a result is right; each can tell that it isn't,
or that nobody should rely on it without a look. The result is the worst that any rule says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from gliocast.anatomy.quality import MIN_CORRELATION, MIN_DICE
from gliocast.inference.identifiability import parameters_at_bound
from gliocast.report.content import ReportContent
from gliocast.report.naming import pretty, readable_name
from gliocast.report.replicates import SUBJECTS
from gliocast.report.tables import COMPLETE_SHARE, number, percent

Level = Literal["pass", "review", "fail"]
#: All of them, the worst first.
LEVELS: tuple[Level, ...] = tuple(reversed(get_args(Level)))

#: Dice below which an outline needs a look [1]: the lower end of what raters reach among themselves over sub-regions of
#: gliomas (0.74 to 0.85; Menze et al., IEEE Trans. Med. Imaging 34, 2015).
REVIEW_DICE = 0.74
#: Dice of the whole tumor below which the model isn't one of this tumor [1]; the fit warns from here on, too. Real
#: patients whose tumor has one focus reach 0.72 and more.
FAIL_DICE = 0.6
#: Share of the GTV in the model's target below which that target is of no use [1]. Any target must hold all of it: what
#: is missing below a tenth can be added by hand, more says that the model grew another tumor.
FAIL_GTV_SHARE = 0.9
#: Agreement of atlas and T1 below which the tissue maps need a look [1]: halfway from where the stage gives up to what
#: good matches reach (0.65 and 0.98).
REVIEW_CORRELATION, REVIEW_BRAIN_DICE = (MIN_CORRELATION + 0.65) / 2, (MIN_DICE + 0.98) / 2

_NAMES = {"core": "the tumor core (T1c)", "whole": "the whole tumor (FLAIR)"}
_SHORT_NAMES = {"core": "core", "whole": "whole tumor"}
_SUMMARY: dict[Level, str] = {
    "pass": "No rule objects: the fit agrees with what the scans show. Where they show nothing, nobody can check it.",
    "review": "Look at what is listed here before you use a number of this page.",
    "fail": "Don't use the model's density and target: the model doesn't describe this tumor.",
}


@dataclass(frozen=True)
class Reason:
    """What one rule found: how bad it is, a sentence, and the same in a few words for a table."""

    level: Level
    text: str
    short: str


@dataclass(frozen=True)
class Verdict:
    """What all rules found.

    Args:
        reasons: the worst first; none where no rule objects.
    """

    reasons: tuple[Reason, ...]

    @property
    def level(self) -> Level:
        """The worst that any rule says."""
        return self.reasons[0].level if self.reasons else "pass"

    @property
    def summary(self) -> str:
        """What that means for the reader."""
        return _SUMMARY[self.level]


def judge(content: ReportContent) -> Verdict:
    """The verdict on a report, by rules over what it shows."""
    found = [*_outlines(content), *_targets(content), *_model(content), *_anatomy(content), *_warnings(content)]
    return Verdict(tuple(sorted(found, key=lambda reason: reason.level != "fail")))


def _outlines(content: ReportContent) -> Iterator[Reason]:
    """Segmented against simulated outlines."""
    for part, dice in content.outline_dice.items():
        short = f"{_SHORT_NAMES[part]} Dice {dice:.2f}"
        if part == "whole" and dice < FAIL_DICE:
            text = (
                f"The simulated outline of {_NAMES[part]} misses the segmented one: Dice {dice:.2f}, below {FAIL_DICE}."
            )
            yield Reason("fail", text, short)
        elif dice < REVIEW_DICE:
            text = (
                f"The simulated outline of {_NAMES[part]} differs more from the segmented one than raters from each "
                f"other: Dice {dice:.2f}, below {REVIEW_DICE}."
            )
            yield Reason("review", text, short)
    if content.misfit is not None and content.misfit.unexplained_foci:
        count, volume = content.misfit.unexplained_foci, number(content.misfit.unexplained_foci_ml)
        foci, are = ("one focus", "isn't") if count == 1 else (f"{count} foci", "aren't")
        text = f"{foci.capitalize()} of the segmented tumor ({volume} ml) {are} explained by growth from one place."
        yield Reason("review", text, f"{foci} unexplained")


def _targets(content: ReportContent) -> Iterator[Reason]:
    """What the model's target leaves out."""
    share = content.comparison.gtv_in_model
    if share < COMPLETE_SHARE:
        level: Level = "fail" if share < FAIL_GTV_SHARE else "review"
        left_out, missing = number((1 - share) * content.comparison.gtv_ml), percent(1 - share)
        text = f"The model's CTV leaves out {missing} of the visible GTV ({left_out} ml)."
        yield Reason(level, text, f"{missing} of the GTV left out")


def _model(content: ReportContent) -> Iterator[Reason]:
    """Whether the fitted model draws such a tumor, and whether the scan or a bound decides."""
    for statistic in content.check.statistics if content.check is not None else ():
        if statistic.surprising:
            subject, _, what = statistic.name.partition(" ")
            text = f"{SUBJECTS.get(subject, subject)}, {what}: the fitted model doesn't draw what was segmented"
            short = f"{_SHORT_NAMES.get(subject, subject)} {'volume' if what == 'volume' else 'shape'} not drawn"
            yield Reason("review", f"{text} (p = {number(statistic.p_value, 2)}).", short)
    for entry in parameters_at_bound(content.posterior):
        name = readable_name(entry.parameter)
        text = f"{name.capitalize()} lies at the bound of its range, {entry.bound:g}"
        yield Reason("review", f"{pretty(text)}: the range decides, not the scan.", f"{name} at a bound")


def _anatomy(content: ReportContent) -> Iterator[Reason]:
    """How well the atlas lies on the T1."""
    found = content.provenance.get("anatomy", {})
    limits = {
        "correlation": (REVIEW_CORRELATION, "intensity correlation"),
        "dice": (REVIEW_BRAIN_DICE, "Dice of the brain masks"),
    }
    for key, (limit, name) in limits.items():
        if key in found and found[key] < limit:
            text = f"The atlas lies loosely on the T1: {name} {found[key]:.3g}, below {limit:.3g}"
            yield Reason("review", f"{text}; look at the tissue maps.", f"{name} {found[key]:.3g}")


def _warnings(content: ReportContent) -> Iterator[Reason]:
    """What input and stages said."""
    if content.warnings:
        count = len(content.warnings)
        said = "a warning; read it" if count == 1 else f"{count} warnings; read them"
        yield Reason("review", f"Input and fit raised {said}.", "1 warning" if count == 1 else f"{count} warnings")
