"""The calendar of a schedule for phones and desks: read by a secret address, of which only a digest is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.models import OnCallSchedule
from alerts.permissions import Actor, require
from alerts.services.oncall.reading import gaps, spans
from core import audit

BEFORE, AHEAD = timedelta(days=7), timedelta(days=60)


@transaction.atomic
def rotate_feed_key(*, schedule: OnCallSchedule, by: Actor | None) -> str:
    """A new secret, told this once; the address made with the one before answers no more."""
    require(by, "manage_oncall", schedule)
    key = secrets.token_urlsafe(32)
    OnCallSchedule.objects.filter(pk=schedule.pk).update(feed_key=_digest(key))
    audit.record("oncallschedule.rotate_feed", obj=schedule, by=by)
    return key


@transaction.atomic
def close_feed(*, schedule: OnCallSchedule, by: Actor | None) -> None:
    require(by, "manage_oncall", schedule)
    OnCallSchedule.objects.filter(pk=schedule.pk).update(feed_key=None)
    audit.record("oncallschedule.close_feed", obj=schedule, by=by)


def schedule_of_key(key: str) -> OnCallSchedule | None:
    """The schedule whose feed this secret opens; found by its digest, so that the time it takes tells nothing of the secret."""
    return OnCallSchedule.objects.active().filter(feed_key=_digest(key)).first()


def calendar_of(*, schedule: OnCallSchedule, language: str = "ar", at: datetime | None = None) -> bytes:
    """A week back and sixty days ahead as iCalendar: who is on call, and holes as events of their own. Names, never an address."""
    from icalendar import Calendar, Event

    at = (at or timezone.now()).replace(microsecond=0)
    start, end = at - BEFORE, at + AHEAD
    found = [span for span in spans(schedule=schedule, start=start, end=end) if span.user_id is not None]
    names = {user.pk: str(user) for user in User.objects.filter(pk__in={span.user_id for span in found})}
    with translation.override(language):
        calendar = Calendar()
        calendar.add("prodid", "-//Khareetaty//On call//EN")
        calendar.add("version", "2.0")
        calendar.add("x-wr-calname", schedule.name)
        calendar.add("refresh-interval", timedelta(minutes=15), parameters={"VALUE": "DURATION"})
        entries = [(span.start, span.end, names.get(span.user_id or 0, "")) for span in found]
        entries += [(begins, ends, _("Nobody on call")) for begins, ends in gaps(schedule=schedule, start=start, end=end)]
        for begins, ends, name in sorted(entries):
            event = Event()
            event.add("uid", f"oncall-{schedule.pk}-{int(begins.timestamp())}@khareetaty")
            event.add("dtstamp", at)
            event.add("dtstart", begins)
            event.add("dtend", ends)
            event.add("summary", f"{name} · {schedule.name}")
            calendar.add_component(event)
        return bytes(calendar.to_ical())


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
