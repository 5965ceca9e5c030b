"""Many incidents at once, on chosen days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from incidents.models import Incident, IncidentType, Source


def put(source: Source, kind: IncidentType, days: Iterable[date], *, hour: int = 12, **given: Any) -> None:
    """One incident of ``kind`` at ``hour`` of each day, on the clock of the source's region, reported ten minutes later."""
    rows = []
    for day in days:
        at = datetime.combine(day, time(hour), source.region.zone_info)
        details = {"reported_at": at + timedelta(minutes=10), "priority": 3, "severity": 2, "agency": source.agency, **given}
        rows.append(Incident(region=source.region, source=source, type=kind, occurred_at=at, state="received", **details))
    Incident.objects.bulk_create(rows)


def each(first: date, last: date, a_day: int = 1) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1) for _again in range(a_day)]
