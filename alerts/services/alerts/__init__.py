"""An alert's life. Every verb is one transaction: check, change, line in the log, event; the telling follows in the same transaction."""

from alerts.services.alerts.acknowledging import acknowledge, escalate_now, note, reassign, unacknowledge
from alerts.services.alerts.joining import Seen
from alerts.services.alerts.labels import labels_of
from alerts.services.alerts.looking_after import look_after
from alerts.services.alerts.opening import open_alert, raise_manual
from alerts.services.alerts.outside import call_off, tell_anew
from alerts.services.alerts.quieting import mute, snooze
from alerts.services.alerts.refiring import refire
from alerts.services.alerts.resolving import resolve
from alerts.services.alerts.silences import end_silence, make_silence, problem_with, would_silence

__all__ = [
    "Seen",
    "acknowledge",
    "call_off",
    "end_silence",
    "escalate_now",
    "labels_of",
    "look_after",
    "make_silence",
    "mute",
    "note",
    "open_alert",
    "problem_with",
    "raise_manual",
    "reassign",
    "refire",
    "resolve",
    "snooze",
    "tell_anew",
    "unacknowledge",
    "would_silence",
]
