"""From events to facts: what the rules ask about many events, read in a handful of statements for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Agency
from alerts.services.alerts import Seen
from alerts.services.engine.compiled import CompiledRule, Rules
from alerts.services.engine.counting import Ask, Count, Touch
from alerts.services.engine.evaluation import Fact
from core.models import Event
from geography.models import Zone
from incidents.lifecycle import EXITS
from incidents.models import Incident
from patrol.models import Sos, Unit, WelfareCheck

FRESH = timedelta(hours=24)  # an incident told of later than this is history: counted where it belongs, and nobody is woken for it
MOST_IMPORTED = 2_000  # incidents of one import told one by one; a count knows them all


@dataclass(frozen=True)
class Where:
    """A zone as facts and words need it."""

    id: int
    code: str
    level: str
    parent_id: int | None
    name_en: str
    name_ar: str


@dataclass
class Places:
    """Zones by id, read as they are asked for, with all they lie in."""

    known: dict[int, Where] = field(default_factory=dict)

    def read(self, ids: Iterable[int | None]) -> None:
        wanted = {one for one in ids if one is not None} - self.known.keys()
        for _step in range(4):
            if not wanted:
                return
            rows = Zone.objects.filter(pk__in=wanted).values_list("pk", "code", "level", "parent_id", "name_en", "name_ar")
            for row in rows:
                self.known[row[0]] = Where(*row)
            wanted = {one.parent_id for one in self.known.values() if one.parent_id is not None} - self.known.keys()

    def of(self, zone_id: int | None) -> dict[str, Any]:
        """What a fact says of a zone: itself, its governorate, the codes of all it lies in."""
        zone = self.known.get(zone_id) if zone_id is not None else None
        if zone is None:
            return {}
        line, at = [], zone
        while True:
            line.append(at)
            above = self.known.get(at.parent_id) if at.parent_id is not None else None
            if above is None or len(line) > 4:
                break
            at = above
        governorate = next((one for one in line if one.level == Zone.Level.GOVERNORATE), None)
        return {
            "zone_id": zone.id,
            "zone": zone.code,
            "governorate_id": governorate.id if governorate else None,
            "governorate": governorate.code if governorate else "",
            "places": frozenset(one.code for one in line),
            "place_en": zone.name_en,
            "place_ar": zone.name_ar,
        }


_INCIDENT = (
    "pk", "region_id", "governorate_id", "area_id", "block_id", "type_id", "agency_id", "agency__slug", "severity", "priority",
    "location", "occurred_at", "state", "is_synthetic",
)  # fmt: skip


def _with_place(row: dict[str, Any]) -> dict[str, Any]:
    """The place as two numbers: a geometry is unpacked anew each time it is asked."""
    return {**row, "location": (row["location"].x, row["location"].y) if row["location"] is not None else None}


@dataclass
class Gathered:
    """What one batch of events needs, read once."""

    rules: Rules
    places: Places = field(default_factory=Places)
    agencies: dict[int, str] = field(default_factory=dict)
    incidents: dict[int, dict[str, Any]] = field(default_factory=dict)

    def read_incidents(self, ids: Iterable[int]) -> None:
        wanted = set(ids) - self.incidents.keys()
        if wanted:
            self.incidents |= {row["pk"]: _with_place(row) for row in Incident.objects.filter(pk__in=wanted).values(*_INCIDENT)}

    def agency(self, agency_id: int | None) -> str:
        if agency_id is None:
            return ""
        if not self.agencies:
            self.agencies = dict(Agency.objects.values_list("pk", "slug"))
        return self.agencies.get(agency_id, "")

    def facts(self, events: Sequence[Event]) -> list[Fact]:
        """A fact for each event, and one for each fresh incident of an import."""
        imported = self._imported([event for event in events if event.type == "incidents.imported"])
        self.read_incidents(event.subject_id for event in events if event.subject_type == "incident" and event.subject_id is not None)
        details = self._details(events)
        self.places.read(
            [event.governorate_id for event in events]
            + [row[name] for row in self.incidents.values() for name in ("block_id", "area_id", "governorate_id")]
        )
        facts: list[Fact] = []
        for event in events:
            facts += [self._of_incident(event, row, type="incident.opened") for row in imported.get(event.pk, ())]
            if event.subject_type == "incident":
                known = self.incidents.get(event.subject_id or 0)
                if known is not None:
                    facts.append(self._of_incident(event, known, type=event.type))
            elif event.type != "incidents.imported":
                facts.append(self._of_event(event, details.get((event.subject_type, event.subject_id or 0), {})))
        return facts

    def _imported(self, events: Sequence[Event]) -> dict[int, list[dict[str, Any]]]:
        """The fresh incidents of each import: of years of history there are none."""
        found: dict[int, list[dict[str, Any]]] = {}
        for event in events:
            first, last = _whole(event.data.get("first_id")), _whole(event.data.get("last_id"))
            if first is None or last is None:
                continue
            rows = list(
                Incident.objects.filter(pk__gte=first, pk__lte=last, occurred_at__gt=event.occurred_at - FRESH)
                .order_by("pk")
                .values(*_INCIDENT)[:MOST_IMPORTED]
            )
            found[event.pk] = [_with_place(row) for row in rows]
            self.incidents |= {row["pk"]: row for row in found[event.pk]}
        return found

    def _of_incident(self, event: Event, row: Mapping[str, Any], *, type: str) -> Fact:
        known = self.rules.types.get(row["type_id"])
        place = self.places.of(row["area_id"] or row["governorate_id"]) | (
            {"places": self.places.of(row["block_id"])["places"]} if row["block_id"] in self.places.known else {}
        )
        return Fact(
            type=type,
            at=event.occurred_at,
            event_id=event.pk,
            subject=("incident", row["pk"]),
            agency_id=row["agency_id"],
            agency=row["agency__slug"],
            type_id=row["type_id"],
            type_code=known.code if known else "",
            category=known.category if known else "",
            severity=row["severity"],
            priority=row["priority"],
            location=row["location"],
            incident_id=row["pk"],
            numbers=_numbers(event.data) | {"severity": float(row["severity"]), "priority": float(row["priority"])},
            data=event.data,
            is_synthetic=row["is_synthetic"],
            name_en=known.name_en if known else "",
            name_ar=known.name_ar if known else "",
            seen=(Seen(event.occurred_at, event.pk, row["pk"]),),
            why={"occurred_at": row["occurred_at"].isoformat()},
            **place,
        )

    def _of_event(self, event: Event, details: Mapping[str, Any]) -> Fact:
        given: dict[str, Any] = {
            "agency_id": event.agency_id,
            "agency": self.agency(event.agency_id),
            **self.places.of(event.governorate_id),
            "name_en": str(event.data.get("name_en") or event.data.get("name") or ""),
            "name_ar": str(event.data.get("name_ar") or event.data.get("name") or ""),
        }
        longitude, latitude = event.data.get("lon"), event.data.get("lat")
        if isinstance(longitude, int | float) and isinstance(latitude, int | float):
            given["location"] = (float(longitude), float(latitude))
        zone_id = _whole(event.data.get("zone_id"))
        if zone_id is not None:
            self.places.read([zone_id])
            given |= self.places.of(zone_id)
        given |= details
        return Fact(
            type=event.type,
            at=event.occurred_at,
            event_id=event.pk,
            subject=(event.subject_type, event.subject_id),
            numbers=_numbers(event.data),
            data=event.data,
            is_synthetic=bool(given.pop("is_synthetic", event.data.get("is_synthetic", False))),
            seen=(Seen(event.occurred_at, event.pk),),
            **given,
        )

    def _details(self, events: Sequence[Event]) -> dict[tuple[str, int], dict[str, Any]]:
        """What else is known of subjects that are no incidents: a unit's call sign, where somebody calls for help."""
        wanted: dict[str, set[int]] = defaultdict(set)
        for event in events:
            if event.subject_id is not None:
                wanted[event.subject_type].add(event.subject_id)
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for kind, rows in (
            ("unit", Unit.objects.filter(pk__in=wanted["unit"]).select_related("last_position") if wanted["unit"] else ()),
            ("sos", Sos.objects.filter(pk__in=wanted["sos"]).select_related("unit", "user") if wanted["sos"] else ()),
            (
                "welfarecheck",
                WelfareCheck.objects.filter(pk__in=wanted["welfarecheck"]).select_related("unit__last_position")
                if wanted["welfarecheck"]
                else (),
            ),
        ):
            for row in rows:
                unit = row if kind == "unit" else row.unit
                last = getattr(unit, "last_position", None) if kind != "sos" and unit is not None else None
                location = row.location if kind == "sos" else last.location if last is not None else None
                name = unit.call_sign if unit is not None else str(row.user) if kind == "sos" else ""
                facts: dict[str, Any] = {"name_en": name, "name_ar": name, "location": (location.x, location.y) if location else None}
                if kind == "sos":
                    facts["is_synthetic"] = row.is_synthetic
                found[kind, row.pk] = facts
        return found


