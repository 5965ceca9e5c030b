"""Batches that are answered before they are taken in: durable first, then chunk by chunk by any number of workers.

A chunk is claimed (``SKIP LOCKED``), taken in and marked in one transaction, so a worker may be killed at any moment: its chunk is
as if it had never been touched, and the next worker takes it. What the inbox knows already is a repeat there as everywhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.background import wake
from core.errors import Conflict, DomainError
from incidents.permissions import Actor, require
from interop.models import BatchJob, BatchRow, PartnerKey
from interop.services.feeds import feed_of, forget
from interop.services.inbox import KeyReused, receive_messages
from interop.services.letters import Outcome, Receipt, digest_of_body, faults_of

logger = logging.getLogger("khareetaty.intake")

WORK = "interop.work_on_batches"
CHUNK = 100
MAX_WAITING_ROWS = 100_000
MAX_ATTEMPTS = 5
KEPT_FOR = timedelta(days=30)
CANCELLED = "cancelled"
STATUS_OF = {Outcome.OPENED: 201, Outcome.REPEATED: 200, Outcome.KEPT: 202, Outcome.REJECTED: 422}
State = BatchJob.State


class TooMuchWaiting(DomainError):
    """A partner whose batches are not taken in yet waits before it sends more."""

    status, code = 429, "too_many_requests"


@dataclass(frozen=True)
class Queued:
    """``is_new`` is false where this key had sent the very batch before: the job is then that one."""

    job: BatchJob
    is_new: bool


def queue_batch(*, key: PartnerKey, kind: str, bodies: Sequence[Any], canonical: bytes, idempotency_key: str = "") -> Queued:
    """Keep a batch: every row is committed when this returns. The same ``idempotency_key`` gives the same job, for the same content."""
    require(key, "open")
    feed = feed_of(partner=key.partner, kind=kind)
    digest = digest_of_body(canonical)
    known = _known(key, kind, idempotency_key, digest)
    if known is not None:
        return Queued(known, is_new=False)
    waiting = BatchRow.objects.filter(job__key__partner=key.partner, job__state__in=[State.QUEUED, State.RUNNING], outcome="").count()
    if waiting + len(bodies) > MAX_WAITING_ROWS:
        raise TooMuchWaiting(
            _("%(n)d messages of this partner wait to be taken in; at most %(limit)d may. Send this batch later.")
            % {"n": waiting, "limit": MAX_WAITING_ROWS}
        )
    try:
        with transaction.atomic():
            job = BatchJob.objects.create(
                key=key,
                source=feed.source,
                kind=kind,
                idempotency_key=idempotency_key or None,
                digest=digest,
                total=len(bodies),
                agency_id=feed.source.agency_id,
                request_id=audit.current().request_id,
            )
            with connection.cursor() as cursor, cursor.copy("COPY interop_batchrow (job_id, index, body, outcome) FROM STDIN") as rows:
                for index, body in enumerate(bodies):
                    rows.write_row((job.pk, index, orjson.dumps(body).decode(), ""))
            wake(WORK)
            audit.record("batch.queue", obj=job, by=key, after={"kind": kind, "messages": len(bodies)})
    except IntegrityError:
        # The same batch, sent twice at the same moment.
        known = _known(key, kind, idempotency_key, digest)
        if known is None:
            raise
        return Queued(known, is_new=False)
    job.refresh_from_db(fields=["created_at"])
    return Queued(job, is_new=True)


def _known(key: PartnerKey, kind: str, idempotency_key: str, digest: str) -> BatchJob | None:
    if not idempotency_key:
        return None
    job = BatchJob.objects.filter(key=key, kind=kind, idempotency_key=idempotency_key).first()
    if job is not None and job.digest != digest:
        raise KeyReused(_("This Idempotency-Key was used before, for another content."))
    return job


def work_on_batches(*, seconds: float = 20.0) -> int:
    """Take in chunks of whatever waits, each job in its turn, for about so long. Returns how many rows were taken."""
    until = time.monotonic() + seconds
    taken = 0
    while True:
        found = 0
        for job in BatchJob.objects.unfinished().select_related("key__partner__agency", "key__partner__region"):
            found += _work_on(job)
            if time.monotonic() > until:
                wake(WORK)
                return taken + found
        taken += found
        if not found:
            return taken


def _work_on(job: BatchJob) -> int:
    """One chunk of one job. 0 where there is nothing to claim: it is finished then, or other workers have the rest."""
    try:
        with transaction.atomic(), audit.acting(request_id=job.request_id):
            rows = _claim(job, CHUNK)
            if rows:
                _take_in(job, rows)
                return len(rows)
            _finish(job)
            return 0
    except Exception:
        logger.exception("a chunk of batch %s failed; its rows are taken one by one", job.pk)
        forget()
        return _one_by_one(job)


def _claim(job: BatchJob, count: int) -> list[BatchRow]:
    waiting = BatchRow.objects.filter(job=job, outcome="").order_by("index")
    return list(waiting.select_for_update(skip_locked=True, of=("self",))[:count])


def _take_in(job: BatchJob, rows: list[BatchRow]) -> None:
    try:
        answers = receive_messages(
            key=job.key,
            kind=job.kind,
            bodies=[row.body for row in rows],
            idempotency_key=job.idempotency_key or "",
            numbers=[row.index for row in rows],
        )
    except DomainError as refusal:
        # The key was revoked, or the feed switched off, since the batch was taken: nothing of it goes in.
        answers = [refusal] * len(rows)
    for row, answer in zip(rows, answers, strict=True):
        _mark(row, answer)
    BatchRow.objects.bulk_update(rows, ["body", "outcome", "status", "errors", "message", "incident"])
    _count(job, rows)


def _mark(row: BatchRow, answer: Receipt | DomainError) -> None:
    if isinstance(answer, DomainError):
        row.outcome, row.status, row.errors = Outcome.REJECTED.value, answer.status, list(faults_of(answer))
        return
    row.outcome, row.status, row.errors = answer.outcome.value, STATUS_OF[answer.outcome], list(answer.errors)
    row.message, row.incident = answer.message, answer.incident
    if answer.message is not None:
        row.body = None  # the inbox has it


def _count(job: BatchJob, rows: list[BatchRow]) -> None:
    """Last in the transaction: workers on the same job wait for one another here and nowhere else."""
    counts: dict[str, Any] = {str(outcome): F(str(outcome)) + sum(row.outcome == outcome for row in rows) for outcome in Outcome}
    started = Case(When(state=State.QUEUED, then=Value(State.RUNNING.value)), default=F("state"))
    BatchJob.objects.filter(pk=job.pk).update(worked_at=timezone.now(), state=started, **counts)


def _one_by_one(job: BatchJob) -> int:
    """A row that breaks its chunk is tried by itself, and given up after some attempts; its companions go in."""
    numbers = BatchRow.objects.filter(job=job, outcome="").order_by("index").values_list("index", flat=True)[:CHUNK]
    for number in list(numbers):
        try:
            with transaction.atomic():
                rows = list(BatchRow.objects.filter(job=job, index=number, outcome="").select_for_update(skip_locked=True, of=("self",)))
                if rows:
                    _take_in(job, rows)
        except Exception:
            logger.exception("row %s of batch %s failed", number, job.pk)
            forget()
            _give_up_slowly(job, number)
    return len(numbers)


@transaction.atomic
def _give_up_slowly(job: BatchJob, number: int) -> None:
    row = BatchRow.objects.filter(job=job, index=number, outcome="").select_for_update(skip_locked=True, of=("self",)).first()
    if row is None:
        return
    row.attempts += 1
    if row.attempts >= MAX_ATTEMPTS:
        row.outcome, row.status = Outcome.REJECTED.value, 500
        row.errors = [{"field": "", "code": "failed", "detail": _("It failed on our side; the log says why.")}]
        _count(job, [row])
    row.save(update_fields=["attempts", "outcome", "status", "errors"])


def _finish(job: BatchJob) -> None:
    """Say that it is over, where no row waits; whoever sees that first says it."""
    if BatchRow.objects.filter(job=job, outcome="").exists():
        return
    ended = Case(When(cancelled__gt=0, then=Value(State.CANCELLED.value)), default=Value(State.DONE.value))
    unfinished = BatchJob.objects.filter(pk=job.pk, state__in=[State.QUEUED, State.RUNNING])
    if unfinished.update(state=ended, finished_at=timezone.now()):
        job.refresh_from_db()
        audit.record("batch.finish", obj=job, by=None, after={str(name): getattr(job, str(name)) for name in (*Outcome, CANCELLED)})


def cancel_batch(*, job: BatchJob, by: Actor | None, reason: str = "") -> BatchJob:
    """Take nothing more in. What has gone in stays; the chunk under way is finished by its worker."""
    require(by, "open")
    with transaction.atomic():
        waiting = BatchRow.objects.filter(job=job, outcome="").order_by("index")
        claimed = waiting.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)
        count = BatchRow.objects.filter(pk__in=list(claimed)).update(outcome=CANCELLED)
        unfinished = BatchJob.objects.filter(pk=job.pk, state__in=[State.QUEUED, State.RUNNING])
        if not unfinished.update(cancelled=F("cancelled") + count):
            raise Conflict(_("This job is finished already."))
        audit.record("batch.cancel", obj=job, by=by, after={"cancelled": count}, reason=reason)
        _finish(job)
    job.refresh_from_db()
    return job


def forget_old_batches(*, older_than: timedelta = KEPT_FOR) -> int:
    """Finished jobs are history in the inbox; their rows go after a month."""
    gone = BatchJob.objects.filter(finished_at__lt=timezone.now() - older_than)
    return gone.delete()[0]
