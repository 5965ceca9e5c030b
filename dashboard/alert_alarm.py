"""What pages a person now, as every page of theirs shows and sounds it: the rows themselves, asked for every few seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from alerts.models import Alert, Channel, Delivery, DeliveryState, EscalationRun, Level, Page, Preferences
from alerts.permissions import may
from dashboard.alert_queue import alerts_for, next_step_at, quiet_words

MOST = 30
# A page that was cancelled or answered rings no more; one whose channels were all tried still waits for its person.
RINGS = (Page.State.RUNNING, Page.State.EXHAUSTED)
SHOWS = (*RINGS, Page.State.HELD)


def alarms_of(user: User) -> list[dict[str, Any]]:
    """Firing alerts that page this person, the worst and the oldest first. What is quiet is left out."""
    mine = Page.objects.filter(alert=OuterRef("pk"), user_id=user.pk)
    running = EscalationRun.objects.filter(state="running").only("id", "alert_id", "state", "next_at")
    found = (
        alerts_for(user)
        .firing()
        .filter(Exists(mine.filter(state__in=SHOWS)))
        .annotate(rings=Exists(mine.filter(state__in=RINGS)))
        .for_card()
        .prefetch_related(Prefetch("runs", queryset=running, to_attr="open_runs"))
        .order_by("opened_at")[: 4 * MOST]
    )
    loud = [alert for alert in found if not quiet_words(alert)]
    loud.sort(key=lambda alert: (-Level(alert.level).rank, alert.opened_at))
    return [_facts(alert, user) for alert in loud[:MOST]]


def _facts(alert: Alert, user: User) -> dict[str, Any]:
    """In the language of the moment."""
    place = alert.zone or alert.governorate
    next_at = next_step_at(alert)
    return {
        "id": alert.pk,
        "level": alert.level,
        "severity": Level(alert.level).rank + 1,
        "level_text": str(Level(alert.level).label),
        "title": alert.title,
        "place": place.name if place is not None else "",
        "since": _iso(alert.opened_at),
        "fired_at": _iso(alert.opened_at),
        "next_at": _iso(next_at) if next_at else None,
        "count": alert.occurrence_count,
        "is_held": not getattr(alert, "rings", True),
        "is_synthetic": alert.is_synthetic,
        "may_acknowledge": may(user, "ack_alert", alert),
        "url": reverse("alerts-one", args=[alert.pk]),
        "acknowledge_url": reverse("alerts-act", args=[alert.pk, "acknowledge"]),
    }


def not_yet_seen(user: User, ids: list[int]) -> list[int]:
    """Of these alerts, those whose message on the screen still waits to be shown to this person."""
    waiting = Delivery.objects.filter(
        alert_id__in=ids,
        page__user=user,
        channel=Channel.IN_APP,
        state__in=[DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.SENT],
    )
    return sorted({pk for pk in waiting.values_list("alert_id", flat=True) if pk is not None})


def muted_until(user: User) -> datetime | None:
    until = Preferences.objects.filter(user=user).values_list("sound_muted_until", flat=True).first()
    return until if until is not None and until > timezone.now() else None


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
