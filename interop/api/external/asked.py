"""What a partner asked, judged once: filters, fields, order, page. What is not understood is a problem, never a wider answer."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from django.contrib.gis.geos import Polygon
from django.core.signing import BadSignature, Signer
from django.http import QueryDict
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, ValidationError

from interop.messages.fields import Instant

PAGE = 100
MOST = 1_000
MOST_CSV = 1_000_000
MOST_WORDS = 50
_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,4}(\.\d{0,15})?", re.ASCII)
_signer = Signer(salt="interop.api.external.cursor")


@dataclass(frozen=True)
class Filter:
    """One thing to ask by: how its text is read (``ValueError`` or ``ValidationError`` when it cannot be) and how it is documented."""

    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str
    example: Any = None
    required: bool = False


@dataclass(frozen=True)
class Order:
    """By one column and, where it is the same, by id: nothing is met twice and nothing missed while rows are written."""

    name: str
    column: str
    is_down: bool

    @property
    def columns(self) -> list[str]:
        sign = "-" if self.is_down else ""
        return [f"{sign}{self.column}", f"{sign}id"]


@dataclass(frozen=True)
class Asked:
    given: dict[str, Any]
    fields: tuple[str, ...]
    order: Order
    limit: int | None
    after: list[Any] | None
    digest: str

    def cursor(self, position: Sequence[Any]) -> str:
        """The place to go on from: signed, and good for this question alone."""
        return _signer.sign_object([self.order.name, self.digest, *position], serializer=_Plain)


class _Plain:
    def dumps(self, value: Any) -> bytes:
        return orjson.dumps(value)

    def loads(self, raw: bytes) -> Any:
        return orjson.loads(raw)


def read_asked(
    query: QueryDict, *, name: str, filters: Mapping[str, Filter], columns: Sequence[str], default: Sequence[str], sorts: Mapping[str, str],
    most: int,
) -> Asked:  # fmt: skip
    """``sorts`` maps the names one may sort by to columns, the first is the default and a minus before it turns it round."""
    problems: dict[str, list[Any]] = {}
    own = {"fields", "sort", "limit", "cursor"}
    for unknown in sorted(set(query) - own - set(filters)):
        problems[unknown[:40]] = [_("This cannot be asked here.")]
    given: dict[str, Any] = {}
    for key in [*filters, *own]:
        values = query.getlist(key)
        if len(values) > 1 and not (key in filters and filters[key].schema.get("type") == "array"):
            problems[key] = [_("Say this once.")]
    for key, rule in filters.items():
        if key in problems:
            continue
        if key not in query:
            if rule.required:
                problems[key] = [_("This is needed.")]
            continue
        try:
            given[key] = rule.read(",".join(query.getlist(key)))
        except ValidationError as refusal:
            problems[key] = refusal.detail  # type: ignore[assignment]
        except ValueError as refusal:
            problems[key] = [str(refusal)]
    chosen = _fields(query.get("fields"), columns, default, problems)
    order = _order(query.get("sort"), sorts, problems)
    limit = _limit(query.get("limit"), most, problems)
    if problems:
        raise ValidationError(problems)
    asked_for = sorted((key, query.getlist(key)) for key in filters if key in query)
    digest = hashlib.blake2b(orjson.dumps([name, asked_for]), digest_size=8).hexdigest()
    after = _position(query.get("cursor"), order, digest)
    return Asked(given, chosen, order, limit, after, digest)


def _fields(text: str | None, columns: Sequence[str], default: Sequence[str], problems: dict[str, Any]) -> tuple[str, ...]:
    if text is None:
        return tuple(default)
    wanted = tuple(dict.fromkeys(text.split(",")))
    if set(wanted) - set(columns):
        problems["fields"] = [_("Choose of: %(states)s.") % {"states": ", ".join(columns)}]
    return wanted


def _order(text: str | None, sorts: Mapping[str, str], problems: dict[str, Any]) -> Order:
    wanted = next(iter(sorts)) if text is None else text
    is_down, bare = wanted.startswith("-"), wanted.removeprefix("-")
    columns = {name.removeprefix("-"): column for name, column in sorts.items()}
    if bare not in columns:
        problems["sort"] = [_("Choose of: %(states)s.") % {"states": ", ".join(sort_names(sorts))}]
        return Order("", "", False)
    return Order(wanted, columns[bare], is_down)


def sort_names(sorts: Mapping[str, str]) -> list[str]:
    return [name for bare in sorts for name in (bare, bare[1:] if bare.startswith("-") else f"-{bare}")]


def _limit(text: str | None, most: int, problems: dict[str, Any]) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= most:
        problems["limit"] = [_("1 to %(limit)d.") % {"limit": most}]
        return None
    return int(text)


def _position(text: str | None, order: Order, digest: str) -> list[Any] | None:
    if text is None:
        return None
    try:
        name, of, *position = _signer.unsign_object(text[:600], serializer=_Plain)
    except (BadSignature, ValueError, TypeError) as error:
        raise ParseError(_("This cursor is not one we gave."), code="invalid_cursor") from error
    if name != order.name or of != digest:
        raise ParseError(_("This cursor belongs to another question: ask again without it."), code="invalid_cursor")
    return position


# --- how texts are read ----------------------------------------------------------------------------------------------------------------


def instant(text: str) -> datetime:
    # A plus sign that was not escaped arrives as a space.
    return Instant().run_validation(text.replace(" ", "+"))


def day(text: str) -> date:
    found = parse_date(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    if found is None:
        raise ValueError(_("Not a day. Write it like 2026-03-14."))
    return found


def code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError(_("There is no such thing."))
    return text


def codes(text: str) -> list[str]:
    words = list(dict.fromkeys(text.split(",")))
    if len(words) > MOST_WORDS:
        raise ValueError(_("At most %(most)d at once.") % {"most": MOST_WORDS})
    return [code(word) for word in words]


def one_of(allowed: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        words = list(dict.fromkeys(text.split(",")))
        if set(words) - set(allowed):
            raise ValueError(_("Choose of: %(states)s.") % {"states": ", ".join(allowed)})
        return words

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(_("%(low)d to %(high)d.") % {"low": low, "high": high})
        return int(text)

    return read


def wholes(low: int, high: int) -> Callable[[str], list[int]]:
    read_one = whole(low, high)
    return lambda text: [read_one(word) for word in text.split(",")[:MOST_WORDS]]


def box(text: str) -> Polygon:
    """west,south,east,north in degrees; across the antimeridian there is nothing of ours."""
    parts = text.split(",", 4)
    if len(parts) == 4 and all(_NUMBER.fullmatch(part) for part in parts):
        west, south, east, north = map(float, parts)
        is_whole = all(map(math.isfinite, (west, south, east, north)))
        if is_whole and -180 <= west < east <= 180 and -90 <= south < north <= 90:
            found = Polygon.from_bbox((west, south, east, north))
            found.srid = 4326
            return found
    raise ValueError(_("Write west,south,east,north in degrees: west before east, south before north."))


# --- filters that several have in common -------------------------------------------------------------------------------------------------

TIME = {"type": "string", "format": "date-time"}
CODE = {"type": "string", "pattern": r"^[A-Za-z0-9_.:-]{1,64}$"}
WORDS = {"type": "array", "items": CODE, "maxItems": MOST_WORDS}
DAY_TEXT = {"type": "string", "format": "date"}

BBOX = Filter(
    box, {"type": "string", "pattern": r"^[-+]?\d{1,3}(\.\d{0,15})?(,[-+]?\d{1,3}(\.\d{0,15})?){3}$"},
    "Only inside west,south,east,north in degrees. The place meant is the one you are told: with a key of less than exact precision, the"
    " snapped one.", "47.90,29.30,48.00,29.40",
)  # fmt: skip
ZONE = Filter(
    codes, WORDS, "Only in these zones and all that lies in them, by code: a governorate, an area, a block, a police sector.", ["KW-HA"]
)


def since(what: str) -> Filter:
    return Filter(instant, TIME, f"Only those {what} at or after this time (with its offset).", "2026-03-14T21:05:00+03:00")


def before(what: str) -> Filter:
    return Filter(instant, TIME, f"Only those {what} before this time (with its offset).", "2026-03-15T00:00:00+03:00")


def words(of: str, example: str) -> Filter:
    return Filter(codes, WORDS, f"Only of these {of}, by code; several by commas.", [example])


def choices(allowed: Sequence[str], description: str) -> Filter:
    return Filter(one_of(allowed), {"type": "array", "items": {"type": "string", "enum": list(allowed)}}, description)


def numbers(low: int, high: int, description: str) -> Filter:
    schema = {"type": "array", "items": {"type": "integer", "minimum": low, "maximum": high}, "maxItems": MOST_WORDS}
    return Filter(wholes(low, high), schema, description)
