"""Half a million incidents as columns in a second: a query's rows by binary COPY, straight into numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection
from django.db.models import F, FloatField, Func, QuerySet
from django.db.models.functions import Coalesce
from numpy.typing import NDArray
from pyproj import Transformer

from geography.models import Region
from incidents.models import Incident

NONE = 0  # no zone: no row has this id

_FIELDS = (
    ("lon", ">f8"),
    ("lat", ">f8"),
    ("at", ">f8"),
    ("severity", ">i2"),
    ("type_id", ">i8"),
    ("governorate_id", ">i8"),
    ("area_id", ">i8"),
)
_ROW = np.dtype(
    [("n", ">i2"), *(pair for name, kind in _FIELDS for pair in ((f"{name}_size", ">i4"), (name, kind))), ("s_size", ">i4"), ("s", "u1")]
)
_HEADER, _TRAILER = 19, 2


@dataclass(frozen=True)
class Points:
    """Incidents as columns of equal length, in the order of their time.

    Attributes
    ----------
    xy_m : ndarray of float64, shape (n, 2)
        Easting and northing in the region's metric projection.
    at : ndarray of float64, shape (n,)
        Seconds since 1970 (UTC).
    day, hour, weekday : ndarray of int64, shape (n,)
        On the region's clock: days since 1970-01-01, 0 to 23, Monday is 0.
    category : ndarray of str
    severity, type_id, governorate_id, area_id : ndarray of int64
        0 where an incident lies in no zone.
    is_synthetic : ndarray of bool
    """

    xy_m: NDArray[np.float64]
    at: NDArray[np.float64]
    day: NDArray[np.int64]
    hour: NDArray[np.int64]
    weekday: NDArray[np.int64]
    category: NDArray[np.str_]
    severity: NDArray[np.int64]
    type_id: NDArray[np.int64]
    governorate_id: NDArray[np.int64]
    area_id: NDArray[np.int64]
    is_synthetic: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)

    def where(self, chosen: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Points:
        return Points(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})


_MOST_KEPT = 2
_kept: ContextVar[dict[tuple[Any, ...], Points] | None] = ContextVar("kept_points", default=None)


@contextlib.contextmanager
def shared_loads() -> Iterator[None]:
    """Inside, the same question is asked of the database once: the parts of a kind learn from the same incidents. The last two answers
    are kept; nobody writes into them."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def load_points(region: Region, *, since: datetime | None, until: datetime, category: str = "") -> Points:
    """What the analytics may learn from in ``region`` (``IncidentQuerySet.modelled``), from ``since`` (with) to ``until`` (without)."""
    kept, asked = _kept.get(), (region.pk, since, until, category)
    if kept is not None and asked in kept:
        return kept[asked]
    points = _points(region, since=since, until=until, category=category)
    if kept is not None:
        while len(kept) >= _MOST_KEPT:
            del kept[next(iter(kept))]
        kept[asked] = points
    return points


def _points(region: Region, *, since: datetime | None, until: datetime, category: str) -> Points:
    rows = Incident.objects.modelled().filter(region=region, occurred_at__lt=until)
    if since is not None:
        rows = rows.filter(occurred_at__gte=since)
    if category:
        rows = rows.filter(type__category=category)
    return _columns(rows, region)


def _columns(rows: QuerySet[Incident], region: Region) -> Points:
    table = _copied(
        rows.order_by("occurred_at", "id").values_list(
            Func(F("location"), function="ST_X", output_field=FloatField()),
            Func(F("location"), function="ST_Y", output_field=FloatField()),
            Func(F("occurred_at"), template="EXTRACT(EPOCH FROM %(expressions)s)::float8", output_field=FloatField()),
            F("severity"),
            F("type_id"),
            Coalesce("governorate_id", NONE),
            Coalesce("area_id", NONE),
            F("is_synthetic"),
        )
    )
    forward = Transformer.from_crs(4326, region.metric_srid, always_xy=True)
    x, y = forward.transform(table["lon"].astype(np.float64), table["lat"].astype(np.float64))
    at = table["at"].astype(np.float64)
    local = at + utc_offsets(at, region.zone_info)
    day = np.floor(local / 86_400).astype(np.int64)
    type_id = table["type_id"].astype(np.int64)
    names = dict(Incident.type.field.related_model._default_manager.values_list("pk", "category"))
    known, back = np.unique(type_id, return_inverse=True)
    category = np.array([names.get(int(pk), "") for pk in known], dtype=np.str_)
    return Points(
        xy_m=np.stack([x, y], axis=1) if len(at) else np.empty((0, 2)),
        at=at,
        day=day,
        hour=np.floor((local - day * 86_400) / 3600).astype(np.int64),
        weekday=(day + 3) % 7,
        category=category[back] if len(known) else np.empty(0, dtype=np.str_),
        severity=table["severity"].astype(np.int64),
        type_id=type_id,
        governorate_id=table["governorate_id"].astype(np.int64),
        area_id=table["area_id"].astype(np.int64),
        is_synthetic=table["s"].astype(bool),
    )


def _copied(rows: QuerySet[Incident, tuple[object, ...]]) -> NDArray[np.void]:
    """No value may be NULL: every row then has one width, and the whole answer is one array."""
    sql, given = rows.query.sql_with_params()
    with connection.cursor() as cursor, cursor.cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT BINARY)", given) as copy:
        answer = b"".join(copy)
    return np.frombuffer(answer[_HEADER : len(answer) - _TRAILER], dtype=_ROW)


def utc_offsets(at: NDArray[np.float64], clock: ZoneInfo) -> NDArray[np.float64]:
    """Seconds to add to each instant to read it on ``clock``: looked up once an hour, which is finer than any change of clocks."""
    hours, back = np.unique(np.floor(at / 3600), return_inverse=True)
    offsets = [datetime.fromtimestamp(hour * 3600, clock).utcoffset() for hour in hours.tolist()]
    return np.array([offset.total_seconds() if offset else 0.0 for offset in offsets], dtype=np.float64)[back]
