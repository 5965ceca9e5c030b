"""Addresses, quiet hours and notification rules of people and contacts.

``rungs_for`` and ``is_reachable`` are what the rest asks: how this person is told now, and whether there is any way to them.
"""

from alerts.services.people.contacts import change_contact, make_contact
from alerts.services.people.methods import add_method, prove, remove_method, send_code, switch_method
from alerts.services.people.rights import masked, people_of, sees_address
from alerts.services.people.rungs import Rung, is_reachable, quiet_until, rungs_for, unreachable
from alerts.services.people.wishes import mute_sound, set_ladder, set_quiet_hours

__all__ = [
    "Rung",
    "add_method",
    "change_contact",
    "is_reachable",
    "make_contact",
    "masked",
    "mute_sound",
    "people_of",
    "prove",
    "quiet_until",
    "remove_method",
    "rungs_for",
    "sees_address",
    "send_code",
    "set_ladder",
    "set_quiet_hours",
    "switch_method",
    "unreachable",
]
