"""The command centre's screens of this app."""

from patrol.admin import dispatch, force, measure, planning, positions, roster, safety, travel

__all__ = ["dispatch", "force", "measure", "planning", "positions", "roster", "safety", "travel"]
