"""Whether incidents follow crowds, zone by zone and type by type, each night: rows with their interval, and of how many they are one.

Hundreds of pairs are looked at, and one in twenty of those with nothing to them has an interval without 1. So "evidence" also takes a
false-discovery rate, over all pairs of the run that could be judged, of at most ``FDR``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from core.version import code_version
from incidents.analytics.false_discovery import q_values
from incidents.models import Incident
from iot.analytics.crowd_correlation import EVIDENCE, NO_EVIDENCE, SEASON_WEEKS, CrowdRatio, crowd_correlation
from iot.models import CrowdResult, CrowdRun, Device
from iot.services.risk.levels import CROWD_KINDS, CROWD_METRICS, chosen_streams

WEEKS = 26
LAG_H, QUANTILE, CONFIDENCE = 2, 0.8, 0.95
FDR = 0.05
KEPT_RUNS = timedelta(days=90)
HOUR_S = 3600
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """The crowd sensors of one agency in one area."""

    agency_id: int
    area_id: int
    governorate_id: int
    streams: tuple[int, ...]
    is_synthetic: bool


@dataclass(frozen=True)
class Pair:
    place: Place
    type_id: int | None
    found: CrowdRatio
    is_synthetic: bool


def correlate_crowds(*, now: datetime) -> CrowdRun:
    """Look at every area with crowd sensors, over the half year up to this hour."""
    began = time.monotonic()
    until = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    since = until - timedelta(weeks=WEEKS)
    pairs = [pair for place in _places(now) for pair in _pairs(place, since, until)]
    p = np.array([np.nan if pair.found.p is None else pair.found.p for pair in pairs], dtype=np.float64)
    q = q_values(p)
    settings = {
        "weeks": WEEKS, "lag_h": LAG_H, "quantile": QUANTILE, "confidence": CONFIDENCE, "season_weeks": SEASON_WEEKS, "fdr": FDR,
    }  # fmt: skip
    with transaction.atomic():
        run = CrowdRun.objects.create(
            at=now, since=since, until=until, settings=settings, looked_at=len(pairs), judged=int(np.isfinite(p).sum()), found=0,
            seconds=0.0, code_version=code_version(),
        )  # fmt: skip
        rows = [_row(run, pair, float(one)) for pair, one in zip(pairs, q, strict=True)]
        CrowdResult.objects.bulk_create(rows, batch_size=500)
        run.found, run.seconds = sum(row.verdict == EVIDENCE for row in rows), round(time.monotonic() - began, 3)
        run.save(update_fields=["found", "seconds"])
        CrowdRun.objects.filter(at__lt=now - KEPT_RUNS).delete()
    return run


def _places(now: datetime) -> list[Place]:
    devices = Device.objects.in_use().filter(area__isnull=False, profile__kind__in=CROWD_KINDS, registered_at__lte=now).order_by("pk")
    columns = ("pk", "profile__kind", "agency_id", "area_id", "governorate_id", "is_synthetic")
    known = {pk: (kind, place, synthetic) for pk, kind, *place, synthetic in devices.values_list(*columns)}
    streams: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    synthetic: set[tuple[int, int, int]] = set()
    for stream, device, _metric in chosen_streams({pk: row[0] for pk, row in known.items()}, CROWD_KINDS, CROWD_METRICS):
        agency, area, governorate = known[device][1]
        streams[agency, area, governorate].append(stream)
        if known[device][2]:
            synthetic.add((agency, area, governorate))
    return [Place(*key, tuple(sorted(mine)), key in synthetic) for key, mine in sorted(streams.items())]


def _pairs(place: Place, since: datetime, until: datetime) -> Iterator[Pair]:
    """All types together, and each type of which there was one at least."""
    crowd = crowd_of(place.streams, since, until)
    hours = len(crowd)
    first = int(since.timestamp()) // HOUR_S
    rows = Incident.objects.modelled().occurred_between(since, until).filter(area=place.area_id, agency=place.agency_id).order_by()
    told = list(rows.values_list("type_id", "occurred_at", "is_synthetic"))
    of_type: dict[int | None, list[int]] = defaultdict(list)
    made_up: dict[int | None, bool] = defaultdict(bool)
    for type_id, at, is_synthetic in told:
        keys: tuple[int | None, ...] = (None, type_id)
        for key in keys:
            of_type[key].append(int(at.timestamp()) // HOUR_S - first)
            made_up[key] |= is_synthetic
    of_type.setdefault(None, [])
    for of, at_hours in of_type.items():
        counts = np.bincount(np.array(at_hours, dtype=np.int64), minlength=hours)[:hours]
        found = crowd_correlation(
            counts, crowd, first_hour_of_week=hour_of_week(since), lag_h=LAG_H, quantile=QUANTILE, confidence=CONFIDENCE
        )
        yield Pair(place, of, found, place.is_synthetic or made_up[of])


def crowd_of(streams: tuple[int, ...], since: datetime, until: datetime) -> _Floats:
    """The crowd of an area hour by hour: each sensor over its own median, and of these the mean of those that spoke; NaN where none did."""
    first, hours = int(since.timestamp()) // HOUR_S, int((until - since).total_seconds()) // HOUR_S
    table = np.full((len(streams), hours), np.nan)
    row_of = {stream: row for row, stream in enumerate(streams)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datastream_id, extract(epoch FROM at)::bigint, sum / n FROM iot_rollup_1h "
            "WHERE datastream_id = ANY(%s) AND at >= %s AND at < %s AND n > 0",
            [list(streams), since, until],
        )
        for stream, at_s, mean in cursor:
            table[row_of[stream], at_s // HOUR_S - first] = mean
    spoke = np.isfinite(table)
    for row in range(len(table)):
        usual = float(np.median(table[row][spoke[row]])) if spoke[row].any() else 0.0
        table[row] = table[row] / usual if usual > 0 else table[row]
    count = spoke.sum(axis=0)
    return np.where(count > 0, np.where(spoke, table, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def hour_of_week(at: datetime) -> int:
    """Which of the 168, counted from a fixed Monday: only that hours of one name meet matters, and Kuwait's clock never changes."""
    return (int(at.timestamp()) // HOUR_S - 4 * 24) % 168


def _row(run: CrowdRun, pair: Pair, q: float) -> CrowdResult:
    found, verdict, why = pair.found, pair.found.verdict, pair.found.why
    if verdict == EVIDENCE and not q <= FDR:
        verdict, why = NO_EVIDENCE, CrowdResult.Why.MANY_LOOKED_AT
    plain = ("ratio", "low", "high", "p", "after_crowds", "other", "hours_after", "hours_other", "expected", "weeks", "lag_h")
    return CrowdResult(
        run=run, agency_id=pair.place.agency_id, zone_id=pair.place.area_id, governorate_id=pair.place.governorate_id, type_id=pair.type_id,
        verdict=verdict, why=why, q=q if np.isfinite(q) else None, sensors=len(pair.place.streams), is_synthetic=pair.is_synthetic,
        **{name: getattr(found, name) for name in plain},
    )  # fmt: skip
