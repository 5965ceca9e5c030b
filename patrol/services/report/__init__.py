"""What came of patrol in a stretch of days."""

from patrol.services.report.window import MOST_DAYS, Window, window

__all__ = ["MOST_DAYS", "Window", "window"]
