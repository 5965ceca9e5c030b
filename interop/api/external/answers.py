"""How rows leave: JSON, GeoJSON or CSV; with a tag to ask by again, packed where the caller can unpack."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers

from core.connections import drop_dead_connections, keep_connections
from incidents.services.importing.rejects import guarded

JSON, GEOJSON, CSV = "application/json", "application/geo+json", "text/csv; charset=utf-8"
_PACK_FROM = 1_000  # bytes: less is not worth it
_VARY = ("Accept", "Accept-Encoding", "Authorization", "X-API-Key")
Row = dict[str, Any]
# Files are made here, so that however many are asked for, the threads that answer requests stay free.
_writers = ThreadPoolExecutor(2, thread_name_prefix="external-csv", initializer=keep_connections)


def answer(request: HttpRequest, body: bytes, content_type: str, *, following: str | None = None) -> HttpResponseBase:
    """A whole answer. The tag is of what is said: who holds the same is told 304 and no more."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    response: HttpResponse = HttpResponse(body, content_type=content_type)
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    if following:
        response.headers["Link"] = f'<{following}>; rel="next"'
    patch_vary_headers(response, _VARY)
    told: HttpResponse = get_conditional_response(request, etag=tag, response=response)  # type: ignore[assignment]
    if told.status_code == 200 and len(body) >= _PACK_FROM and _takes_gzip(request):
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        told.content = packer.compress(body) + packer.flush()
        told.headers["Content-Encoding"] = "gzip"
    return told


def as_json(rows: list[Row], following: str | None, more: Mapping[str, Any]) -> bytes:
    return orjson.dumps({**more, "results": rows, "next": following}, option=orjson.OPT_UTC_Z)


def as_geojson(rows: list[Row], names: Sequence[str], geometry: str, following: str | None, more: Mapping[str, Any]) -> bytes:
    links = [{"rel": "next", "type": GEOJSON, "href": following}] if following else []
    features = [feature(row, names, geometry) for row in rows]
    return orjson.dumps({"type": "FeatureCollection", **more, "features": features, "links": links}, option=orjson.OPT_UTC_Z)


def feature(row: Row, names: Sequence[str], geometry: str) -> Row:
    shape = row[geometry]
    if shape is not None and "longitude" in shape:
        shape = {"type": "Point", "coordinates": [shape["longitude"], shape["latitude"]]}
    return {"type": "Feature", "geometry": shape, "properties": {name: row[name] for name in names if name != geometry}}


# --- files -------------------------------------------------------------------------------------------------------------------------------


def stream(request: HttpRequest, pages: Callable[[], Iterator[list[Row]]], names: Sequence[str], filename: str) -> HttpResponseBase:
    """CSV, a page of rows at a time. Between two pages nothing is held, neither a thread nor a transaction: a slow reader costs nothing.

    The two threads keep their connections: to open one for each page cost more than to read it.
    """
    packs = _takes_gzip(request)

    def lines() -> Iterator[bytes]:
        if request.method == "HEAD":
            return iter(())
        return _packed(_csv(pages(), names)) if packs else _csv(pages(), names)

    body: Any = _on_writers(lines()) if isinstance(getattr(request, "_request", request), ASGIRequest) else lines()
    response = StreamingHttpResponse(body, content_type=CSV, headers={"Content-Disposition": f'attachment; filename="{filename}"'})
    response.headers["Cache-Control"] = "private, no-store"
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    patch_vary_headers(response, _VARY)
    return response


async def _on_writers(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    while (part := await loop.run_in_executor(_writers, _next, parts)) is not None:
        yield part


def _next(parts: Iterator[bytes]) -> bytes | None:
    drop_dead_connections()
    return next(parts, None)


def _packed(parts: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for part in parts:
        yield packer.compress(part)
    yield packer.flush()


def _csv(pages: Iterable[list[Row]], names: Sequence[str]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([column for name in names for column in (("longitude", "latitude") if name == "location" else (name,))])
    for rows in pages:
        writer.writerows(zip(*(cells for name in names for cells in _columns(name, [row[name] for row in rows])), strict=True))
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue().encode()


def _columns(name: str, values: list[Any]) -> list[Iterable[Any]]:
    """What becomes of a field's values: a column of cells; two of a place."""
    if name == "location":
        return [[place[axis] if place else "" for place in values] for axis in ("longitude", "latitude")]
    if {*map(type, values)} & {dict, list}:
        return [map(_cell, values)]
    # Most columns are a few words again and again: each is judged once.
    cells = {value: _cell(value) for value in set(values)}
    return [map(cells.__getitem__, values)]


def _cell(value: Any) -> Any:
    return _CELLS[type(value)](value) if type(value) in _CELLS else guarded(str(value))


def _nested(value: Any) -> str:
    return guarded(orjson.dumps(value).decode())


def _same(value: Any) -> Any:
    return value


_ILLEGAL: dict[int, None] = {code: None for code in range(32) if chr(code) not in "\t\n\r"}
_CELLS: dict[type, Callable[[Any], Any]] = {
    type(None): lambda value: "",
    bool: lambda value: "true" if value else "false",
    int: _same,
    float: _same,
    # What is no letter of a line is left out: a file is read line by line.
    str: lambda value: guarded(value.translate(_ILLEGAL)) if value else "",
    datetime: lambda value: value.isoformat().replace("+00:00", "Z"),
    date: date.isoformat,
    UUID: str,
    dict: _nested,
    list: _nested,
}


def _takes_gzip(request: HttpRequest) -> bool:
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _semicolon, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
