"""Holes that appear after a schedule was saved (somebody leaves, an override ends): once a day they are looked for, and said."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import CAPABILITIES
from alerts.choices import Level
from alerts.models import Alert, AlertState, EscalationPolicy, OnCallSchedule
from alerts.permissions import may
from alerts.services import whys
from alerts.services.alerts import open_alert, paging
from alerts.services.alerts.resolving import close
from alerts.services.oncall.reading import AHEAD, gaps

log = logging.getLogger(__name__)

SOON = timedelta(hours=24)
MOST_OWNERS = 20
MOST_KEPT = 60
OPEN_FOR_MIN = 60 * 24 * 15  # until the hole is filled, or long past
Hole = tuple[datetime, datetime]


def look_for_holes(*, now: datetime | None = None) -> int:
    """Look through every schedule in use; returns how many alerts were opened. Run as often as you like: the same holes are said once."""
    now, opened = now or timezone.now(), 0
    for schedule in OnCallSchedule.objects.active().select_related("agency").defer("governorate__boundary").order_by("pk"):
        try:
            with transaction.atomic():
                opened += _look(schedule, now)
        except Exception:  # one schedule that cannot be read must not hide the holes of the others
            log.exception("schedule %s could not be looked through", schedule.code)
    return opened


def owners_of(schedule: OnCallSchedule) -> list[User]:
    """Who may fill a hole: those of its own agency who manage schedules there; where there are none, whoever else may."""
    roles = [role for role, verbs in CAPABILITIES.items() if "manage_oncall" in verbs]
    rows = User.objects.filter(is_active=True, role__in=roles).order_by("pk")
    for people in (rows.filter(agency_id=schedule.agency_id), rows):
        found = [user for user in people if may(user, "manage_oncall", schedule)]
        if found:
            return found[:MOST_OWNERS]
    return []


def _look(schedule: OnCallSchedule, now: datetime) -> bool:
    fingerprint = f"oncall-holes:{schedule.pk}"
    known = Alert.objects.select_for_update(no_key=True).filter(fingerprint=fingerprint).exclude(state=AlertState.RESOLVED).first()
    holes = gaps(schedule=schedule, start=now, end=now + AHEAD)
    if not holes:
        if known is not None:
            close(known, because=Alert.Because.RECOVERY, outcome=_("Somebody is on call again throughout."), now=now)
        return False
    level, shapes = _level(schedule, holes, now), _shapes(schedule, holes, now)
    if known is not None:
        is_new = bool(set(shapes) - set(known.facts.get("shapes") or [])) or Level(level).rank > Level(known.level).rank
        if not is_new:
            Alert.objects.filter(pk=known.pk).update(facts=_facts(schedule, holes, shapes), last_seen_at=now)
            return False
        close(known, because=Alert.Because.RECOVERY, outcome=_("Another hole has appeared: there is a new alert."), now=now)
    _announce(schedule, holes, shapes, level, fingerprint, now)
    return True


def _announce(schedule: OnCallSchedule, holes: Sequence[Hole], shapes: list[str], level: str, fingerprint: str, now: datetime) -> None:
    zone = ZoneInfo(schedule.time_zone)
    first = f"{max(holes[0][0], now).astimezone(zone):%d/%m %H:%M}"
    alert = open_alert(
        kind=Alert.Kind.COVERAGE,
        fingerprint=fingerprint,
        level=level,
        title_en=f"Nobody is on call from {first} on: {schedule.name_en}"[:200],
        title_ar=f"لا مناوب اعتبارًا من {first}: {schedule.name_ar}"[:200],
        caused_at=now,
        agency_id=schedule.agency_id,
        governorate_id=schedule.governorate_id,
        subject=("oncall_schedule", schedule.pk),
        facts=_facts(schedule, holes, shapes),
        is_synthetic=schedule.is_synthetic,
        resolve_after_min=OPEN_FOR_MIN,
        now=now,
    )
    for owner in owners_of(schedule):
        paging.page(alert=alert, user=owner, why=whys.keeps({"en": schedule.name_en, "ar": schedule.name_ar}), now=now)


def _level(schedule: OnCallSchedule, holes: Sequence[Hole], now: datetime) -> str:
    """High where an alert would reach nobody by it within a day; low where no policy asks this schedule."""
    asking = EscalationPolicy.objects.active().filter(steps__schedule=schedule)
    if not asking.exists():
        return Level.LOW
    lacks_fallback = asking.filter(fallback_user=None, fallback_contact=None).exists()
    return Level.HIGH if lacks_fallback and holes[0][0] < now + SOON else Level.MEDIUM


def _shapes(schedule: OnCallSchedule, holes: Sequence[Hole], now: datetime) -> list[str]:
    """What a hole looks like on the schedule's clock: “22:00-06:00” every night is one thing to say, not fourteen."""
    zone = ZoneInfo(schedule.time_zone)
    found = []
    for start, end in holes:
        begins = "now" if start <= now else f"{start.astimezone(zone):%H:%M}"
        ends = "on" if end >= now + AHEAD else f"{end.astimezone(zone):%H:%M}"
        days = (end - start) // timedelta(days=1)
        found.append(f"{begins}-{ends}" + (f"+{days}" if days and ends != "on" else ""))
    return sorted(set(found))


def _facts(schedule: OnCallSchedule, holes: Sequence[Hole], shapes: list[str]) -> dict[str, Any]:
    kept = [{"from": start.isoformat(), "to": end.isoformat()} for start, end in holes[:MOST_KEPT]]
    return {"schedule": schedule.code, "holes": kept, "count": len(holes), "shapes": shapes}
