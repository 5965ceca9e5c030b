"""The live unit board's data: what changed since the browser last asked, however that change came about.

A unit's row is put together from its place, its duty, its assignments and its vehicle; no column says when all of that last changed.
So each web process keeps, for each jurisdiction that looks, the rows as it last read them, and numbers each row when it differs. A
browser names the number it has seen; one that comes from another process, or from before a restart, is given everything.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
from django.conf import settings
from django.db.models import F, FloatField, Func
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.jurisdiction import Jurisdiction, jurisdiction_of
from incidents.models.incident import make_ref
from patrol.models import Assignment, Unit, UnitKind
from patrol.services.units import UnitStatus, states_of

FRESH_S = 1.5  # ten browsers that ask in the same second cost one reading
MOST_BOARDS = 64
DECIMALS = 5


class _X(Func):
    function, output_field = "ST_X", FloatField()


class _Y(_X):
    function = "ST_Y"


# The order of a row in the answer; the script reads it by place.
FIXED = ("call_sign", "kind", "agency", "governorate", "team", "station", "synthetic")
MOVING = ("state", "since", "lon", "lat", "at", "speed", "heading", "accuracy", "work", "open", "broken", "silent")


@dataclass
class _Row:
    version: int
    fixed: tuple[Any, ...]
    moving: tuple[Any, ...]


@dataclass
class Board:
    """The units of one jurisdiction as this process last saw them."""

    jurisdiction: Jurisdiction
    boot: str = field(default_factory=lambda: uuid4().hex[:12])
    version: int = 0
    rows: dict[int, _Row] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)
    read_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, *, now: datetime) -> None:
        with self.lock:
            if time.monotonic() - self.read_at < FRESH_S:
                return
            found = _read(self.jurisdiction, now)
            self.version += 1
            for pk, (fixed, moving) in found.items():
                row = self.rows.get(pk)
                if row is None or (row.fixed, row.moving) != (fixed, moving):
                    self.rows[pk] = _Row(self.version, fixed, moving)
                self.gone.pop(pk, None)
            for pk in self.rows.keys() - found.keys():
                del self.rows[pk]
                self.gone[pk] = self.version
            self.read_at = time.monotonic()

    def answer(self, since: str) -> dict[str, Any]:
        """``units``: id, then ``FIXED``, then ``MOVING``. ``is_whole``: what the browser holds beside it is to be forgotten."""
        seen = self._seen(since)
        with self.lock:
            newest = max((row.version for row in self.rows.values()), default=0)
            newest = max(newest, *self.gone.values(), 0) if self.gone else newest
            units = [[pk, *row.fixed, *row.moving] for pk, row in self.rows.items() if seen is None or row.version > seen]
            gone = [] if seen is None else [pk for pk, version in self.gone.items() if version > seen]
        return {
            "cursor": f"{self.boot}.{newest}",
            "is_whole": seen is None,
            "stale_s": settings.POSITION_STALE_S,
            "units": units,
            "gone": gone,
        }

    def _seen(self, since: str) -> int | None:
        boot, _dot, version = since.partition(".")
        if boot != self.boot or not version.isascii() or not version.isdigit() or len(version) > 12:
            return None
        return int(version)


_boards: OrderedDict[Jurisdiction, Board] = OrderedDict()
_boards_lock = threading.Lock()


def forget() -> None:
    with _boards_lock:
        _boards.clear()


def live_units(viewer: object, *, since: str = "", now: datetime | None = None) -> bytes:
    """The board's JSON for this viewer; the door has settled that they may watch units at all."""
    mine = jurisdiction_of(viewer)
    with _boards_lock:
        board = _boards.setdefault(mine, Board(mine))
        _boards.move_to_end(mine)
        while len(_boards) > MOST_BOARDS:
            _boards.popitem(last=False)
    board.refresh(now=now or timezone.now())
    return orjson.dumps(board.answer(since))


def _read(mine: Jurisdiction, now: datetime) -> dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]]:
    units = (
        Unit.objects.active()
        .filter(mine.condition())
        .annotate(x=_X(F("last_position__location")), y=_Y(F("last_position__location")))
        .values_list(
            "pk", "call_sign", "kind", "agency__slug", "governorate__code", "team_id", "station__code", "is_synthetic",
            "x", "y", "last_position__at", "last_position__speed_kmh", "last_position__heading_deg", "last_position__accuracy_m",
            "last_position__silent_since",
        )
    )  # fmt: skip
    rows = list(units)
    states = states_of([row[0] for row in rows])
    work = _work_of([state.leading for state in states.values() if state.leading is not None])
    found: dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}
    for pk, *fixed, x, y, at, speed, heading, accuracy, silent in rows:
        state = states[pk]
        moving = (
            str(state.state),
            _seconds(state.since),
            None if x is None else round(x, DECIMALS),
            None if y is None else round(y, DECIMALS),
            _seconds(at),
            None if speed is None else round(speed),
            None if heading is None else round(heading),
            None if accuracy is None else round(accuracy),
            work.get(state.leading or 0),
            len(state.open_assignments),
            state.out_of_service,
            silent is not None,
        )
        found[pk] = (tuple(fixed), moving)
    return found


def _work_of(ids: list[int]) -> dict[int, tuple[str, str]]:
    """What each leading assignment is: its kind, and the incident's reference or the task's own words."""
    rows = Assignment.objects.filter(pk__in=ids).values_list(
        "pk", "kind", "title", "incident_id", "incident__received_at", "incident__region__code"
    )
    return {
        pk: (kind, make_ref(region, received_at, incident) if incident is not None else title)
        for pk, kind, title, incident, received_at, region in rows
    }


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def unit_layer_config() -> dict[str, Any]:
    """What a map that is about something else needs to show units, in the page's language."""
    return {
        "url": reverse("units-live"),
        "page": reverse("units"),
        "fixed": FIXED,
        "moving": MOVING,
        "stale_s": settings.POSITION_STALE_S,
        "kinds": {value: str(label) for value, label in UnitKind.choices},
        "states": {value: str(label) for value, label in UnitStatus.choices},
        "texts": {
            "seconds": _("{n} s"),
            "minutes": _("{n} min"),
            "hours": _("{n} h"),
            "days": _("{n} d"),
            "open": _("Open on the unit board"),
        },
    }
