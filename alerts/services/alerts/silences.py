"""Silences: what is expected for a while pages nobody. Every silence ends, and then what is still wrong fires again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency, User
from alerts import events
from alerts.analytics.matching import FIELDS, OPERATORS, matches
from alerts.models import Alert, AlertLog, AlertState, Silence
from alerts.permissions import require
from alerts.services.alerts import paging
from alerts.services.alerts.acknowledging import said
from alerts.services.alerts.labels import labels_of, with_labels
from alerts.services.alerts.quiets import QUIETABLE, reaches
from alerts.services.alerts.recording import announce, write
from core import audit
from core.errors import Conflict, Invalid
from core.events import publish
from geography.models import Zone

LONGEST = timedelta(days=31)
MOST_MATCHERS = 10


@transaction.atomic
def make_silence(
    *,
    by: User,
    matchers: Sequence[Mapping[str, Any]],
    starts_at: datetime | None = None,
    ends_at: datetime,
    reason: str,
    agency: Agency | None = None,
    governorate: Zone | None = None,
) -> Silence:
    """Alerts that match page nobody from ``starts_at`` to ``ends_at``; those that fire now fall silent at once.

    It reaches as far as whoever makes it: somebody of one agency silences that agency's alerts, in the governorates they see.
    """
    require(by, "manage_alerts")
    now = timezone.now()
    starts_at = starts_at or now
    if agency is None and not by.sees_all_agencies:
        agency = by.agency
    problems: dict[str, str] = {}
    if problem := problem_with(matchers):
        problems["matchers"] = problem
    if ends_at <= max(starts_at, now):
        problems["ends_at"] = _("It ends before it begins.") if ends_at <= starts_at else _("This time is over already.")
    elif ends_at - starts_at > LONGEST:
        problems["ends_at"] = _("A silence lasts %(days)d days at most; make another when it ends.") % {"days": LONGEST.days}
    mine = by.jurisdiction
    if mine.agency_ids is not None and (agency is None or agency.pk not in mine.agency_ids):
        problems["agency"] = _("This lies outside your jurisdiction.")
    if mine.governorate_ids is not None:
        if governorate is None and len(mine.governorate_ids) == 1:
            governorate = Zone.objects.get(pk=next(iter(mine.governorate_ids)))
        if governorate is None:
            problems["governorate"] = _("Choose one of your governorates.")
        elif governorate.pk not in mine.governorate_ids:
            problems["governorate"] = _("This lies outside your jurisdiction.")
    if problems:
        raise Invalid(_("The silence cannot be made as it is."), fields=problems)
    silence = Silence.objects.create(
        matchers=[dict(one) for one in matchers], agency=agency, governorate=governorate, starts_at=starts_at, ends_at=ends_at,
        reason=said(reason), created_by=by,
    )  # fmt: skip
    publish(
        events.SILENCE_MADE,
        subject=silence,
        data={"silence": silence.pk, "until": ends_at.isoformat()},
        agency_id=silence.agency_id,
        governorate_id=silence.governorate_id,
    )
    audit.record("silence.make", obj=silence, by=by, reason=silence.reason, after={"matchers": silence.matchers})
    if starts_at <= now:
        hush(silence)
    return silence


def hush(silence: Silence) -> int:
    """Quiet what fires already. Returns how many alerts it was."""
    firing = Alert.objects.filter(state=AlertState.FIRING, silenced_by=None, kind__in=QUIETABLE)
    count = 0
    for alert in with_labels(firing).order_by("pk")[:2000]:
        if not reaches(silence, alert) or not matches(silence.matchers, labels_of(alert)):
            continue
        if not Alert.objects.filter(pk=alert.pk, state=AlertState.FIRING, silenced_by=None).update(silenced_by=silence):
            continue
        paging.stop(alert=alert, because="silenced")
        write(alert, AlertLog.Kind.SILENCED, note=silence.reason, facts={"silence": silence.pk, "until": silence.ends_at.isoformat()})
        announce(events.ALERT_QUIETED, alert, how="silenced", until=silence.ends_at.isoformat())
        count += 1
    return count


@transaction.atomic
def end_silence(*, silence: Silence, by: User) -> Silence:
    """Before its time. Its alerts are looked at again by the next round, within seconds."""
    require(by, "manage_alerts", silence)
    now = timezone.now()
    if not Silence.objects.filter(pk=silence.pk, ends_at__gt=now).update(ends_at=now, ended_by=by):
        raise Conflict(_("This silence has ended."))
    silence.refresh_from_db()
    publish(
        events.SILENCE_ENDED,
        subject=silence,
        data={"silence": silence.pk},
        agency_id=silence.agency_id,
        governorate_id=silence.governorate_id,
    )
    audit.record("silence.end", obj=silence, by=by)
    return silence


def problem_with(matchers: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with a list of matchers, in a sentence; nothing where it can be used."""
    if not isinstance(matchers, list | tuple) or not matchers:
        return _("Name at least one thing that must hold.")
    if len(matchers) > MOST_MATCHERS:
        return _("At most %(limit)d of them.") % {"limit": MOST_MATCHERS}
    for matcher in matchers:
        if not isinstance(matcher, Mapping):
            return _("Each names a field and what it must be.")
        if matcher.get("field") not in FIELDS:
            return _("Unknown field: %(field)s.") % {"field": matcher.get("field")}
        if unknown := sorted(set(matcher) - {"field", *OPERATORS}):
            return _("Unknown key: %(key)s.") % {"key": unknown[0]}
        values = [matcher[name] for name in OPERATORS if name in matcher]
        if not values:
            return _("Say what %(field)s must be.") % {"field": matcher["field"]}
        for value in values:
            texts = value if isinstance(value, list | tuple) else [value]
            if not texts or not all(isinstance(one, str) and one and len(one) <= 100 for one in texts):
                return _("%(field)s is compared with words.") % {"field": matcher["field"]}
    return ""


def would_silence(*, matchers: Sequence[Mapping[str, Any]], viewer: User, limit: int = 500) -> list[Alert]:
    """The open alerts a silence would touch: shown before it is made."""
    open_ones = with_labels(Alert.objects.visible_to(viewer).open().filter(kind__in=QUIETABLE)).order_by("-pk")[:limit]
    return [alert for alert in open_ones if matches(matchers, labels_of(alert))]
