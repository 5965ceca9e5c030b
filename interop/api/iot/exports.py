"""Readings of many devices: by group, place, kind and window, every one of them or gathered to so many points; CSV, JSON lines, Parquet."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import IO, Any

import orjson
from django.contrib.gis.geos import Polygon
from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from core.api.errors import CONTENT_TYPE, ProblemSerializer
from interop.api.external.answers import stream as stream_csv
from interop.api.iot.devices import WINDOW, Sees
from interop.api.stretch import Problems, moments_of, points_of
from iot.models.profiles import DeviceKind
from iot.services.history import MOST_POINTS
from iot.services.querying import MOST_READINGS, MOST_STREAMS, RAW, ROLLED, Selection, readings_in, select

MOST_DAYS = 366
MOST_CODES = 100
ROW_GROUP = 50_000
PARAMETERS = [
    *WINDOW,
    OpenApiParameter("metric", str, description="A metric's code; every metric where nothing is said."),
    OpenApiParameter("device", str, description=f"Codes, with commas between them; at most {MOST_CODES}."),
    OpenApiParameter("group", str, description="A group's code."),
    OpenApiParameter("kind", str, enum=DeviceKind.values),
    OpenApiParameter("bbox", str, description="west,south,east,north in degrees: devices placed inside."),
    OpenApiParameter(
        "points",
        {"type": "integer", "minimum": 2, "maximum": MOST_POINTS},
        description="Gather each metric of each device into at most so many stretches (a minute at the least): n, min, mean, max, last.",
    ),
]
COLUMNS = f"{', '.join(RAW)}; with `points` {', '.join(ROLLED)}"
REFUSALS: dict[Any, Any] = {
    (422, CONTENT_TYPE): OpenApiResponse(
        ProblemSerializer, description=f"Not understood, or more than {MOST_STREAMS:,} streams or {MOST_READINGS:,} readings: narrow it."
    )
}


class Readings(Sees):
    """What all three files begin with: who asks for what, and whether it may be so much."""

    def selection(self, request: Request) -> Selection:
        problems: Problems = {}
        asked = request.query_params
        asked_from, asked_to = moments_of(request, problems)
        points = points_of(request, problems, most=MOST_POINTS, otherwise=0)
        end = asked_to or timezone.now()
        start = asked_from or end - timedelta(days=1)
        if not problems and not timedelta() < end - start <= timedelta(days=MOST_DAYS):
            problems["to"] = [_("It lies behind the beginning, at most %(days)d days.") % {"days": MOST_DAYS}]
        devices: Any = self.devices()
        if codes := [code for code in asked.get("device", "").split(",") if code]:
            devices = devices.filter(code__in=codes[:MOST_CODES])
            if len(codes) > MOST_CODES:
                problems["device"] = [_("At most %(most)d.") % {"most": MOST_CODES}]
        if asked.get("group"):
            devices = devices.filter(groups__code=asked["group"][:48])
        if asked.get("kind"):
            if asked["kind"] not in DeviceKind.values:
                problems["kind"] = [_("Choose of: %(states)s.") % {"states": ", ".join(DeviceKind.values)}]
            devices = devices.filter(profile__kind=asked["kind"])
        if asked.get("bbox"):
            box = _box(asked["bbox"])
            if box is None:
                problems["bbox"] = [_("Write west,south,east,north in degrees.")]
            else:
                devices = devices.filter(location__coveredby=box)
        if problems:
            raise ValidationError(problems)
        chosen = select(devices=devices.values("pk"), metric=asked.get("metric", "")[:48], start=start, end=end, points=points or None)
        _bounded(chosen)
        return chosen


def _bounded(chosen: Selection) -> None:
    if len(chosen.streams) > MOST_STREAMS:
        sorry = _("More than %(most)s streams: narrow it by device, group, kind or box.") % {"most": f"{MOST_STREAMS:,}"}
        raise ValidationError({"": [sorry]})
    if not chosen.step_s and (count := readings_in(chosen)) > MOST_READINGS:
        told = {"count": f"{count:,}", "most": f"{MOST_READINGS:,}"}
        raise ValidationError({"": [_("About %(count)s readings; at most %(most)s at once. Narrow it, or ask for points.") % told]})


def _box(text: str) -> Polygon | None:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        return None
    box = Polygon.from_bbox((west, south, east, north))
    box.srid = 4326
    return box


def _attached(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


class ReadingsCsv(Readings):
    @extend_schema(
        operation_id="export_many_readings_csv",
        tags=["sensors"],
        summary="Readings of many devices, as CSV",
        parameters=PARAMETERS,
        responses={(200, "text/csv"): OpenApiResponse(str, description=COLUMNS), **REFUSALS},
    )
    def get(self, request: Request) -> HttpResponseBase:
        chosen = self.selection(request)
        return stream_csv(request._request, chosen.pages, list(chosen.columns), "readings.csv")


class ReadingsJsonLines(Readings):
    @extend_schema(
        operation_id="export_many_readings_json",
        tags=["sensors"],
        summary="Readings of many devices, one JSON object a line",
        parameters=PARAMETERS,
        responses={(200, "application/x-ndjson"): OpenApiResponse(str, description=COLUMNS), **REFUSALS},
    )
    def get(self, request: Request) -> HttpResponseBase:
        chosen = self.selection(request)
        lines = (b"".join(orjson.dumps(row, option=orjson.OPT_UTC_Z) + b"\n" for row in page) for page in chosen.pages())
        return _attached(StreamingHttpResponse(lines, content_type="application/x-ndjson"), "readings.jsonl")


class ReadingsParquet(Readings):
    @extend_schema(
        operation_id="export_many_readings_parquet",
        tags=["sensors"],
        summary="Readings of many devices, as Parquet",
        parameters=PARAMETERS,
        responses={(200, "application/vnd.apache.parquet"): OpenApiResponse(bytes, description=COLUMNS), **REFUSALS},
    )
    def get(self, request: Request) -> HttpResponseBase:
        chosen = self.selection(request)
        file = tempfile.TemporaryFile(prefix="readings-")  # noqa: SIM115  (the answer closes it)
        try:
            write_parquet(file, chosen)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return _attached(FileResponse(file, content_type="application/vnd.apache.parquet"), "readings.parquet")


def write_parquet(file: IO[bytes], chosen: Selection) -> None:
    """Row group by row group: what is in memory is one of them, whatever is asked for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    word, instant = pa.dictionary(pa.int32(), pa.string()), pa.timestamp("us", tz="UTC")
    kinds = dict.fromkeys(("device", "metric", "unit", "quality"), word) | dict.fromkeys(("at", "received_at"), instant)
    kinds |= dict.fromkeys(("n", "bad_n"), pa.int32())
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in chosen.columns])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in _gathered(chosen.pages(), ROW_GROUP):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _gathered(pages: Iterable[list[dict[str, Any]]], size: int) -> Iterator[list[dict[str, Any]]]:
    rows = itertools.chain.from_iterable(pages)
    while some := list(itertools.islice(rows, size)):
        yield some
