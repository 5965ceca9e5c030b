"""What came of patrol in a stretch of days."""

from patrol.services.report.assembling import Report, patrol_report
from patrol.services.report.figures import Figure, Line, Part
from patrol.services.report.window import MOST_DAYS, Window, window

__all__ = ["MOST_DAYS", "Figure", "Line", "Part", "Report", "Window", "patrol_report", "window"]
