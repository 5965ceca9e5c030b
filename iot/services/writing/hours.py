"""Hours that were summed elsewhere (by the system before this one, by the demo), put in as they are, many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from core.errors import Invalid
from iot.services.statements import BINS, fold, gathered

HOUR_S = 3_600
_EPOCH_2000_S = 946_684_800  # PostgreSQL counts its microseconds from there
_STAGE = "CREATE TEMPORARY TABLE IF NOT EXISTS iot_hours_staging (LIKE iot_rollup_1h) ON COMMIT DELETE ROWS"
_COPY = "COPY iot_hours_staging (datastream_id, at, n, min, max, sum, last, last_at, bad_n) FROM STDIN (FORMAT BINARY)"
_ASKEW = f"SELECT count(*) FROM iot_hours_staging WHERE at <> {BINS['iot_rollup_1h']}"  # noqa: S608
# Only hours that were not there add to their day.
_WRITE = f"""
WITH minutes AS (
    INSERT INTO iot_rollup_1h (datastream_id, at, n, min, max, sum, last, last_at, bad_n)
    SELECT datastream_id, at, n, min, max, sum, last, last_at, bad_n FROM iot_hours_staging
    ORDER BY datastream_id, at
    ON CONFLICT (datastream_id, at) DO NOTHING
    RETURNING datastream_id, at, n, min, max, sum, last, last_at, bad_n
), days AS ({gathered(BINS["iot_rollup_1d"])}), d AS ({fold("iot_rollup_1d", "days")})
SELECT count(*) FROM minutes
"""  # noqa: S608
_ROW = np.dtype(
    [
        ("columns", ">i2"), ("w1", ">i4"), ("stream", ">i4"), ("w2", ">i4"), ("at", ">i8"), ("w3", ">i4"), ("n", ">i4"),
        ("w4", ">i4"), ("least", ">f8"), ("w5", ">i4"), ("most", ">f8"), ("w6", ">i4"), ("total", ">f8"), ("w7", ">i4"), ("last", ">f8"),
        ("w8", ">i4"), ("last_at", ">i8"), ("w9", ">i4"), ("bad_n", ">i4"),
    ]
)  # fmt: skip
_WIDTHS = (4, 8, 4, 8, 8, 8, 8, 8, 4)


@dataclass(frozen=True)
class SummedHours:
    """Columns of one length, a row an hour of a stream, by rising stream and hour: when it began (s since 1970), how many readings,
    the least, the most, their sum, the last and when it was."""

    stream_id: NDArray[np.int64]
    at_s: NDArray[np.int64]
    n: NDArray[np.int64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    total: NDArray[np.float64]
    last: NDArray[np.float64]
    last_at_s: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.stream_id)


@transaction.atomic
def add_hours(hours: SummedHours) -> int:
    """Put these hours and their days in; an hour that is there already stays as it is. Returns how many were new.

    Raises ``Invalid`` for what no hour can be: nothing said in it, a number that is none, an hour that begins within another."""
    values = (hours.least, hours.most, hours.total, hours.last)
    is_sound = all(np.isfinite(one).all() for one in values) and (hours.least <= hours.most).all() and (hours.n > 0).all()
    within = hours.last_at_s - hours.at_s
    if not is_sound or (within < 0).any() or (within >= HOUR_S).any():
        raise Invalid(_("These are no hours of readings."))
    zone = {"zone": settings.TIME_ZONE}
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        cursor.execute("DELETE FROM iot_hours_staging")
        with cursor.copy(_COPY) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\x00" + bytes(8))
            copy.write(_rows(hours).tobytes())
            copy.write(b"\xff\xff")
        cursor.execute(_ASKEW, zone)
        if cursor.fetchone()[0]:
            raise Invalid(_("These are no hours of readings."))
        cursor.execute(_WRITE, zone)
        return int(cursor.fetchone()[0])


def _rows(hours: SummedHours) -> np.ndarray:
    """As PostgreSQL's binary format has them."""
    rows = np.zeros(len(hours), _ROW)
    rows["columns"] = len(_WIDTHS)
    for number, width in enumerate(_WIDTHS, 1):
        rows[f"w{number}"] = width
    rows["stream"], rows["n"] = hours.stream_id, hours.n
    rows["at"], rows["last_at"] = ((one - _EPOCH_2000_S) * 1_000_000 for one in (hours.at_s, hours.last_at_s))
    rows["least"], rows["most"], rows["total"], rows["last"] = hours.least, hours.most, hours.total, hours.last
    return rows
