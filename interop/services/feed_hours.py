"""The beat's step that counts how good each feed is: what the inbox knows beside the incidents it has become."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import TruncHour
from django.utils import timezone

from incidents.services.feed_hours import AGAIN_H, Heard, count_hours, count_since
from interop.models import Correction, InboxMessage, InboxRepeat, Kind

REPEATS_KEPT_D = 8  # longer than any recount looks back but the first


def count_feeds(*, now: datetime | None = None, hours: int = AGAIN_H) -> datetime:
    """Count every feed's last ``hours``, or more where counting has stood still; from when on. Any number of times, at any time."""
    now = now or timezone.now()
    since = count_since(now, hours=hours)
    count_hours(since=since, now=now, heard=_heard(since))
    InboxRepeat.objects.filter(at__lt=now - timedelta(days=REPEATS_KEPT_D)).delete()
    return since


def _heard(since: datetime) -> list[Heard]:
    """What came and opened no incident, by the hour it came; one that a person mended since was refused all the same."""
    mended = Exists(Correction.objects.filter(message=OuterRef("pk")))
    came = InboxMessage.objects.filter(received_at__gte=since).order_by().annotate(hour=TruncHour("received_at", tzinfo=UTC))
    by_hour = came.values_list("source_id", "hour")
    refused = by_hour.filter(Q(status__in=["rejected", "dead"]) | mended)
    outside = Count("pk", filter=Q(errors__contains=[{"code": "out_of_area"}]))
    found: dict[tuple[int, datetime], dict[str, int]] = defaultdict(lambda: {"refused": 0, "outside": 0, "repeats": 0, "notices": 0})
    for source, hour, refusals, abroad in refused.annotate(refused=Count("pk"), outside=outside):
        found[source, hour].update(refused=refusals, outside=abroad)
    for source, hour, notices in by_hour.filter(status="processed", kind=Kind.CAP_ALERT).annotate(notices=Count("pk")):
        found[source, hour].update(notices=notices)
    again = InboxRepeat.objects.filter(at__gte=since).annotate(hour=TruncHour("at", tzinfo=UTC))
    for source, hour, repeats in again.values_list("source_id", "hour").annotate(repeats=Count("pk")):
        found[source, hour].update(repeats=repeats)
    return [Heard(source, hour, **counts) for (source, hour), counts in found.items()]
