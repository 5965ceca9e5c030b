"""A row in each table of an alert's life, for the walk through the command centre."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alerts.models import Alert, Occurrence
from alerts.services import alerts as life


def rows_of_alerts(cast: Any, places: Any, incident: Any) -> Alert:
    alert = life.raise_manual(
        by=cast.supervisor, title="Smoke over the market", text="", level="high", agency=cast.police, governorate=places.hawalli,
        users=[cast.dispatcher],
    )  # fmt: skip
    Occurrence.objects.create(alert=alert, event_id=1, at=datetime.now(UTC), incident=incident)
    return alert
