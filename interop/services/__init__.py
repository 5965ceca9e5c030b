"""The verbs of this app."""

from interop.services.inbox import (
    Outcome,
    Receipt,
    Replay,
    process_message,
    receive_message,
    receive_messages,
    replay_messages,
    sweep_inbox,
)
from interop.services.keys import issue_key, note_use, revoke_key
from interop.services.silence import look_for_silence

__all__ = [
    "Outcome",
    "Receipt",
    "Replay",
    "issue_key",
    "look_for_silence",
    "note_use",
    "process_message",
    "receive_message",
    "receive_messages",
    "replay_messages",
    "revoke_key",
    "sweep_inbox",
]