def touches_of(events: Sequence[Event], gathered: Gathered, *, window: timedelta) -> list[Touch]:
    """Where and of what type counts may have risen. What was merged, moved or cancelled lowers one: see ``recovery``."""
    touches: list[Touch] = []
    opened = [event for event in events if event.subject_type == "incident" and may_raise(event)]
    gathered.read_incidents(event.subject_id for event in opened if event.subject_id is not None)
    for event in opened:
        row = gathered.incidents.get(event.subject_id or 0)
        if row is None or row["state"] in EXITS or row["occurred_at"] <= event.occurred_at - window:
            continue
        touches.append(_touch(row, event))
    for event in events:
        if event.type not in ("incidents.imported", "incident_type.merged", "incidents.rezoned"):
            continue
        rows = Incident.objects.filter(occurred_at__gt=event.occurred_at - window).exclude(state__in=sorted(EXITS))
        if event.type == "incidents.imported":
            first, last = _whole(event.data.get("first_id")), _whole(event.data.get("last_id"))
            if first is None or last is None:
                continue
            rows = rows.filter(pk__gte=first, pk__lte=last)
        elif event.type == "incident_type.merged" and event.subject_id is not None:
            rows = rows.filter(type_id=event.subject_id)
        names = ("region_id", "governorate_id", "area_id", "block_id", "type_id", "agency_id")
        touches += [Touch(**group, at=event.occurred_at, event_id=event.pk) for group in rows.order_by().values(*names).distinct()]
    return touches


