"""Insights as rows: one for each thing while it goes on, ended when it is over, dismissed by a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, NotFound
from iot.models import Insight
from iot.permissions import Actor, require, sees
from iot.services.insights.finding import HOLDS, Finding, of_now, of_the_day

LOCK = 0x4B48_494F_494E
CHANGES = ["weight", "params", "evidence", "governorate", "zone", "last_at", "expires_at", "is_synthetic"]
KEPT = timedelta(days=180)


def look_for_insights(*, now: datetime, also_of_the_day: bool = False) -> tuple[int, int]:
    """Find, keep, end; how many are new and how many are over. Two at once: the second leaves it to the first."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return 0, 0
        found = list(of_now(now=now)) + (list(of_the_day(now=now)) if also_of_the_day else [])
        # One whose time is over and that is found again is a new one.
        over = Insight.objects.filter(ended_at=None, expires_at__lte=now).update(ended_at=F("expires_at"))
        return _keep(found, now), over


def _keep(found: Iterable[Finding], now: datetime) -> int:
    by_key = {(one.agency_id, one.key): one for one in found}
    known = Insight.objects.select_for_update(no_key=True).filter(ended_at=None, key__in=[key for _agency, key in by_key])
    standing = {(row.agency_id, row.key): row for row in known}
    changed, new = [], []
    for key, one in by_key.items():
        row = standing.get(key)
        if row is None:
            row = Insight(agency_id=one.agency_id, key=one.key, code=one.code, device_id=one.device_id, first_at=now)
            new.append(row)
        else:
            changed.append(row)
        row.weight, row.params, row.evidence, row.is_synthetic = one.weight, one.params, one.evidence, one.is_synthetic
        row.governorate_id, row.zone_id = one.governorate_id, one.zone_id
        row.last_at, row.expires_at = now, now + HOLDS[one.code]
    Insight.objects.bulk_update(changed, CHANGES, batch_size=500)
    Insight.objects.bulk_create(new, batch_size=500)
    return len(new)


@transaction.atomic
def dismiss_insight(*, insight: Insight, by: Actor, reason: str = "") -> Insight:
    """A person has seen it and it need not be shown: not now, and not again while the same thing goes on."""
    if not sees(by, insight):
        raise NotFound(_("There is no such insight."))
    require(by, "dismiss_insights")
    now = timezone.now()
    reason = reason.strip()[:300]
    dismissed_by = getattr(by, "pk", None)
    changes = {"dismissed_at": now, "dismissed_by_id": dismissed_by, "reason": reason}
    if not Insight.objects.filter(pk=insight.pk, dismissed_at=None, ended_at=None).update(**changes):
        raise Conflict(_("It is over, or somebody has dismissed it already."))
    for name, value in changes.items():
        setattr(insight, name, value)
    audit.record("insight.dismiss", obj=insight, by=by, after={"code": insight.code, "key": insight.key}, reason=reason)
    return insight


def forget_old_insights(*, now: datetime) -> int:
    return Insight.objects.filter(ended_at__lt=now - KEPT).delete()[0]
