"""JSON Lines and GeoJSON, read as streams: a file of any size needs the memory of one batch."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.utils.translation import gettext as _

from incidents.normalise import Problem
from incidents.services.importing.readers.base import BATCH_ROWS, MAX_COLUMNS, Batch, BrokenFile, RefusedFile, Table
from incidents.services.importing.readers.streams import ByteStream

# The columns are what the first objects name.
PEEK = 2_000
MAX_OBJECT = 16 * 2**20
LON, LAT = "geometry.lon", "geometry.lat"


class Objects(Table):
    """A stream of objects, told as rows of cells: nested names are joined with a dot, a GeoJSON feature gives its properties."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.encoding = "utf-8"
        self._stream = ByteStream(path)
        self._broken: BrokenFile | None = None
        self._found = self._watched()
        names: dict[str, None] = {}
        self._peeked: list[tuple[int, dict[str, Any] | None, int, str, Problem | None]] = []
        size = 0
        for item in self._found:
            self._peeked.append(item)
            size += item[2]
            if item[1] is not None:
                names.update(dict.fromkeys(item[1]))
            if len(self._peeked) >= PEEK or size > MAX_OBJECT or len(names) > MAX_COLUMNS:
                break
        self.columns = list(names)[:MAX_COLUMNS]
        if not self.columns:
            self.close()
            wrong = next((problem for *_rest, problem in self._peeked if problem is not None and problem.code == "geometry"), None)
            why = self._broken or (wrong.message if wrong else _("The file holds no objects with named values."))
            raise RefusedFile(str(why))

    def objects(self) -> Iterator[tuple[int, Any, int, str]]:
        """Each object with its number, its size and (where it is no JSON) its text; the object is then ``None``."""
        raise NotImplementedError

    def _watched(self) -> Iterator[tuple[int, dict[str, Any] | None, int, str, Problem | None]]:
        number = 0
        try:
            for number, value, size, text in self.objects():
                if text:
                    yield number, None, size, text, Problem("", "unreadable", "JSON")
                elif not isinstance(value, dict):
                    yield number, None, size, orjson.dumps(value).decode()[:100_000], Problem("", "not_an_object")
                else:
                    cells, problem = flat(value)
                    shown = orjson.dumps(value).decode()[:100_000] if problem else ""
                    yield number, None if problem else cells, size, shown, problem
        except (EOFError, OSError, zlib.error, ValueError) as error:
            self._broken = BrokenFile(
                _("The file breaks off after row %(row)d: %(why)s.") % {"row": number, "why": str(error)[:200].rstrip(".")}
            )

    def batches(self, *, limit: int = BATCH_ROWS) -> Iterator[Batch]:
        batch = Batch()
        columns = self.columns
        peeked, self._peeked = self._peeked, []
        for items in (peeked, self._found):
            for number, cells, size, text, problem in items:
                if cells is None:
                    batch.broken.append((number, text, problem or Problem("", "unreadable")))
                else:
                    batch.numbers.append(number)
                    batch.rows.append([cells.get(name) for name in columns])
                batch.characters += size
                if batch.is_full(limit):
                    yield batch
                    batch = Batch()
        if len(batch):
            yield batch
        if self._broken:
            raise self._broken

    def progress(self) -> float:
        return self._stream.progress()

    def close(self) -> None:
        self._stream.close()


