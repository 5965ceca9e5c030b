"""The command centre's screens of this app."""

from incidents.admin import analytics, incident, intake, runs, surfaces, trust, vocabulary

__all__ = ["analytics", "incident", "intake", "runs", "surfaces", "trust", "vocabulary"]
