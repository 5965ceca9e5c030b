"""What the command centre's first page shows. Each list starts from what its viewer may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.jurisdiction import jurisdiction_of
from accounts.models import User
from core.events import log_head
from dashboard.alert_queue import Counts, counts_for
from dashboard.selectors import Figures, key_figures, shared
from incidents.models import ImportRun, Incident, IncidentType, PipelineRun, RejectedRow
from incidents.services.pipeline import is_late
from incidents.services.quality import FeedHealth, feed_health

NEWEST = 12
RUNS = 4
FEEDS = 12
FEEDS_FOR_S = 10
ENDED = {PipelineRun.Status.DONE, PipelineRun.Status.FAILED, PipelineRun.Status.CANCELLED}
SILENT_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Feed:
    health: FeedHealth
    is_silent: bool

    @property
    def waiting(self) -> int:
        return self.health.waiting_rejected + self.health.waiting_quarantined


@dataclass(frozen=True)
class CommandCentre:
    """``live_head`` is the log's number read before the rows."""

    live_head: int
    figures: Figures
    newest: list[Incident]
    feeds: list[Feed]
    feeds_left_out: int
    runs: list[PipelineRun]
    is_running: bool
    night_is_late: bool
    imports: list[ImportRun]
    waiting_rows: int
    unreviewed_types: int
    inbox_dead: int | None
    """Messages that could not be taken in; ``None`` where this viewer has nothing to do with partners."""
    may_run_pipeline: bool
    may_import: bool
    alerts: Counts | None
    """How many fire and are taken; ``None`` where this viewer has nothing to do with alerts."""


def command_centre(viewer: User) -> CommandCentre:
    head = log_head()
    feeds = feeds_of(viewer)
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
        night_is_late=is_late(timezone.now()),
        imports=list(imports[:RUNS]),
        waiting_rows=waiting_rows(viewer).count(),
        unreviewed_types=IncidentType.objects.filter(is_reviewed=False, is_active=True).count(),
        inbox_dead=_inbox_dead(viewer),
        may_run_pipeline=viewer.can("run_pipeline"),
        may_import=viewer.can("import"),
        alerts=counts_for(viewer) if viewer.can("see_alerts") else None,
    )


def waiting_rows(viewer: object) -> QuerySet[RejectedRow]:
    """Rows that could not go in and that nobody has dealt with."""
    condition = jurisdiction_of(viewer).condition(agency="source__agency_id", governorate="incident__governorate_id")
    return RejectedRow.objects.filter(condition, status__in=[RejectedRow.Status.REJECTED, RejectedRow.Status.QUARANTINED])


def feeds_of(viewer: object) -> list[Feed]:
    """The sources in use, the ones that need somebody first; asked for anew at most every few seconds."""

    def look() -> list[Feed]:
        now = timezone.now()
        return [
            Feed(health, is_silent=health.last_received_at is not None and now - health.last_received_at > SILENT_AFTER)
            for health in feed_health(viewer)
            if health.source.is_active
        ]

    feeds = shared("feeds", viewer, FEEDS_FOR_S, look)
    return sorted(feeds, key=lambda feed: (-feed.waiting, -feed.health.window_incidents, feed.health.source.slug))


def _inbox_dead(viewer: User) -> int | None:
    """Partners' messages that were rejected or given up, where the partners' app is there and the viewer reads it."""
    if not viewer.has_perm("interop.view_inboxmessage"):
        return None
    try:
        model: Any = apps.get_model("interop", "InboxMessage")
    except LookupError:
        return None
    return int(model.objects.visible_to(viewer).refused().count())