def may_raise(event: Event) -> bool:
    """Whether an incident's event can bring it into a count it was not in."""
    if event.type == "incident.opened":
        return True
    if event.type == "incident.moved":
        return event.data.get("from") in EXITS
    return event.type == "incident.changed" and bool(
        {"type", "severity", "location", "occurred_at", "area", "governorate", "agency"} & set(event.data.get("fields") or ())
    )


def may_lower(event: Event) -> bool:
    """Whether an incident's event can take it out of a count."""
    return event.type == "incident.changed" or (event.type == "incident.moved" and event.data.get("to") in EXITS)


def _touch(row: Mapping[str, Any], event: Event) -> Touch:
    return Touch(
        region_id=row["region_id"],
        governorate_id=row["governorate_id"],
        area_id=row["area_id"],
        block_id=row["block_id"],
        type_id=row["type_id"],
        agency_id=row["agency_id"],
        at=event.occurred_at,
        event_id=event.pk,
        incident_id=row["pk"],
    )


def count_fact(rule: CompiledRule, ask: Ask, touch: Touch, found: Count, gathered: Gathered) -> Fact:
    """What was counted, as a fact its rule can be held against."""
    rules, known = gathered.rules, gathered.rules.types.get(touch.type_id)
    is_country = ask.per == "country"
    place = gathered.places.of(None if is_country else ask.zone_id)
    row = gathered.incidents.get(touch.incident_id or 0, {})
    by_type = "type" in rule.group_by or (ask.type_ids is not None and len(ask.type_ids) == 1)
    window_h = rule.condition.window_h  # type: ignore[union-attr]
    return Fact(
        type="count",
        at=ask.as_of,
        event_id=touch.event_id,
        subject=("zone", None if is_country else ask.zone_id),
        agency_id=touch.agency_id,
        agency=gathered.agency(touch.agency_id),
        type_id=touch.type_id,
        type_code=known.code if known else "",
        category=known.category if known else "",
        severity=row.get("severity") or rule.rule.least_severity,
        priority=row.get("priority"),
        location=row.get("location"),
        incident_id=touch.incident_id,
        numbers={"count": float(found.now)},
        before=float(found.before),
        data={"rule": rule.pk, "by_type": by_type},
        is_synthetic=found.is_synthetic,
        name_en=known.name_en if known and by_type else "",
        name_ar=known.name_ar if known and by_type else "",
        seen=found.seen,
        why={
            "window_h": window_h,
            "from": (ask.as_of - timedelta(hours=window_h)).isoformat(),
            "to": ask.as_of.isoformat(),
            "count": found.now,
            "before": found.before,
            "types": [rules.types[one].code for one in (ask.type_ids or ()) if one in rules.types][:20],
            "asks": [ask_data(ask)],
        },
        **place,
    )


def ask_data(ask: Ask) -> dict[str, Any]:
    """An ask as it is kept with its alert, to be asked again."""
    return {"per": ask.per, "zone": ask.zone_id, "types": list(ask.type_ids) if ask.type_ids is not None else None, "agency": ask.agency_id}


def ask_again(rule: CompiledRule, data: Mapping[str, Any], as_of: datetime) -> Ask | None:
    """The ask that was kept, as of now; ``None`` where it is of another condition than the rule's present one."""
    if data.get("per") != getattr(rule.condition, "per", None) or not isinstance(data.get("zone"), int):
        return None
    types = data.get("types")
    return Ask(rule.pk, str(data["per"]), int(data["zone"]), tuple(types) if types is not None else None, data.get("agency"), as_of)


def _numbers(data: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in data.items() if isinstance(value, int | float) and not isinstance(value, bool)}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
