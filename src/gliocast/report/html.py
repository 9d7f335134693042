"""The report as one self-contained HTML page."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from gliocast.core import RESEARCH_NOTICE
from gliocast.report.content import ReportContent
from gliocast.report.figures import make_figures
from gliocast.report.posterior import method_table, open_questions, open_threshold, stage_table
from gliocast.report.replicates import replicate_table
from gliocast.report.tables import (
    cautions,
    key_figures,
    number,
    parameter_table,
    plan_table,
    provenance_tables,
    scrub,
    summary,
)


def render_report(content: ReportContent) -> str:
    """Render the report: one HTML page that needs nothing else, the same on every run.

    Images are embedded; the page makes no request (its own content security policy forbids it), and holds no patient
    identifier, path or file name. Text is escaped, and what looks like a path in it is blotted out.

    Args:
        content: all that is to be shown.

    Returns:
        The page.
    """
    environment = Environment(
        loader=PackageLoader("gliocast.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        notice=RESEARCH_NOTICE,
        synthetic=content.synthetic,
        summary=summary(content),
        key_figures=key_figures(content),
        cautions=cautions(content),
        unexplained=[scrub(text) for text in content.unexplained],
        outline_dice=content.outline_dice,
        replicate_rows=replicate_table(content.check),
        plans=content.comparison,
        margin_mm=content.plan.margin_mm,
        plan_rows=plan_table(content),
        parameter_rows=parameter_table(content),
        has_truth=bool(content.truth),
        has_prior=content.prior is not None,
        open_questions=open_questions(content),
        open_threshold=open_threshold(),
        method_rows=method_table(content),
        stages=stage_table(content.posterior),
        truth_agreement={what: number(value) for what, value in (content.truth_agreement or {}).items()},
        provenance=provenance_tables(content),
        figures=make_figures(content),
    )
