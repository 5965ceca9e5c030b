"""What the scoring of surfaces and of forecasts has in common: when a prediction is due, and when it is none."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db import connection

GRACE = timedelta(hours=48)
"""How long reports may be late and still count."""
IN_TIME = 0.1
"""A prediction counts as made before the fact if no more than this share of its time had passed when its run began."""
_LOCK = 7_202_611


def take_turns() -> None:
    """Until the end of this transaction nobody else scores."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def is_hindcast(*, begun_at: datetime, start: datetime, end: datetime, in_time: float = IN_TIME) -> bool:
    """Made when more than ``in_time`` of what it speaks of had passed: a look back, and no prediction."""
    return begun_at > start + (end - start) * in_time


def finite(value: float) -> float | None:
    """JSON knows no NaN: what cannot be said is left empty."""
    return round(float(value), 6) if math.isfinite(value) else None
