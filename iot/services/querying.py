"""Readings of many devices at once: which streams, how much that would be, and the rows, a page at a time and never all in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet, Sum

from iot.models import Datastream, Reading, RollupHour
from iot.quality import names_of
from iot.services.history import TABLES, history_sql, step_for

MOST_STREAMS = 5_000
MOST_READINGS = 2_000_000
STREAMS_AT_ONCE = 100
PAGE = 5_000
RAW = ("device", "metric", "unit", "at", "value", "quality", "received_at")
ROLLED = ("device", "metric", "unit", "at", "n", "min", "mean", "max", "last", "bad_n")
Row = dict[str, Any]


class Chosen(NamedTuple):
    id: int
    device: str
    metric: str
    unit: str


@dataclass(frozen=True)
class Selection:
    """Streams and a window. ``step_s`` 0: every reading; else stretches of so many seconds."""

    streams: Sequence[Chosen]
    start: datetime
    end: datetime
    step_s: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return ROLLED if self.step_s else RAW

    def pages(self) -> Iterator[list[Row]]:
        """The rows, stream by stream and oldest first."""
        return self._stretches() if self.step_s else self._readings()

    def _readings(self) -> Iterator[list[Row]]:
        page: list[Row] = []
        for stream in self.streams:
            after = self.start - timedelta(microseconds=1)
            while True:
                with transaction.atomic():
                    rows = Reading.objects.filter(datastream_id=stream.id, at__gt=after, at__lt=self.end).order_by("at")
                    found = list(rows.values_list("at", "value", "quality", "received_at")[:PAGE])
                for at, value, quality, received_at in found:
                    told = (stream.device, stream.metric, stream.unit, at, value, " ".join(names_of(quality)), received_at)
                    page.append(dict(zip(RAW, told, strict=True)))
                if len(page) >= PAGE:
                    yield page
                    page = []
                if len(found) < PAGE:
                    break
                after = found[-1][0]
        if page:
            yield page

    def _stretches(self) -> Iterator[list[Row]]:
        source = next((table for least_s, table in TABLES if self.step_s >= least_s), "iot_reading")
        for first in range(0, len(self.streams), STREAMS_AT_ONCE):
            some = {stream.id: stream for stream in self.streams[first : first + STREAMS_AT_ONCE]}
            given: dict[str, Any] = {
                "ids": list(some), "start": self.start, "end": self.end, "step": timedelta(seconds=self.step_s), "zone": settings.TIME_ZONE,
            }  # fmt: skip
            with connection.cursor() as cursor:
                cursor.execute(history_sql(source, many=True), given)
                told = [(some[id].device, some[id].metric, some[id].unit, *rest) for id, *rest in cursor.fetchall()]
            page = [dict(zip(ROLLED, row, strict=True)) for row in told]
            if page:
                yield page


def select(*, devices: QuerySet[Any], metric: str, start: datetime, end: datetime, points: int | None) -> Selection:
    """The streams of these devices, at most one more than may be asked for: the door says so."""
    rows = Datastream.objects.filter(device__in=devices)
    if metric:
        rows = rows.filter(metric__code=metric)
    named = rows.order_by("device__code", "metric__code").values_list("pk", "device__code", "metric__code", "metric__unit")
    streams = [Chosen(*row) for row in named[: MOST_STREAMS + 1]]
    # Finer than a minute nothing is gathered for many devices at once.
    step_s = max(step_for(end - start, points), 60) if points else 0
    return Selection(streams, start, end, step_s)


def readings_in(selection: Selection) -> int:
    """About how many readings that is, by the hours' counts: cheap, and never less than there are."""
    rows = RollupHour.objects.filter(
        datastream_id__in=[stream.id for stream in selection.streams],
        at__gte=selection.start - timedelta(hours=1),
        at__lt=selection.end,
    )
    counted: Mapping[str, int | None] = rows.aggregate(total=Sum(F("n") + F("bad_n")))
    return counted["total"] or 0
