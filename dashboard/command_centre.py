"""What the command centre's first page shows. Each list starts from what its viewer may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts.jurisdiction import jurisdiction_of
from accounts.models import User
from core.events import log_head
from dashboard.selectors import Figures, key_figures
from incidents.models import ImportRun, Incident, IncidentType, PipelineRun, RejectedRow, Source

NEWEST = 12
RUNS = 4
FEEDS = 12
ENDED = {PipelineRun.Status.DONE, PipelineRun.Status.FAILED}
SILENT_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class FeedHealth:
    """How one source is doing: when it was last heard, what it brought in a day, what of it waits."""

    source: Source
    last_received_at: datetime | None
    last_day: int
    waiting: int
    is_silent: bool


@dataclass(frozen=True)
class CommandCentre:
    """``live_head`` is the log's number read before the rows."""

    live_head: int
    figures: Figures
    newest: list[Incident]
    feeds: list[FeedHealth]
    feeds_left_out: int
    runs: list[PipelineRun]
    is_running: bool
    imports: list[ImportRun]
    waiting_rows: int
    unreviewed_types: int
    inbox_dead: int | None
    """Messages that could not be taken in; ``None`` where this viewer has nothing to do with partners."""
    may_run_pipeline: bool
    may_import: bool


def command_centre(viewer: User) -> CommandCentre:
    head = log_head()
    feeds = feed_health(viewer)
    agencies = jurisdiction_of(viewer).agency_ids
    imports: QuerySet[ImportRun] = ImportRun.objects.select_related("source").order_by("-id")
    if agencies is not None:
        imports = imports.filter(Q(source__agency_id__in=sorted(agencies)) | Q(source=None, requested_by=viewer))
    runs = list(PipelineRun.objects.select_related("requested_by").order_by("-id")[:RUNS])
    return CommandCentre(
        live_head=head,
        figures=key_figures(viewer),
        newest=list(Incident.objects.visible_to(viewer).for_card().order_by("-pk")[:NEWEST]),
        feeds=feeds[:FEEDS],
        feeds_left_out=max(len(feeds) - FEEDS, 0),
        runs=runs,
        is_running=any(run.status not in ENDED for run in runs),
        imports=list(imports[:RUNS]),
        waiting_rows=waiting_rows(viewer).count(),
        unreviewed_types=IncidentType.objects.filter(is_reviewed=False, is_active=True).count(),
        inbox_dead=_inbox_dead(viewer),
        may_run_pipeline=viewer.can("run_pipeline"),
        may_import=viewer.can("import"),
    )


def waiting_rows(viewer: object) -> QuerySet[RejectedRow]:
    """Rows that could not go in and that nobody has dealt with."""
    condition = jurisdiction_of(viewer).condition(agency="source__agency_id", governorate="incident__governorate_id")
    return RejectedRow.objects.filter(condition, status__in=[RejectedRow.Status.REJECTED, RejectedRow.Status.QUARANTINED])


def feed_health(viewer: object) -> list[FeedHealth]:
    """The sources in use, the ones that need somebody first."""
    agencies = jurisdiction_of(viewer).agency_ids
    sources = Source.objects.filter(is_active=True).select_related("agency")
    if agencies is not None:
        sources = sources.filter(agency_id__in=sorted(agencies))
    now = timezone.now()
    day = dict(
        Incident.objects.visible_to(viewer)
        .occurred_between(now - timedelta(days=1), now + timedelta(minutes=10))
        .values_list("source")
        .annotate(n=Count("pk"))
        .order_by()
    )
    waiting = dict(waiting_rows(viewer).values_list("source").annotate(n=Count("pk")).order_by())
    feeds = [
        FeedHealth(
            source,
            source.last_received_at,
            day.get(source.pk, 0),
            waiting.get(source.pk, 0),
            is_silent=source.last_received_at is not None and now - source.last_received_at > SILENT_AFTER,
        )
        for source in sources
    ]
    return sorted(feeds, key=lambda feed: (-feed.waiting, -feed.last_day, feed.source.slug))


def _inbox_dead(viewer: User) -> int | None:
    """Partners' messages that were rejected or given up, where the partners' app is there and the viewer reads it."""
    if not viewer.has_perm("interop.view_inboxmessage"):
        return None
    try:
        model: Any = apps.get_model("interop", "InboxMessage")
    except LookupError:
        return None
    return int(model.objects.visible_to(viewer).refused().count())
