"""Signs of life, and what a dead process on this machine still holds."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from alerts.models import Delivery, Heartbeat

PAGER, AUDITOR, TOLD, OUTSIDE, BEAT = "pager", "auditor", "auditor: told", "outside", "beat"


def owner_here() -> str:
    """This process by machine and number: what its leases name."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def beat(name: str, *, facts: Mapping[str, Any] | None = None, now: datetime | None = None) -> None:
    """``name`` did its round. One statement, safe from many at once."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, beat_at=now or timezone.now(), facts=dict(facts or {}))],
        update_conflicts=True, unique_fields=["name"], update_fields=["beat_at", "facts"],
    )  # fmt: skip


def take_turn(name: str, *, every: timedelta, now: datetime) -> bool:
    """Whether it is this caller's turn to do what only one shall do every so often."""
    Heartbeat.objects.bulk_create([Heartbeat(name=name, beat_at=now - 2 * every)], ignore_conflicts=True)
    return bool(Heartbeat.objects.filter(name=name, beat_at__lte=now - every).update(beat_at=now))


def free_leases_of_the_dead(*, now: datetime | None = None) -> int:
    """Deliveries that a process of this machine had taken up when it died are due again now, not when their lease ends.

    What it may have handed over already is told from the row itself, and is not simply sent again (docs/decisions/0186).
    """
    now = now or timezone.now()
    host = socket.gethostname()[:60]
    held = Delivery.objects.filter(state__in=["pending", "sending"], lease_until__gt=now, lease_owner__startswith=f"{host}:")
    dead = [owner for owner in held.values_list("lease_owner", flat=True).distinct() if not _lives(owner)]
    return held.filter(lease_owner__in=dead).update(lease_until=now) if dead else 0


def _lives(owner: str) -> bool:
    number = owner.rpartition(":")[2]
    if not number.isdigit():
        return True  # not a name of ours: it may live
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def database_clock() -> datetime:
    """What the database takes for now: a machine whose clock is wrong is told from it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
