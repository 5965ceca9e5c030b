"""A row in each table that keeps alerts quiet, for the walk through the command centre."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.models import HeldFiring, Inhibition, Silence
from alerts.services import alerts as life


def rows_of_quiet(cast: Any, alerting: Any) -> Silence:
    now = datetime.now(UTC)
    Inhibition.objects.create(
        code="outage", name_en="An outage quiets cameras", name_ar="الانقطاع يُسكت الكاميرات", source=[{"field": "type", "is": "outage"}],
        target=[{"field": "source", "is": "camera"}], equal=["governorate"],
    )  # fmt: skip
    HeldFiring.objects.create(rule=alerting.rule, fingerprint="x", held_by="zone", due_at=now + timedelta(minutes=30), draft={})
    return life.make_silence(
        by=cast.supervisor, matchers=[{"field": "zone", "is": "nowhere"}], ends_at=now + timedelta(hours=1), reason="an exercise"
    )
