"""The command centre's screens of this app."""

from incidents.admin import analytics, incident, intake, vocabulary

__all__ = ["analytics", "incident", "intake", "vocabulary"]
