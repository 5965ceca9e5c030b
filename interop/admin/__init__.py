"""The command centre's screens of this app: a file a part."""

from interop.admin import inbox, jobs, limits, partners, sharing, systems, webhooks

__all__ = ["inbox", "jobs", "limits", "partners", "sharing", "systems", "webhooks"]
