"""Addresses, quiet hours and notification rules of people and contacts.

``rungs_for`` and ``is_reachable`` are what the rest asks: how this person is told now, and whether there is any way to them.
"""

from alerts.services.people.rungs import Rung, is_reachable, quiet_until, rungs_for, unreachable

__all__ = ["Rung", "is_reachable", "quiet_until", "rungs_for", "unreachable"]
