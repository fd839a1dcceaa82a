"""The report of a run: one HTML file with everything in it, readable without a network."""

from donna.report.page import report_html

__all__ = ["report_html"]
