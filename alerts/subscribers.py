"""What the alerts hear from the event log."""

from __future__ import annotations

from core.subscribers import Subscriber

SUBSCRIBERS: list[Subscriber] = []
