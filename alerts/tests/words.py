"""A message as a channel is given it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from alerts.channels.base import Message
from alerts.models import ChannelHealth, PushSubscription


def a_message(to: str, **given: Any) -> Message:
    details: dict[str, Any] = {
        "key": uuid4(), "to": to, "language": "en", "subject": "High: smoke over the market", "text": "Smoke over the market in Salmiya.",
        "level": "high", "url": "https://alerts.example/alerts/7/", "acknowledge_url": "https://alerts.example/a/abc/", "code": "K7Q2",
    }  # fmt: skip
    return Message(**{**details, **given})


def rows_of_channels(cast: Any) -> None:
    """For the walk through the command centre."""
    ChannelHealth.objects.create(channel="sms", state="shaky", last_error="20503 busy", fail_streak=1)
    PushSubscription.objects.create(user=cast.officer, endpoint="https://push.example/1", p256dh="x", auth="y", browser="Chromium")
