"""From names on the wire to rows: whose position is this, and may this sender report it? One query a batch."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from accounts.jurisdiction import Jurisdiction, jurisdiction_of
from core.errors import NotAllowed
from patrol.models import Duty, Unit
from patrol.permissions import require
from patrol.services.positions.messages import LONGEST_NAME, Named
from patrol.services.positions.reading import Reading, Refused
from patrol.services.positions.recording import REFUSED, Recorded, Taken, record_positions


class Record(Protocol):
    def __call__(self, readings: Sequence[Reading], *, now: datetime, in_use: Set[int]) -> Recorded: ...


@dataclass(frozen=True)
class Sender:
    """Who reports: for the units of a jurisdiction, or for one unit alone."""

    jurisdiction: Jurisdiction
    unit_id: int | None = None

    @classmethod
    def of_key(cls, key: Any) -> Sender:
        return cls(jurisdiction_of(key))

    @classmethod
    def of_person(cls, user: Any) -> Sender:
        """A person reports for the unit they are on duty with, whatever their role. ``NotAllowed`` for anybody else."""
        require(user, "report_position")
        duty = Duty.objects.open().filter(member__user_id=user.pk, unit__isnull=False, unit__is_active=True).first()
        if duty is None or duty.unit_id is None:
            raise NotAllowed(_("You are not on duty with a unit: there is nothing to report the position of."))
        return cls(jurisdiction_of(user), duty.unit_id)


def receive_positions(
    rows: Sequence[Named | Refused], *, sender: Sender, source: str, now: datetime, record: Record = record_positions
) -> Recorded:
    """Keep what ``sender`` may report; each row's fate in the order given.

    ``record`` writes them: by itself, or in company (``gathering``). A name of somebody else's unit is as unknown as one of nobody's.
    """
    units = _units_named([row for row in rows if isinstance(row, Named)], sender)
    results: list[Taken | None] = [None] * len(rows)
    readings: list[Reading] = []
    places: list[int] = []
    for index, row in enumerate(rows):
        if isinstance(row, Refused):
            results[index] = Taken(REFUSED, row)
            continue
        unit_id = units.find(row)
        if unit_id is None:
            results[index] = Taken(REFUSED, Refused.UNKNOWN)
            continue
        readings.append(Reading(unit_id, row.at, row.lon, row.lat, row.accuracy_m, row.speed_kmh, row.heading_deg, source))
        places.append(index)
    if readings:
        recorded = record(readings, now=now, in_use=units.ids)
        for index, taken in zip(places, recorded.results, strict=True):
            results[index] = taken
    return Recorded(tuple(taken for taken in results if taken is not None))


class _Units:
    """The units that were named, each under every name it has. A call sign that two of the sender's agencies use names neither."""

    def __init__(self, rows: Sequence[tuple[int, str | None, str]], own: int | None) -> None:
        self.own = own
        self.ids = {pk for pk, _tracker, _sign in rows}
        self.by_tracker = {tracker: pk for pk, tracker, _sign in rows if tracker}
        self.by_sign: dict[str, int | None] = {}
        for pk, _tracker, sign in rows:
            self.by_sign[sign] = None if sign in self.by_sign else pk

    def find(self, row: Named) -> int | None:
        named: set[int | None] = set()
        if row.tracker is not None:
            named.add(self.by_tracker.get(row.tracker))
        if row.call_sign is not None:
            named.add(self.by_sign.get(row.call_sign.strip().lower()))
        if row.unit_id is not None:
            named.add(row.unit_id if row.unit_id in self.ids else None)
        if not named and self.own is not None:
            named.add(self.own if self.own in self.ids else None)
        return named.pop() if len(named) == 1 else None


def _units_named(rows: Sequence[Named], sender: Sender) -> _Units:
    trackers = {row.tracker for row in rows if row.tracker and len(row.tracker) <= LONGEST_NAME and "\0" not in row.tracker}
    signs = {
        row.call_sign.strip().lower() for row in rows if row.call_sign and len(row.call_sign) <= LONGEST_NAME and "\0" not in row.call_sign
    }
    ids = {row.unit_id for row in rows if row.unit_id is not None}
    if sender.unit_id is not None:
        found = Unit.objects.active().filter(pk=sender.unit_id)
    else:
        wanted = Q(tracker_id__in=sorted(trackers)) if trackers else Q(pk__in=[])
        if ids:
            wanted |= Q(pk__in=sorted(ids))
        found = Unit.objects.active().filter(sender.jurisdiction.condition())
        if signs:
            found = found.annotate(sign=Lower("call_sign"))
            wanted |= Q(sign__in=sorted(signs))
        found = found.filter(wanted)
    named = [(pk, tracker, sign.lower()) for pk, tracker, sign in found.values_list("pk", "tracker_id", "call_sign")]
    return _Units(named, sender.unit_id)
