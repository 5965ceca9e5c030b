"""What the alerts have to tell the next shift, for its handover pack."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import Agency
from alerts.models import Alert, Level
from geography.models import Zone

LISTED = 60


def pending_alerts(*, agency: Agency, governorate: Zone, now: datetime) -> dict[str, Any]:
    """Those that are open: what fires, what somebody has acknowledged and not ended, what is quiet and until when."""
    rows = Alert.objects.open().filter(agency=agency).filter(Q(governorate=governorate) | Q(governorate=None))
    found = sorted(
        rows.select_related("acknowledged_by", "acknowledged_by_contact", "silenced_by").order_by("-pk")[: 4 * LISTED],
        key=lambda alert: (alert.state != "firing", -Level(alert.level).rank, alert.pk),
    )
    return {"alerts_open": rows.count(), "alerts": [_plain(alert, now) for alert in found[:LISTED]]}


def _plain(alert: Alert, now: datetime) -> dict[str, Any]:
    ends = [alert.snoozed_until, alert.muted_until, alert.silenced_by.ends_at if alert.silenced_by is not None else None]
    quiet = [end for end in ends if end is not None and end > now]
    return {
        "id": alert.pk,
        "title": [alert.title_en, alert.title_ar],
        "level": alert.level,
        "state": alert.state,
        "since": alert.opened_at.isoformat(),
        "by": str(alert.acknowledged_by or alert.acknowledged_by_contact or ""),
        "quiet_until": max(quiet).isoformat() if quiet else None,
    }
