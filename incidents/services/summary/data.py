"""Data freshness and known limits: what everything above rests on, and how far it carries."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Max, Q
from django.utils import timezone

from accounts.jurisdiction import jurisdiction_of
from geography.models import Zone
from incidents.models import Incident, ModelChoice, PipelineRun, PipelineStep, Source
from incidents.services.compare import Comparison, Scope
from incidents.services.summary.happened import PERIOD
from incidents.services.summary.statements import Evidence, Statements

WINDOW = timedelta(days=28)
# A source is silent when it has sent nothing for this many of its usual pauses, and for a day at least.
PAUSES = 10
STALE_AFTER = timedelta(hours=36)
SOURCES = 12


def freshness(viewer: object, scope: Scope, found: Comparison) -> Statements:
    section = Statements("freshness")
    _sources(section, viewer, scope)
    if found.is_newest and found.late.percent is not None:
        section.add("late", percent=found.late.percent, n=found.late.incidents, evidence=Evidence("comparison"))
    elif found.is_newest:
        section.add("late_unknown", evidence=Evidence("comparison"))
    _runs(section, scope)
    return section


def _sources(section: Statements, viewer: object, scope: Scope) -> None:
    """When each source in use last sent something, the longest silent first."""
    now = timezone.now()
    sources = Source.objects.visible_to(viewer).in_use().filter(region=scope.region)
    recent = Incident.objects.visible_to(viewer).filter(region=scope.region, occurred_at__gte=now - WINDOW, occurred_at__lte=now)
    counts = {pk: (n, last) for pk, n, last in recent.order_by().values_list("source").annotate(Count("pk"), Max("reported_at"))}
    rows = []
    for source in sources:
        n, newest = counts.get(source.pk, (0, None))
        last = max((at for at in (source.last_received_at, newest) if at is not None), default=None)
        rows.append((last, source, n))
    if not rows:
        section.add("no_source")
    oldest = datetime.min.replace(tzinfo=now.tzinfo)
    for last, source, n in sorted(rows, key=lambda row: (row[0] or oldest, row[1].pk))[:SOURCES]:
        evidence = Evidence("source", (source.pk,))
        if last is None:
            section.add("source_never", source=source.name, evidence=evidence)
            continue
        pause = WINDOW / n if n else WINDOW
        is_silent = now - last > max(PAUSES * pause, timedelta(days=1))
        at = last.astimezone(scope.region.zone_info)
        section.add("source_silent" if is_silent else "source_heard", source=source.name, at=at, n=n, evidence=evidence)


def _runs(section: Statements, scope: Scope) -> None:
    """When the analytics last did this region, and whether a step of that run failed."""
    steps = PipelineStep.objects.filter(name__contains=f":{scope.region.code}").filter(name__regex=rf":{scope.region.code}(:|$)")
    done = steps.filter(status=PipelineRun.Status.DONE).select_related("run").order_by("-run__as_of", "-pk").first()
    if done is None:
        section.add("run_never")
        return
    at = done.run.as_of.astimezone(scope.region.zone_info)
    is_late = timezone.now() - done.run.as_of > STALE_AFTER
    section.add("run_late" if is_late else "run_done", at=at, run=done.run_id, evidence=Evidence("run", (done.run_id,), done.run_id))
    failed = steps.filter(status=PipelineRun.Status.FAILED, run__as_of__gte=done.run.as_of).values_list("run_id", "name")
    for run, name in failed.order_by("-run_id", "name")[:3]:
        section.add("run_failed", run=run, step=name.split(":")[0], evidence=Evidence("run", (run,), run))


def limits(viewer: object, scope: Scope, found: Comparison) -> Statements:
    from incidents.services.trust.scoreboard import scoreboard  # numpy: not at start-up

    section = Statements("limits")
    if found.is_synthetic:
        section.add("synthetic")
    few = sum(
        1
        for by in ("category", "type", "area")
        for row in found.tables[by]
        if (change := row.figures[PERIOD].against_before) is not None and change.verdict == "few"
    )
    if few:
        section.add("small_counts", n=few, evidence=Evidence("comparison"))
    if not found.swing_is_known:
        section.add("swing_unknown", evidence=Evidence("comparison"))
    zones = Zone.objects.in_use().filter(region=scope.region, level__in=[Zone.Level.GOVERNORATE, Zone.Level.AREA], is_approximate=True)
    if scope.zone is not None:
        zones = zones.filter(Q(parent=scope.zone) | Q(pk=scope.zone.pk))
    elif (places := jurisdiction_of(viewer).governorate_ids) is not None:
        zones = zones.filter(Q(parent__in=sorted(places)) | Q(pk__in=sorted(places)))
    if n := zones.count():
        section.add("approximate_zones", n=n, evidence=Evidence("zone"))
    standing_in = ModelChoice.objects.filter(region=scope.region, is_current=True, beats_baseline=False, category=scope.category)
    by_model: dict[tuple[str, str], list[ModelChoice]] = {}
    for choice in standing_in.order_by("predicts", "published", "level", "pk"):
        by_model.setdefault((choice.predicts, choice.published), []).append(choice)
    for (predicts, published), choices in by_model.items():
        section.add(
            "baseline_stands_in",
            predicts=predicts,
            levels=sorted({choice.level for choice in choices}),
            published=published,
            evidence=Evidence("choice", tuple(choice.pk for choice in choices), choices[0].run_id),
        )
    board = scoreboard(region=scope.region, zone=scope.zone)
    if board.predictions:
        tally = board.tally()
        won, lost, even, early = (tally[name] for name in ("won", "lost", "even", "early"))
        section.add("scores", won=won, lost=lost, even=even, early=early, evidence=Evidence("score"))
    else:
        section.add("no_scores", evidence=Evidence("score"))
    if jurisdiction_of(viewer).agency_ids is not None:
        section.add("own_agencies")
    section.add("left_out")
    section.add("reports_only")
    return section
