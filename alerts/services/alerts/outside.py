"""Warnings that come from outside: their sender changes them and calls them off. Called by whoever takes the messages in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import events
from alerts.choices import Level
from alerts.models import Alert, AlertLog, AlertState
from alerts.services.alerts.joining import MOST_TITLE
from alerts.services.alerts.recording import announce, write
from alerts.services.alerts.refiring import worsen
from alerts.services.alerts.resolving import close


@transaction.atomic
def tell_anew(
    *,
    alert: Alert,
    level: str,
    title: tuple[str, str],
    text: str,
    facts: Mapping[str, Any],
    location: Point | None,
    zone_id: int | None,
    ends_at: datetime,
    note: str = "",
    now: datetime | None = None,
) -> Alert:
    """Put what its sender says now in the place of what they said. Whoever acknowledged the lesser thing is asked again when it is worse.

    One that somebody has ended meanwhile is left as it is.
    """
    now = now or timezone.now()
    held = Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)
    if not held.is_open:
        return held
    was = held.level
    Alert.objects.filter(pk=held.pk).update(
        level=level, title_en=title[0][:MOST_TITLE], title_ar=title[1][:MOST_TITLE], text=text, facts=dict(facts), location=location,
        zone_id=zone_id, resolve_due_at=ends_at, last_seen_at=now,
    )  # fmt: skip
    held.refresh_from_db()
    write(held, AlertLog.Kind.NOTED, note=note or _("Its sender says it anew."))
    if was != level:
        write(held, AlertLog.Kind.RAISED, facts={"from": was, "to": level})
    announce(events.ALERT_GREW, held, count=held.occurrence_count, level=held.level)
    if Level(level).rank > Level(was).rank:
        worsen(alert=held, hurry_percent=0, now=now)
    return held


@transaction.atomic
def call_off(*, alert: Alert, outcome: str, now: datetime | None = None) -> bool:
    """Its sender says that it is over; ``False`` where it was over already."""
    held = Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)
    if held.state == AlertState.RESOLVED:
        return False
    close(held, because=Alert.Because.RECOVERY, outcome=outcome[:400], now=now or timezone.now())
    return True
