"""Who runs a run. A heartbeat that only its writer knows is the lease: whoever takes the run over writes another."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from incidents.models import PipelineRun

STALE_AFTER = timedelta(minutes=5)
_BEAT_EVERY = timedelta(seconds=5)
UNFINISHED = (PipelineRun.Status.WAITING, PipelineRun.Status.RUNNING)


class LeaseLost(Exception):
    """Another process has taken the run over; nothing this one found may be written any more."""


class Lease:
    """Held by the one process that runs ``run``. Beaten at least every few seconds; stale after ``STALE_AFTER``."""

    def __init__(self, run: PipelineRun, beaten_at: datetime) -> None:
        self.run = run
        self._beaten_at = beaten_at

    @classmethod
    def take(cls, run: PipelineRun) -> Lease | None:
        """Take a run that waits or whose runner has gone silent; ``None`` when it is done or somebody runs it."""
        now = timezone.now()
        is_free = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=now - STALE_AFTER)
        taken = PipelineRun.objects.filter(is_free, pk=run.pk, status__in=UNFINISHED).update(
            heartbeat_at=now, status=PipelineRun.Status.RUNNING
        )
        return cls(run, now) if taken == 1 else None

    def beat(self, *, now: datetime | None = None) -> None:
        """Say that we live; at most one write every few seconds. Raises ``LeaseLost`` when the run is no longer ours."""
        now = now or timezone.now()
        if now - self._beaten_at < _BEAT_EVERY:
            return
        if self._mine().update(heartbeat_at=now) != 1:
            raise LeaseLost
        self._beaten_at = now

    def hold(self) -> PipelineRun:
        """Lock the run's row until the caller's transaction ends, so that what it writes cannot cross a take-over."""
        run = self._mine().select_for_update().first()
        if run is None:
            raise LeaseLost
        return run

    def _mine(self) -> QuerySet[PipelineRun]:
        return PipelineRun.objects.filter(pk=self.run.pk, heartbeat_at=self._beaten_at, status=PipelineRun.Status.RUNNING)
