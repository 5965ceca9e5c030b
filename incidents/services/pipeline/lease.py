"""Who does a step. A claim raises the step's number of attempts; only the holder of the newest number may beat, store or end it."""

from __future__ import annotations

import os
import socket
import time as clock
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from incidents.models import PipelineRun, PipelineStep

T = TypeVar("T")
Status = PipelineRun.Status
STALE_AFTER = timedelta(minutes=5)
DATABASE_AWAY = (OperationalError, InterfaceError)
_BEAT_EVERY = timedelta(seconds=2)
_PATIENCE_S = 60.0


class LeaseLost(Exception):
    """Another process has taken the step over; nothing this one found may be written any more."""


class Cancelled(Exception):
    """Somebody has asked for the run to stop."""


class Lease:
    """Held by the one process that does ``step``. Beaten at least every few seconds; stale after ``STALE_AFTER``."""

    def __init__(self, step: PipelineStep, beaten_at: datetime) -> None:
        self.step = step
        self._beaten_at = beaten_at

    @classmethod
    def claim(cls, run: PipelineRun) -> Lease | None:
        """Take the step of ``run`` that took longest the last time; ``None`` when there is none to take.

        A step never timed counts as the longest. Its row is locked only while it is claimed, and a step somebody else is claiming is
        passed over, so that no claimer waits for another.
        """
        now = timezone.now()
        with transaction.atomic():
            step = (
                run.steps.claimable(now=now, stale_after=STALE_AFTER)
                .select_for_update(skip_locked=True, of=("self",), no_key=True)
                .order_by(F("expected_seconds").desc(nulls_first=True), "id")
                .first()
            )
            if step is None:
                return None
            step.status, step.attempts, step.worker = Status.RUNNING, step.attempts + 1, worker_name()
            step.started_at = step.heartbeat_at = now
            step.finished_at, step.error = None, ""
            step.save(update_fields=["status", "attempts", "worker", "started_at", "heartbeat_at", "finished_at", "error"])
        return cls(step, now)

    def beat(self, *, now: datetime | None = None) -> None:
        """Say that we live; at most one write every few seconds.

        Raises ``Cancelled`` when the run is to stop, ``LeaseLost`` when the step is no longer ours.
        """
        now = now or timezone.now()
        if now - self._beaten_at < _BEAT_EVERY:
            return
        if self.mine().filter(run__cancel_requested_at__isnull=True).update(heartbeat_at=now) != 1:
            raise Cancelled if self.mine().exists() else LeaseLost
        self._beaten_at = now

    def hold(self) -> PipelineRun:
        """Lock the step and its run until the caller's transaction ends, so that what it writes crosses no take-over and no cancel."""
        if self.mine().select_for_update(no_key=True).first() is None:
            raise LeaseLost
        run = PipelineRun.objects.select_for_update(no_key=True).get(pk=self.step.run_id)
        if run.cancel_requested_at is not None:
            raise Cancelled
        return run

    def mine(self) -> QuerySet[PipelineStep]:
        return PipelineStep.objects.filter(pk=self.step.pk, attempts=self.step.attempts, status=Status.RUNNING)


def worker_name() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def patiently(what: Callable[[], T]) -> T:
    """``what()``, again and again for a minute while the database is away. For statements that may safely be repeated."""
    give_up_at = clock.monotonic() + _PATIENCE_S
    pause_s = 0.1
    while True:
        try:
            return what()
        except DATABASE_AWAY:
            if connection.in_atomic_block or clock.monotonic() > give_up_at:
                raise
            connection.close()
            clock.sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)
