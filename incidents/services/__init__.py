"""The verbs of this app. Each is one transaction: check, change, announce."""

from incidents.services.duplicates import dismiss_duplicates, link_duplicates, merge_duplicates, undo_duplicates
from incidents.services.lifecycle import (
    annotate_incident,
    change_incident,
    classify_incident,
    close_incident,
    mark_duplicate,
    move_incident,
    reopen_incident,
    unmark_duplicate,
)
from incidents.services.opening import Opened, open_incident

__all__ = [
    "Opened",
    "annotate_incident",
    "change_incident",
    "classify_incident",
    "close_incident",
    "dismiss_duplicates",
    "link_duplicates",
    "mark_duplicate",
    "merge_duplicates",
    "move_incident",
    "open_incident",
    "reopen_incident",
    "undo_duplicates",
    "unmark_duplicate",
]
