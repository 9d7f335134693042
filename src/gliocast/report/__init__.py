"""The report: figures, tables and one self-contained page."""

from gliocast.report.content import ReportContent
from gliocast.report.html import Report, make_report, render_report
from gliocast.report.saved import SAVED, load_content, save_content

__all__ = ["SAVED", "Report", "ReportContent", "load_content", "make_report", "render_report", "save_content"]
