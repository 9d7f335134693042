"""The report as one self-contained HTML page, and its figures as files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gliocast.core import RESEARCH_NOTICE
from gliocast.planning import ESTRO_EANO_MARGIN_MM
from gliocast.report.content import ReportContent
from gliocast.report.figures import make_figures
from gliocast.report.inputs import input_table, label_table, registration_table
from gliocast.report.methods_text import methods_text
from gliocast.report.outlook_words import assumptions, course_table
from gliocast.report.page import template
from gliocast.report.posterior import method_table, open_questions, open_threshold, stage_table
from gliocast.report.replicates import replicate_table
from gliocast.report.tables import (
    cautions,
    effect_table,
    key_figures,
    number,
    outline_table,
    parameter_table,
    plan_table,
    provenance_tables,
    scrub,
    summary,
)
from gliocast.report.verdict import judge
from gliocast.report.viewer import OPACITY_PERCENT, OUTLINES, SCAN_CODES, SHOWN_OUTLINES
from gliocast.report.viewer_page import NIIVUE_VERSION, security_policy, stylesheet, viewer_page


@dataclass(frozen=True)
class Report:
    """A page and its figures.

    Args:
        page: HTML that needs nothing else.
        figures: its figures as PNG, by name.
    """

    page: str
    figures: Mapping[str, bytes]


def make_report(content: ReportContent) -> Report:
    """Render the report: one HTML page that needs nothing else, the same on every run, and its figures.

    Images and volumes are embedded; the page makes no request (its own content security policy forbids it), runs no
    script but its own two, and holds no patient identifier, path or file name. Text is escaped, and what looks like a
    path in it is blotted out.

    Args:
        content: all that is to be shown.
    """
    figures, viewer, style = make_figures(content), viewer_page(content), stylesheet()
    deviation = content.density.standard_deviation
    page = template("report.html.j2").render(
        **_words(content),
        figures=figures,
        style=style,
        viewer=viewer,
        niivue_version=NIIVUE_VERSION,
        outlines=OUTLINES,
        shown_outlines=SHOWN_OUTLINES,
        opacity=OPACITY_PERCENT,
        scan_codes=SCAN_CODES,
        has_deviation=deviation is not None,
        highest_deviation="" if deviation is None else number(float(deviation.max()), 2),
        policy=security_policy(scripts=(viewer.niivue, viewer.script), styles=(style,)),
    )
    return Report(page, {key: entry.png for key, entry in figures.items()})


def render_report(content: ReportContent) -> str:
    """The page alone; see `make_report`."""
    return make_report(content).page


def _words(content: ReportContent) -> dict[str, Any]:
    """Sentences and tables."""
    methods, references = methods_text(content)
    return {
        "notice": RESEARCH_NOTICE,
        "synthetic": content.synthetic,
        "verdict": judge(content),
        "summary": summary(content),
        "key_figures": key_figures(content),
        "cautions": cautions(content),
        "input_rows": input_table(content),
        "label_rows": label_table(content),
        "registration_rows": registration_table(content),
        "unexplained": [scrub(text) for text in content.unexplained],
        "outline_rows": outline_table(content),
        "replicate_rows": replicate_table(content.check),
        "plans": content.comparison,
        "margin_mm": content.plan.margin_mm,
        "cropped_at": content.cropped_at,
        "by_guideline": content.plan.margin_mm == ESTRO_EANO_MARGIN_MM,
        "effect_rows": effect_table(content),
        "course_rows": course_table(content),
        "assumptions": assumptions(content),
        "last_day": None if content.outlook is None else number(content.outlook.last_day),
        "plan_rows": plan_table(content),
        "parameter_rows": parameter_table(content),
        "has_truth": bool(content.truth),
        "has_prior": content.prior is not None,
        "open_questions": open_questions(content),
        "open_threshold": open_threshold(),
        "method_rows": method_table(content),
        "stages": stage_table(content.posterior),
        "truth_agreement": {what: number(value) for what, value in (content.truth_agreement or {}).items()},
        "provenance": provenance_tables(content),
        "methods": [scrub(sentence) for sentence in methods],
        "references": references,
    }
