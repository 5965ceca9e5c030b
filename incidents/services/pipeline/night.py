"""The night's own run: when it is owed, and when it is late. Hours are those of the nation's clock."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.events import publish
from incidents import events
from incidents.models import PipelineRun

Status = PipelineRun.Status
NIGHTLY_AT = time(2, 0)
LATE_AT = time(4, 0)


def nation_clock() -> Any:
    return timezone.get_default_timezone()


def nightly_key(now: datetime) -> str:
    return f"nightly:{now.astimezone(nation_clock()).date().isoformat()}"


def is_owed(now: datetime) -> bool:
    """Whether it is past 02:00 and neither the night's own run nor a run of everything has been begun since."""
    begins_at = _tonight_at(NIGHTLY_AT, now)
    return now >= begins_at and not _that_count(now).exists()


def is_late(now: datetime) -> bool:
    """Whether it is past 04:00 and no run of the night is over, well or badly. What people cancelled is not waited for."""
    if now < _tonight_at(LATE_AT, now):
        return False
    return not _that_count(now).exclude(status__in=[Status.WAITING, Status.RUNNING]).exists()


@transaction.atomic
def announce_if_late(now: datetime) -> PipelineRun | None:
    """Say once a night that it is late, about the run that is under way for it."""
    if not is_late(now):
        return None
    run = _that_count(now).filter(late_at__isnull=True).select_for_update(no_key=True).order_by("pk").first()
    if run is None or _that_count(now).filter(late_at__isnull=False).exists():
        return None
    run.late_at = now
    run.save(update_fields=["late_at"])
    since = (run.began_at or run.started_at).isoformat()
    publish(events.PIPELINE_LATE, subject=run, data={"run": run.pk, "limit": _tonight_at(LATE_AT, now).isoformat(), "since": since})
    return run


def _that_count(now: datetime) -> Any:
    """The night's own run, whatever became of it, and runs of everything since 02:00 that go on or have ended well."""
    whole = Q(parameters__regions=None, parameters__as_of_day=None, parameters__only=None)
    since = Q(started_at__gte=_tonight_at(NIGHTLY_AT, now), status__in=(Status.WAITING, Status.RUNNING, Status.DONE))
    return PipelineRun.objects.filter(Q(key=nightly_key(now)) | (whole & since))


def _tonight_at(hour: time, now: datetime) -> datetime:
    """That hour of the local day of ``now``. Where the clocks jump over it, the moment they jump."""
    clock = nation_clock()
    return datetime.combine(now.astimezone(clock).date(), hour, clock)
