"""The verbs of this app. Each is one transaction: check, change, announce."""

from incidents.services.lifecycle import (
    annotate_incident,
    change_incident,
    classify_incident,
    close_incident,
    mark_duplicate,
    move_incident,
    reopen_incident,
)
from incidents.services.opening import Opened, open_incident

__all__ = [
    "Opened",
    "annotate_incident",
    "change_incident",
    "classify_incident",
    "close_incident",
    "mark_duplicate",
    "move_incident",
    "open_incident",
    "reopen_incident",
]
