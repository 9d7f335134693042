"""The report: figures, tables and one self-contained page."""

from gliocast.report.content import ReportContent
from gliocast.report.html import render_report

__all__ = ["ReportContent", "render_report"]
