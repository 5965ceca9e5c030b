"""The verbs of this app."""

from interop.services.batches import cancel_batch, forget_old_batches, queue_batch, work_on_batches
from interop.services.corrections import correct_message, replay_matching
from interop.services.feed_hours import count_feeds
from interop.services.inbox import (
    Replay,
    process_message,
    receive_message,
    receive_messages,
    replay_messages,
    sweep_inbox,
)
from interop.services.keys import issue_key, note_use, revoke_key, rotate_key
from interop.services.letters import Outcome, Receipt
from interop.services.silence import look_for_silence

__all__ = [
    "Outcome",
    "Receipt",
    "Replay",
    "cancel_batch",
    "correct_message",
    "count_feeds",
    "forget_old_batches",
    "issue_key",
    "look_for_silence",
    "note_use",
    "process_message",
    "queue_batch",
    "receive_message",
    "receive_messages",
    "replay_matching",
    "replay_messages",
    "revoke_key",
    "rotate_key",
    "sweep_inbox",
    "work_on_batches",
]
