"""Batches of cells become batches of values, a column at a time. Runs beside the writer and never touches the database."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pyproj
from django.utils.translation import gettext as _

from core.text import searchable
from incidents.lifecycle import Priority, Severity
from incidents.normalise import Problem, Unreadable
from incidents.normalise.address import MAX_ADDRESS
from incidents.normalise.numbers import read_number
from incidents.normalise.times import EARLIEST, Clock, read_time
from incidents.normalise.words import number_in, origin_of, priority_of
from incidents.services.importing.readers import Batch, RefusedFile, Row, Table
from incidents.services.opening import CLOCK_SKEW, MAX_DESCRIPTION, digest_of

MAX_ID = 128
MAX_TYPE = 160
MAX_SEARCH = 50_000
NUL_IN_JSON = "\\u0000"


@dataclass(slots=True)
class BadRow:
    """A row that cannot go in, with what is wrong; ``cells`` are None where the row was no row."""

    number: int
    external_id: str
    problems: list[Problem]
    raw: dict[str, Any]
    cells: Row | None
    is_quarantined: bool = False


@dataclass(slots=True)
class Prepared:
    """The good rows of a batch as columns of equal length, and the bad ones."""

    last_number: int = 0
    read: int = 0
    progress: float = 0.0
    numbers: list[int] = field(default_factory=list)
    external_ids: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    occurred: list[str] = field(default_factory=list)
    reported: list[str | None] | None = None
    lon: list[float | None] | None = None
    lat: list[float | None] | None = None
    severities: list[int | None] | None = None
    priorities: list[int | None] | None = None
    origins: list[str] | None = None
    descriptions: list[str] | None = None
    addresses: list[str] | None = None
    words: list[str] = field(default_factory=list)
    raws: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    # The good rows in COPY's text format (staging.stage).
    staged_columns: list[str] = field(default_factory=list)
    staged: bytes = b""


def text_of(value: Any) -> str:
    """A cell as text: 12.0 is "12", a missing one is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else "" if math.isnan(value) else repr(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str).decode()
    return str(value)


@lru_cache(maxsize=50_000)
def _folded(text: str) -> str:
    return searchable(text)


def _short_folded(text: str) -> str:
    return _folded(text) if len(text) < 500 else searchable(text[:MAX_SEARCH])


