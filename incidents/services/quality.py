"""How good what each source sends is: counted where it is stored, a handful of queries for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone

from incidents.models import ImportRun, Incident, RejectedRow, Report, Source, TypeMapping

# The panel speaks of these last days; the waiting rows are all that wait.
DAYS = 30


@dataclass
class FeedHealth:
    """One source. Shares are of ``window_incidents`` (0 to 1, ``None`` where there are none)."""

    source: Source
    last_received_at: datetime | None = None
    # What files brought, all imports together.
    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    # What came through any door in the window.
    window_incidents: int = 0
    window_unlocated: int = 0
    # Rows waiting for somebody, and what is wrong with them.
    waiting_rejected: int = 0
    waiting_quarantined: int = 0
    waiting_by_code: dict[str, int] = field(default_factory=dict)
    unreviewed_types: int = 0

    @property
    def unlocated_share(self) -> float | None:
        return self.window_unlocated / self.window_incidents if self.window_incidents else None

    @property
    def rejected_share(self) -> float | None:
        return self.rejected / self.read if self.read else None

    @property
    def silent_for(self) -> timedelta | None:
        """How long nothing has come; ``None`` where nothing ever did."""
        return timezone.now() - self.last_received_at if self.last_received_at else None


def feed_health(viewer: object) -> list[FeedHealth]:
    """The sources of the agencies ``viewer`` sees, those in use first, each with its counts."""
    sources = Source.objects.visible_to(viewer).select_related("agency", "region").order_by("-is_active", "slug")
    feeds = {source.pk: FeedHealth(source, last_received_at=source.last_received_at) for source in sources}
    if not feeds:
        return []
    since = timezone.now() - timedelta(days=DAYS)
    runs = (
        ImportRun.objects.filter(source__in=feeds, is_dry_run=False)
        .values("source_id")
        .annotate(all_read=Sum("read"), all_accepted=Sum("accepted"), all_duplicates=Sum("duplicates"), all_rejected=Sum("rejected"))
    )
    for row in runs.order_by():
        feed = feeds[row["source_id"]]
        feed.read, feed.accepted = row["all_read"], row["all_accepted"]
        feed.duplicates, feed.rejected = row["all_duplicates"], row["all_rejected"]
    recent = Incident.objects.visible_to(viewer).filter(source__in=feeds, occurred_at__gte=since)
    for counted in recent.values("source_id").annotate(count=Count("id"), nowhere=Count("id", filter=Q(location__isnull=True))).order_by():
        feed = feeds[counted["source_id"]]
        feed.window_incidents, feed.window_unlocated = counted["count"], counted["nowhere"]
    waiting = RejectedRow.objects.filter(source__in=feeds, status__in=[RejectedRow.Status.REJECTED, RejectedRow.Status.QUARANTINED])
    for held in waiting.values("source_id", "status", "errors__0__code").annotate(count=Count("id")).order_by():
        feed = feeds[held["source_id"]]
        if held["status"] == RejectedRow.Status.QUARANTINED:
            feed.waiting_quarantined += held["count"]
        else:
            feed.waiting_rejected += held["count"]
        code = str(held["errors__0__code"] or "unreadable")
        feed.waiting_by_code[code] = feed.waiting_by_code.get(code, 0) + held["count"]
    mapped = TypeMapping.objects.filter(source__in=feeds, type__is_reviewed=False)
    for new in mapped.values("source_id").annotate(count=Count("type", distinct=True)).order_by():
        feeds[new["source_id"]].unreviewed_types = new["count"]
    _last_reports(feeds)
    return list(feeds.values())


def _last_reports(feeds: dict[int, FeedHealth]) -> None:
    """Reports that came through the API keep no date on their source: the newest rows of the log tell."""
    newest = Report.objects.order_by("-id").values_list("pk", flat=True).first()
    if newest is None:
        return
    last = Report.objects.filter(pk__gt=newest - 5_000, source__in=feeds).values_list("source_id", "received_at").order_by("id")
    for source_id, received_at in last:
        feed = feeds[source_id]
        if feed.last_received_at is None or received_at > feed.last_received_at:
            feed.last_received_at = received_at
