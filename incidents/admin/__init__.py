"""The command centre's screens of this app."""

from incidents.admin import analytics, duplicates, feed_hours, hotspots, incident, intake, runs, surfaces, trust, vocabulary

__all__ = ["analytics", "duplicates", "feed_hours", "hotspots", "incident", "intake", "runs", "surfaces", "trust", "vocabulary"]
