"""Feeds that send nothing any more. What a silence means is for the alert rules to say; here it is measured and announced."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone, translation

from alerts.services.engine import silence_marks
from core.events import publish
from interop import events
from interop.models import Feed, InboxMessage

USUAL_MARKS = (30, 120, 720, 1_440)  # minutes, where no rule asks for others
LATE_COMMITS = 2_000  # a message may become visible after one with a higher number


def look_for_silence(*, now: datetime | None = None) -> int:
    """Announce every feed that has passed another mark of silence, and every one that is heard again. Returns how many were announced.

    A feed that was never heard is not silent: nothing is expected of it yet. Two sweeps at once do not announce twice.
    """
    now = now or timezone.now()
    feeds = list(Feed.objects.filter(partner__is_active=True, source__is_active=True).select_related("partner", "source"))
    _hear(feeds)
    marks = sorted({*USUAL_MARKS, *silence_marks()})
    announced = 0
    for feed in feeds:
        if feed.last_heard_at is None:
            continue
        minutes = int((now - feed.last_heard_at) / timedelta(minutes=1))
        mark = max((one for one in marks if one <= minutes), default=0)
        if mark > feed.silent_told_min:
            announced += _tell(feed, mark, minutes)
        elif mark < feed.silent_told_min and minutes < min(marks):
            announced += _tell_back(feed)
    return announced


def _hear(feeds: list[Feed]) -> None:
    """Bring each feed's last message up to date, from the messages since the last sweep alone."""
    if not feeds:
        return
    since = min(feed.scanned_to for feed in feeds) - LATE_COMMITS
    newest = InboxMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    rows = InboxMessage.objects.filter(pk__gt=since, source__in=[feed.source_id for feed in feeds])
    heard = dict(rows.order_by().values_list("source_id").annotate(at=Max("received_at")))
    for feed in feeds:
        at = heard.get(feed.source_id)
        if at is not None and (feed.last_heard_at is None or at > feed.last_heard_at):
            Feed.objects.filter(pk=feed.pk).update(last_heard_at=at)
            feed.last_heard_at = at
    Feed.objects.filter(pk__in=[feed.pk for feed in feeds], scanned_to__lt=newest).update(scanned_to=newest)


@transaction.atomic
def _tell(feed: Feed, mark: int, minutes: int) -> int:
    if not Feed.objects.filter(pk=feed.pk, silent_told_min=feed.silent_told_min).update(silent_told_min=mark):
        return 0
    since = feed.last_heard_at.isoformat() if feed.last_heard_at else None
    publish(
        events.FEED_SILENT, subject=feed, agency_id=feed.partner.agency_id,
        data={**_names(feed), "minutes": minutes, "since": since, "is_synthetic": feed.partner.is_synthetic},
    )  # fmt: skip
    return 1


@transaction.atomic
def _tell_back(feed: Feed) -> int:
    if not Feed.objects.filter(pk=feed.pk, silent_told_min=feed.silent_told_min).update(silent_told_min=0):
        return 0
    data = {**_names(feed), "minutes": feed.silent_told_min}
    publish(events.FEED_BACK, subject=feed, agency_id=feed.partner.agency_id, data=data)
    return 1


def _names(feed: Feed) -> dict[str, str]:
    names = {"feed": feed.source.slug}
    for language in ("en", "ar"):
        with translation.override(language):
            names[f"name_{language}"] = str(feed)
    return names
