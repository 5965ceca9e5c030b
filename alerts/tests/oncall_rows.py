"""A row in each table of the on-call calendar and of people's wishes, for the walk through the command centre."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

from django.utils import timezone

from alerts.models import OnCallOverride, Preferences, PushSubscription, ShiftSwap


def rows_of_oncall(cast: Any, alerting: Any) -> None:
    """Beside what ``alerting`` made."""
    now = timezone.now()
    span = {"schedule": alerting.schedule, "starts_at": now, "ends_at": now + timedelta(hours=1)}
    OnCallOverride.objects.create(**span, user=cast.dispatcher, created_by=cast.supervisor)
    ShiftSwap.objects.create(**span, asked_by=cast.supervisor, asked_of=cast.dispatcher)
    Preferences.objects.create(user=cast.supervisor, quiet_from=time(22), quiet_to=time(6))
    PushSubscription.objects.create(user=cast.supervisor, endpoint="https://push.example.org/s", p256dh="p", auth="a", browser="Chromium")
