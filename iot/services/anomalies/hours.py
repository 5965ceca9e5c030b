"""Hours of many streams from their roll-ups, as arrays; which metrics are looked at by the hour, and by which detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from django.db import connection

from iot.analytics.batch import IntArray
from iot.analytics.hourly import Hours
from iot.models import Datastream, Detector, Device, DeviceProfile, Metric
from iot.models.anomalies import BY_THE_HOUR
from iot.services.anomalies.tuning import FLOWS

HOUR_S = 3600
AT_ONCE = 2_000
# An hour counts when half of it was heard. No value is NULL: every row has one width, and an answer is one array.
_SQL = """
COPY (
    SELECT datastream_id, (extract(epoch FROM at) / 3600)::int4, sum / n, max - min FROM iot_rollup_1h
    WHERE datastream_id = ANY(%s) AND at >= %s AND at < %s AND n >= %s AND min IS NOT NULL AND max IS NOT NULL
) TO STDOUT (FORMAT BINARY)
"""
_ROW = np.dtype(
    [
        ("n", ">i2"), ("s1", ">i4"), ("stream", ">i4"), ("s2", ">i4"), ("hour", ">i4"), ("s3", ">i4"), ("mean", ">f8"), ("s4", ">i4"),
        ("swing", ">f8"),
    ]
)  # fmt: skip
_HEADER, _TRAILER = 19, 2


@dataclass(frozen=True)
class Asked:
    """A metric that takes part: which detectors may raise by it, and how it was set."""

    metric: Metric
    detectors: frozenset[str]
    sensitivity: float
    resolves: float
    weight: float


@dataclass(frozen=True)
class Streams:
    """Of one profile's devices in use, by rising id of the stream: what an array's rows are."""

    ids: IntArray
    metric: IntArray
    device: IntArray
    agency: IntArray
    lon: np.ndarray
    lat: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def devices(self) -> int:
        return len(np.unique(self.device))


def asked_of(profile: DeviceProfile) -> dict[int, Asked]:
    """Metrics that take part in a profile's fit. Where nobody chose: those whose values flow; they are learnt, and raise nothing."""
    found = {}
    for metric in profile.metrics.select_related("detector_setting").order_by("pk"):
        setting = getattr(metric, "detector_setting", None)
        if setting is not None:
            chosen = frozenset(setting.detectors) & frozenset(map(str, BY_THE_HOUR))
            if chosen:
                found[metric.pk] = Asked(metric, chosen, setting.sensitivity, setting.resolves, setting.weight)
        elif profile.kind in FLOWS and (metric.least, metric.most) != (0.0, 1.0):
            found[metric.pk] = Asked(metric, frozenset(), 1.0, 0.0, 1.0)
    return found


def streams_of(profile: DeviceProfile, metrics: Sequence[int], *, now: datetime, is_synthetic: bool | None = None) -> Streams:
    """Those of devices in use and not in maintenance."""
    rows = Datastream.objects.filter(device__profile=profile, device__state=Device.State.ACTIVE, metric__in=metrics)
    rows = rows.exclude(device__maintenance_until__gt=now).order_by("pk")
    if is_synthetic is not None:
        rows = rows.filter(device__is_synthetic=is_synthetic)
    found = list(rows.values_list("pk", "metric_id", "device_id", "device__agency_id", "device__location"))
    ids, metric, device, agency = (np.array([row[n] for row in found], np.int64) for n in range(4))
    places = [(row[4].x, row[4].y) if row[4] is not None else (np.nan, np.nan) for row in found]
    lon, lat = np.array(places, np.float64).reshape(-1, 2).T
    return Streams(ids, metric, device, agency, lon, lat)


def hour_of(at: datetime) -> int:
    return int(at.timestamp()) // HOUR_S


def time_of(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_S, UTC)


def read_hours(streams: Streams, *, first: int, last: int, every_s: int) -> Hours:
    """From hour ``first`` up to ``last``, without it."""
    mean = np.full((len(streams), last - first), np.nan, dtype=np.float32)
    swing = mean.copy()
    least = max(1, HOUR_S // 2 // every_s)
    for start in range(0, len(streams), AT_ONCE):
        some = streams.ids[start : start + AT_ONCE].tolist()
        with connection.cursor() as cursor, cursor.cursor.copy(_SQL, [some, time_of(first), time_of(last), least]) as copy:
            answer = b"".join(copy)
        table = np.frombuffer(answer[_HEADER : len(answer) - _TRAILER], dtype=_ROW)
        row, hour = np.searchsorted(streams.ids, table["stream"]), table["hour"] - first
        with np.errstate(over="ignore"):
            mean[row, hour], swing[row, hour] = table["mean"], table["swing"]
    mean[~np.isfinite(mean)], swing[~np.isfinite(swing)] = np.nan, np.nan
    return Hours(streams.metric, mean, swing, first)


def raises(asked: Asked, detector: Detector) -> bool:
    return detector in asked.detectors
