"""The command centre's screens of this app."""

from incidents.admin import analytics, incident, intake, surfaces, trust, vocabulary

__all__ = ["analytics", "incident", "intake", "surfaces", "trust", "vocabulary"]
