"""The event log: ``publish`` writes one row in the caller's transaction and does nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection, models, transaction

from core.models import Event, EventCursor

NOTIFY_CHANNEL = "khareetaty_events"
LOG_CURSOR = "log"  # the relay's own row among the cursors: the last number given, and when the relay last looked


def log_head() -> int:
    """The last number given. A page that will follow the log reads this BEFORE the rows it shows."""
    return EventCursor.objects.filter(name=LOG_CURSOR).values_list("seq", flat=True).first() or 0


def publish(
    type: str,
    *,
    subject: models.Model | None = None,
    data: dict[str, Any] | None = None,
    agency_id: int | None = None,
    governorate_id: int | None = None,
) -> Event:
    """Announce, in the caller's transaction, that ``type`` (past tense, dotted) happened to ``subject``.

    The relay numbers the row and hands it to the log's readers after the commit; a reader can therefore never refuse or
    slow the write that caused it. ``data`` holds ids and plain values only.
    """
    event = unpublished(type, subject=subject, data=data, agency_id=agency_id, governorate_id=governorate_id)
    event.save(force_insert=True)
    wake_relay()
    return event


def publish_many(events: Iterable[Event]) -> None:
    """``publish`` for a batch, made by ``unpublished``, in this order: one statement."""
    rows = list(events)
    if rows:
        Event.objects.bulk_create(rows)
        wake_relay()


def unpublished(
    type: str,
    *,
    subject: models.Model | None = None,
    data: dict[str, Any] | None = None,
    agency_id: int | None = None,
    governorate_id: int | None = None,
) -> Event:
    return Event(
        type=type,
        subject_type=subject._meta.model_name or "" if subject is not None else "",
        subject_id=subject.pk if subject is not None else None,
        agency_id=agency_id,
        governorate_id=governorate_id,
        data=data or {},
    )


def wake_relay() -> None:
    """Ring the relay once this transaction has committed; if nobody hears it, the relay looks by itself within a second.

    Not inside the transaction: PostgreSQL commits transactions that notify one after the other, each waiting for its own write
    to the disk, and that was the ceiling of the whole intake (docs/decisions/0041).
    """
    if not any(waiting[1] is _ring for waiting in connection.run_on_commit):
        transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {NOTIFY_CHANNEL}")
