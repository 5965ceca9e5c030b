"""A message as a channel is given it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from alerts.channels.base import Message


def a_message(to: str, **given: Any) -> Message:
    details: dict[str, Any] = {
        "key": uuid4(), "to": to, "language": "en", "subject": "High: smoke over the market", "text": "Smoke over the market in Salmiya.",
        "level": "high", "url": "https://alerts.example/alerts/7/", "acknowledge_url": "https://alerts.example/a/abc/", "code": "K7Q2",
    }  # fmt: skip
    return Message(**{**details, **given})