class JsonLines(Objects):
    format = "jsonl"

    def objects(self) -> Iterator[tuple[int, Any, int, str]]:
        number = 0
        while line := self._stream.content.readline(MAX_OBJECT):
            number += 1
            if not line.endswith(b"\n") and len(line) >= MAX_OBJECT:
                raise ValueError(_("a line longer than %(limit)d MB") % {"limit": MAX_OBJECT // 2**20})
            line = line.lstrip(b"\x1e\xef\xbb\xbf").strip()
            if not line:
                continue
            try:
                yield number, orjson.loads(line), len(line), ""
            except ValueError:
                yield number, None, len(line), line.decode("utf-8", errors="replace")[:100_000] or "?"


class GeoJson(Objects):
    """A FeatureCollection (or a plain list of objects), feature by feature."""

    format = "geojson"

    def objects(self) -> Iterator[tuple[int, Any, int, str]]:
        buffer = _Buffer(self._stream)
        buffer.skip_mark()
        opening = buffer.peek()
        if opening == "{":
            buffer.take("{")
            if not self._enter_features(buffer):
                return
        buffer.take("[")
        number = 0
        if buffer.peek() == "]":
            return
        while True:
            number += 1
            value, size = buffer.value()
            yield number, value, size, ""
            if buffer.peek() == ",":
                buffer.take(",")
                continue
            buffer.take("]")
            return

    def _enter_features(self, buffer: _Buffer) -> bool:
        """Stand before the list of features; whatever comes first is read, ``crs`` is kept."""
        while buffer.peek() != "}":
            name, _size = buffer.value()
            buffer.take(":")
            if name == "features":
                return True
            value, _size = buffer.value()
            if name == "crs":
                self.srid = _srid(value)
            if buffer.peek() == ",":
                buffer.take(",")
        return False


class _Buffer:
    """Text read as far as the next value needs."""

    def __init__(self, stream: ByteStream) -> None:
        self._bytes = stream.content
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._json = json.JSONDecoder(strict=False)
        self._text = ""
        self._at = 0
        self._ended = False

    def _more(self) -> bool:
        part = self._bytes.read(2**18)
        if self._at > 2**18 or not part:
            self._text, self._at = self._text[self._at :], 0
        self._text += self._decoder.decode(part, final=not part)
        self._ended = not part
        return bool(part)

    def skip_mark(self) -> None:
        self.peek()

    def peek(self) -> str:
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\x1e":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended or not self._more():
                raise EOFError(_("the JSON ends in the middle"))

    def take(self, mark: str) -> None:
        if self.peek() != mark:
            raise ValueError(_("“%(mark)s” was expected") % {"mark": mark})
        self._at += 1

    def value(self) -> tuple[Any, int]:
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except ValueError as error:
                if len(self._text) - self._at > MAX_OBJECT:
                    raise ValueError(_("a value longer than %(limit)d MB") % {"limit": MAX_OBJECT // 2**20}) from error
                if self._ended or not self._more():
                    raise
                continue
            except RecursionError as error:
                raise ValueError(_("the JSON is nested too deep")) from error
            # A number may go on in the part not read yet.
            if end == len(self._text) and not self._ended and not isinstance(value, dict | list | str):
                self._more()
                continue
            size = end - self._at
            self._at = end
            return value, size


def flat(value: dict[str, Any]) -> tuple[dict[str, Any], Problem | None]:
    """A feature's properties, id and point, or an object's values, with nested names joined by a dot."""
    if value.get("type") == "Feature" and ("geometry" in value or "properties" in value):
        properties = value.get("properties")
        cells = _joined(properties if isinstance(properties, dict) else {})
        if "id" in value and "id" not in cells:
            cells["id"] = value["id"]
        geometry = value.get("geometry")
        if geometry is None:
            cells.setdefault(LON, None)
            cells.setdefault(LAT, None)
            return cells, None
        point = _point(geometry)
        if point is None:
            return cells, Problem("geometry", "geometry", str(geometry.get("type", ""))[:40] if isinstance(geometry, dict) else "")
        cells[LON], cells[LAT] = point
        return cells, None
    return _joined(value), None


def _point(geometry: Any) -> tuple[Any, Any] | None:
    if not isinstance(geometry, dict):
        return None
    coordinates = geometry.get("coordinates")
    if geometry.get("type") == "MultiPoint" and isinstance(coordinates, list) and len(coordinates) == 1:
        coordinates = coordinates[0]
    elif geometry.get("type") != "Point":
        return None
    if not isinstance(coordinates, list) or len(coordinates) < 2:
        return None
    return coordinates[0], coordinates[1]


def _joined(value: dict[str, Any]) -> dict[str, Any]:
    if not any(isinstance(cell, dict) for cell in value.values()):
        return value
    cells: dict[str, Any] = {}
    for name, cell in value.items():
        if isinstance(cell, dict):
            cells.update({f"{name}.{inner}": deep for inner, deep in cell.items()})
        else:
            cells[name] = cell
    return cells


def _srid(crs: Any) -> int | None:
    name = str((crs.get("properties") or {}).get("name", "")) if isinstance(crs, dict) else ""
    match = re.search(r"EPSG:+(?:[\d.]*:)?(\d{4,6})$", name)
    return int(match.group(1)) if match else None
