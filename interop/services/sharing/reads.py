"""The record of what partners read: which incidents, when, by which key, by what right. One row an answer, never the content.

What is read through an agreement is written down before it is told: nothing is told that is not on record. What a partner reads by its
own right goes the way of the log of calls (``services.request_log``): a queue in memory, written by COPY twice a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from core.partitions import Days
from interop.models import PartnerKey, ReadRecord
from interop.services.request_log import RequestLogWriter
from interop.services.sharing.grants import Grant

DAYS = Days(table="interop_readrecord", lock=0x4B48_5245_4144_53)


class Read(NamedTuple):
    """A row of the record, in the order of its columns."""

    at: datetime
    request_id: str
    key_id: int | None
    partner_id: int | None
    agency_id: int | None
    reader: str
    agreement_id: int | None
    version: int | None
    door: str
    precision: str
    incident_ids: list[int]


_COPY = f"COPY interop_readrecord ({', '.join(Read._fields)}) FROM STDIN"
_INSERT = f"INSERT INTO interop_readrecord ({', '.join(Read._fields)}) VALUES ({', '.join(['%s'] * len(Read._fields))})"  # noqa: S608  (names of ours)


def note_own(key: PartnerKey, incident_ids: Sequence[int], *, door: str, request_id: str = "") -> None:
    """``key`` is told these, which are its own agency's. Costs an append."""
    if incident_ids:
        writer.note(_read(key, incident_ids, door, request_id, str(key.precision), None, None))


def record_shared(key: PartnerKey, grant: Grant, incident_ids: Sequence[int], *, door: str, request_id: str = "") -> None:
    """``key`` is about to be told these through an agreement: one statement, before the answer is made."""
    if incident_ids:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, _read(key, incident_ids, door, request_id, grant.precision, grant.agreement_id, grant.version))


def _read(
    key: PartnerKey,
    incident_ids: Sequence[int],
    door: str,
    request_id: str,
    precision: str,
    agreement_id: int | None,
    version: int | None,
) -> Read:
    return Read(
        at=timezone.now(),
        request_id=request_id[:64],
        key_id=key.pk,
        partner_id=key.partner_id,
        agency_id=key.partner.agency_id,
        reader=key.audit_name[:150],
        agreement_id=agreement_id,
        version=version,
        door=door[:40],
        precision=precision,
        incident_ids=list(incident_ids),
    )


writer = RequestLogWriter(copy=_COPY, name="read-records", most_waiting=5_000, most_at_once=1_000)


def keep_reads(*, now: datetime | None = None) -> dict[str, Any]:
    """Days ahead are there; reads by own right go after ``READS_KEEP_DAYS``, those through agreements with their day after
    ``SHARED_READS_KEEP_DAYS``."""
    now = now or timezone.now()
    made = DAYS.keep_ready(now=now)
    before = now - timedelta(days=settings.READS_KEEP_DAYS)
    old = ReadRecord.objects.filter(agreement_id=None, at__lt=before)
    forgotten = old._raw_delete(old.db)
    return {"made": made, "forgotten": forgotten, "dropped": DAYS.drop_older(now=now, keep_days=settings.SHARED_READS_KEEP_DAYS)}
