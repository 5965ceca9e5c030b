"""The command centre's screens of this app."""

from incidents.admin import analytics, hotspots, incident, intake, runs, surfaces, trust, vocabulary

__all__ = ["analytics", "hotspots", "incident", "intake", "runs", "surfaces", "trust", "vocabulary"]