class Preparer:
    """Reads batches of one file by one mapping. ``identity`` is the column of a rejects file that keeps a row's first identity."""

    def __init__(
        self,
        *,
        columns: Sequence[str],
        mapping: Mapping[str, str],
        zone: ZoneInfo,
        srid: int,
        now: datetime,
        is_text: bool,
        own: Sequence[str] = (),
        identity: str = "",
        severity_of: Callable[[str], int | None] = number_in,
    ) -> None:
        self.columns = list(columns)
        self.mapping = dict(mapping)
        self.is_text = is_text
        self._place = {target: self.columns.index(column) for target, column in mapping.items()}
        self._identity = self.columns.index(identity) if identity else None
        own_places = {self.columns.index(name) for name in own}
        self._raw_places = [place for place in range(len(self.columns)) if place not in own_places] if own else None
        self._clock = Clock(zone)
        self._severity_of = severity_of
        self._latest = now + CLOCK_SKEW
        self._transform = transformer(srid)
        # The last minutes' worth of time texts: files are sorted by time more often than not.
        self._times: dict[Any, tuple[datetime, str] | Unreadable] = {}

    @classmethod
    def for_points(cls, table: Table, mapping: Mapping[str, str], srid: int) -> Preparer:
        """One that is asked for ``points`` only."""
        return cls(
            columns=table.columns,
            mapping=mapping,
            zone=ZoneInfo("UTC"),
            srid=table.srid or srid,
            now=datetime.now(UTC),
            is_text=table.format == "csv",
        )

    def raw_of(self, row: Row) -> dict[str, Any]:
        if self._raw_places is not None:
            return {self.columns[place]: row[place] for place in self._raw_places}
        if self.is_text:
            return dict(zip(self.columns, row, strict=True))
        return {name: cell for name, cell in zip(self.columns, row, strict=True) if cell is not None}

    def prepare(self, batch: Batch) -> Prepared:
        rows = batch.rows
        count = len(rows)
        wrong: dict[int, list[Problem]] = {}

        def fault(place: int, target: str, code: str, detail: str = "") -> None:
            wrong.setdefault(place, []).append(Problem(target, code, detail))

        raws = self._raws(rows, fault)
        cells = list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)
        made = Prepared(last_number=batch.last_number, read=len(batch), numbers=batch.numbers, raws=raws, rows=rows)
        made.external_ids = self._external_ids(cells, rows, fault)
        made.types = self._texts(cells, "type", MAX_TYPE, fault, required=True)
        occurred = self._moments(cells, "occurred_at", fault, made.counts)
        made.occurred = [moment.isoformat() if moment else "" for moment in occurred]
        if "reported_at" in self._place:
            made.reported = [
                moment.isoformat() if moment else None for moment in self._moments(cells, "reported_at", fault, made.counts, optional=True)
            ]
        if "lon" in self._place:
            made.lon, made.lat = self._points(cells, fault)
        if "severity" in self._place:
            made.severities = self._levels(cells, "severity", self._severity_of, Severity.values, fault, made.counts)
        if "priority" in self._place:
            made.priorities = self._levels(cells, "priority", priority_of, Priority.values, fault, made.counts)
        if "origin" in self._place:
            made.origins = [origin_of(word) for word in self._texts(cells, "origin", 200, fault)]
        if "description" in self._place:
            made.descriptions = self._texts(cells, "description", MAX_DESCRIPTION, fault)
        if "address" in self._place:
            made.addresses = self._texts(cells, "address", MAX_ADDRESS, fault)
        for number, text, problem in batch.broken:
            raw = {"row": _clean(text)}
            made.bad.append(BadRow(number, digest_of(raw), [problem], raw, None))
        if wrong:
            self._set_aside(made, wrong, count)
        made.words = self._words(made)
        if made.lon is not None and made.lat is not None:
            made.counts["unlocated"] += made.lon.count(None)
        else:
            made.counts["unlocated"] += len(made.numbers)
        return made

    def points(self, batch: Batch) -> tuple[list[float], list[float]]:
        """The points of a batch that are points, and nothing else of it."""
        cells = list(zip(*batch.rows, strict=True)) if batch.rows else [()] * len(self.columns)
        wrong: set[int] = set()
        lon, lat = self._points(cells, lambda place, *_rest: wrong.add(place))
        whole = [
            (x, y)
            for place, (x, y) in enumerate(zip(lon, lat, strict=True))
            if x is not None and y is not None and place not in wrong and math.isfinite(x) and math.isfinite(y)
        ]
        return [x for x, _y in whole], [y for _x, y in whole]

    # --- columns --------------------------------------------------------------------------------------------------------

    def _raws(self, rows: list[Row], fault: Callable[..., None]) -> list[str]:
        dumps, columns = orjson.dumps, self.columns
        try:
            if self.is_text and self._raw_places is None:
                raws = [dumps(dict(zip(columns, row, strict=False))).decode() for row in rows]
            else:
                raws = [dumps(self.raw_of(row), default=str).decode() for row in rows]
        except TypeError:
            raws = [self._one_raw(place, row, fault) for place, row in enumerate(rows)]
        for place, raw in enumerate(raws):
            if NUL_IN_JSON in raw:
                for name, cell in zip(columns, rows[place], strict=True):
                    if isinstance(cell, str) and "\0" in cell:
                        fault(place, self._target_of(name), "nul")
                        break
        return raws

    def _one_raw(self, place: int, row: Row, fault: Callable[..., None]) -> str:
        raw = self.raw_of(row)
        try:
            return orjson.dumps(raw, default=str).decode()
        except TypeError:
            pass
        for name, cell in raw.items():
            if isinstance(cell, str) and any("\ud800" <= letter <= "\udfff" for letter in cell):
                fault(place, self._target_of(name), "encoding", name)
                return "{}"
        return json.dumps(raw, default=str)

    def _target_of(self, column: str) -> str:
        return next((target for target, name in self.mapping.items() if name == column), column)

    def _column(self, cells: list[Any], target: str) -> list[str]:
        column = cells[self._place[target]]
        return [cell.strip() for cell in column] if self.is_text else [text_of(cell) for cell in column]

    def _texts(self, cells: list[Any], target: str, limit: int, fault: Callable[..., None], *, required: bool = False) -> list[str]:
        texts = self._column(cells, target)
        if texts and max(map(len, texts)) > limit:
            for place, text in enumerate(texts):
                if len(text) > limit:
                    fault(place, target, "too_long", f"{len(text)} > {limit}")
        if required:
            for place, text in enumerate(texts):
                if not text:
                    fault(place, target, "missing")
        return texts

    def _external_ids(self, cells: list[Any], rows: list[Row], fault: Callable[..., None]) -> list[str]:
        if "external_id" in self._place:
            ids = self._texts(cells, "external_id", MAX_ID, fault)
        elif self._identity is not None:
            ids = [text_of(cell)[:MAX_ID] for cell in cells[self._identity]]
        else:
            ids = [""] * len(rows)
        if "" in ids:
            ids = [one or self._digest(row) for one, row in zip(ids, rows, strict=True)]
        return ids

    def _digest(self, row: Row) -> str:
        raw = self.raw_of(row)
        try:
            return digest_of(raw)
        except TypeError:
            return digest_of({name: _clean(str(cell)) for name, cell in raw.items()})

    def _moments(
        self, cells: list[Any], target: str, fault: Callable[..., None], counts: Counter[str], *, optional: bool = False
    ) -> list[datetime | None]:
        known, clock, latest = self._times, self._clock, self._latest
        if len(known) > 100_000:
            known.clear()
        moments: list[datetime | None] = []
        for place, cell in enumerate(cells[self._place[target]]):
            if cell is None or cell == "" or (isinstance(cell, str) and not cell.strip()):
                moments.append(None)
                if not optional:
                    fault(place, target, "missing")
                continue
            try:
                answer = known.get(cell)
                if answer is None:
                    answer = known[cell] = read_time(cell, clock)
                elif isinstance(answer, Unreadable):
                    raise answer
            except (Unreadable, TypeError) as error:
                moments.append(None)
                problem = error if isinstance(error, Unreadable) else Unreadable("unreadable_time")
                if isinstance(error, Unreadable):
                    known[cell] = error
                fault(place, target, problem.code, problem.detail or text_of(cell)[:40])
                continue
            moment, doubt = answer
            if doubt:
                counts[doubt] += 1
            if moment > latest:
                fault(place, target, "future", moment.isoformat())
            elif moment < EARLIEST:
                fault(place, target, "too_old", moment.isoformat())
            moments.append(moment)
        return moments

    def _numbers(self, cells: list[Any], target: str, fault: Callable[..., None]) -> list[float | None]:
        column = cells[self._place[target]]
        if self.is_text:
            try:
                numbers = [float(cell) if cell else None for cell in column]
                if "_" not in "".join(column) and all(number is None or number - number == 0.0 for number in numbers):
                    return numbers
            except ValueError:
                pass
        numbers = []
        for place, cell in enumerate(column):
            try:
                numbers.append(read_number(cell))
            except Unreadable as error:
                fault(place, target, error.code, text_of(cell)[:40])
                numbers.append(None)
        return numbers

    def _points(self, cells: list[Any], fault: Callable[..., None]) -> tuple[list[float | None], list[float | None]]:
        known_bad: set[int] = set()

        def noted(place: int, *rest: str) -> None:
            known_bad.add(place)
            fault(place, *rest)

        lon, lat = self._numbers(cells, "lon", noted), self._numbers(cells, "lat", noted)
        for place, (x, y) in enumerate(zip(lon, lat, strict=True)):
            if x is None or y is None:
                if x is not y and place not in known_bad:
                    fault(place, "lon" if x is None else "lat", "half_coordinates")
                lon[place] = lat[place] = None
            elif x == 0 and y == 0:
                fault(place, "lon", "zero_coordinates")
                lon[place] = lat[place] = None
        if self._transform is not None:
            self._to_degrees(lon, lat)
        for place, (x, y) in enumerate(zip(lon, lat, strict=True)):
            if x is not None and y is not None and not (-180 <= x <= 180 and -90 <= y <= 90):
                # A projection answers "inf" for a point outside its world.
                fault(place, "lon" if not -180 <= x <= 180 else "lat", "out_of_range", f"{x:g}, {y:g}")
        return lon, lat

    def _to_degrees(self, lon: list[float | None], lat: list[float | None]) -> None:
        assert self._transform is not None
        places = [place for place, x in enumerate(lon) if x is not None]
        if not places:
            return
        xs, ys = (np.array([column[place] for place in places], dtype=float) for column in (lon, lat))
        xs, ys = self._transform.transform(xs, ys)
        for place, x, y in zip(places, xs.tolist(), ys.tolist(), strict=True):
            lon[place], lat[place] = round(x, 8), round(y, 8)

    def _levels(
        self,
        cells: list[Any],
        target: str,
        level_of: Callable[[str], int | None],
        allowed: Sequence[int],
        fault: Callable[..., None],
        counts: Counter[str],
    ) -> list[int | None]:
        """Words by table, else as a number. An unknown word is counted and leaves the type's own level; a wrong number is refused."""
        found: dict[str, int | None] = {"": None}
        answers: list[int | None] = []
        for place, word in enumerate(self._texts(cells, target, 64, fault)):
            if word not in found:
                known = level_of(word)
                found[word] = number_in(word) if known is None else known
            level = found[word]
            if level is None:
                counts[f"unknown_{target}"] += bool(word)
            elif level not in allowed:
                fault(place, target, "out_of_range", word[:40])
            answers.append(level)
        return answers

    # --- rows -----------------------------------------------------------------------------------------------------------

    def bad_row(self, number: int, external_id: str, row: Row, problems: list[Problem], *, is_quarantined: bool = False) -> BadRow:
        raw = {name: _clean(cell) if isinstance(cell, str) else cell for name, cell in self.raw_of(row).items()}
        return BadRow(number, external_id, problems, raw, row, is_quarantined)

    def _set_aside(self, made: Prepared, wrong: dict[int, list[Problem]], count: int) -> None:
        for place, problems in sorted(wrong.items()):
            row = made.rows[place]
            external_id = made.external_ids[place]
            if any(problem.field in {"external_id", self.mapping.get("external_id")} for problem in problems):
                external_id = self._digest(row)
            made.bad.append(self.bad_row(made.numbers[place], external_id, row, problems))
        made.bad.sort(key=lambda row: row.number)
        keep = [place for place in range(count) if place not in wrong]
        for name in (
            "numbers", "external_ids", "types", "occurred", "reported", "lon", "lat", "severities", "priorities", "origins",
            "descriptions", "addresses", "raws", "rows",
        ):  # fmt: skip
            column = getattr(made, name)
            if column is not None:
                setattr(made, name, [column[place] for place in keep])

    def _words(self, made: Prepared) -> list[str]:
        words = [_short_folded(text) if not text.startswith("sha256:") else "" for text in made.external_ids]
        for column in (made.addresses, made.descriptions):
            if column is not None:
                words = [f"{_short_folded(text)} {word}" if text else word for text, word in zip(column, words, strict=True)]
        return words


def transformer(srid: int) -> pyproj.Transformer | None:
    """From ``srid`` to longitude and latitude; ``None`` where they are that already. Raises ``RefusedFile`` for an unknown one."""
    if srid == 4326:
        return None
    try:
        return pyproj.Transformer.from_crs(srid, 4326, always_xy=True)
    except pyproj.exceptions.CRSError as error:
        raise RefusedFile(_("There is no projection EPSG:%(srid)s.") % {"srid": srid}, fields={"srid": str(srid)}) from error


def _clean(text: str) -> str:
    """What PostgreSQL can keep of a broken text."""
    return text.replace("\0", "\ufffd").encode("utf-8", errors="replace").decode()
