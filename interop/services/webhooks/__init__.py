"""Webhooks: other systems are told of what happens, signed, in order, until they took it.

``catalogue`` says which events may leave the house and what of them; ``rights`` to whom; ``fanning`` makes a row for each that goes;
``queue`` claims rows and writes down what came of them; ``subscriptions``, ``secrets`` and ``replaying`` are the verbs of owners.
"""

from interop.services.webhooks.catalogue import CATALOGUE, EventType, matching
from interop.services.webhooks.fanning import fan_out
from interop.services.webhooks.keeping import forget_old_deliveries
from interop.services.webhooks.replaying import replay_delivery, replay_failed, replay_since
from interop.services.webhooks.rights import standing_key
from interop.services.webhooks.secrets import revoke_secret, rotate_secret
from interop.services.webhooks.subscriptions import (
    change_webhook,
    make_webhook,
    pause_webhook,
    remove_webhook,
    resume_webhook,
    send_test,
)

__all__ = [
    "CATALOGUE",
    "EventType",
    "change_webhook",
    "fan_out",
    "forget_old_deliveries",
    "make_webhook",
    "matching",
    "pause_webhook",
    "remove_webhook",
    "replay_delivery",
    "replay_failed",
    "replay_since",
    "resume_webhook",
    "revoke_secret",
    "rotate_secret",
    "send_test",
    "standing_key",
]
