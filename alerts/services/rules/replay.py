"""A rule over the last days, from the log, through the engine's own evaluation: what it would have made of what happened.

History takes the place of the clock: each fact is judged at the moment it was known. What an incident became later (cancelled, merged) is
already gone from the counts, as is what was deleted; nothing else is otherwise than it would have been.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.analytics.rehearsal import Gates, Rehearsed, Shot, rehearse
from alerts.choices import Level
from alerts.models import AlertRule, RuleReplay
from alerts.permissions import Actor
from alerts.services.engine.compiled import CompiledRule, Rules, compile_rules
from alerts.services.engine.counting import Ask, Touch, ask_of, count
from alerts.services.engine.evaluation import Fact, Firing, evaluate
from alerts.services.engine.findings import of_forecast, of_hot_spot
from alerts.services.engine.gathering import Gathered, count_fact
from alerts.services.escalation.snapshot import snapshot_of
from alerts.services.escalation.targets import who_would_be_paged
from alerts.services.rules.access import require_rule
from alerts.services.rules.conditions import CountCondition, EventCondition, ForecastCondition, HotSpotCondition
from alerts.services.rules.writing import newest, user_of
from core import audit
from core.errors import Invalid
from core.models import Event
from incidents.lifecycle import EXITS
from incidents.models import Forecast, HotSpot, Incident

DAYS = (7, 30)
BATCH = 2_000
MOST_FACTS = 300_000
MOST_SECONDS = 60.0
MOST_ASKED_OF = 100  # alerts whose people are looked up; of more, that many are taken evenly
MOST_PLACES = 12
NIGHT = (22, 5)
LATE = timedelta(days=2)  # what is received later than this came with an import of history: known when it occurred
_SOURCE_EVENTS = {
    AlertRule.Source.READING: ("anomaly.raised", "anomaly.worsened"),
    AlertRule.Source.FEED_SILENCE: ("feed.silent",),
    AlertRule.Source.CAMERA: ("camera.offline", "camera.tampered", "camera.degraded"),
}


@dataclass
class _Past:
    """What was read of the past, and how far it reached."""

    firings: list[Firing] = field(default_factory=list)
    facts: int = 0
    first_at: datetime | None = None
    is_cut: bool = False
    is_synthetic: bool = False


def replay(*, rule: AlertRule, days: int, by: Actor | None, until: datetime | None = None) -> RuleReplay:
    """What the newest version of ``rule`` would have done in the ``days`` days before ``until`` (now), kept with that version.

    Raise ``Invalid`` for days other than 7 and 30, and for a rule that cannot be read. Nobody is paged, nothing is opened.
    """
    require_rule(by, "draft_rule", rule)
    if days not in DAYS:
        raise Invalid(_("A replay looks 7 or 30 days back."), fields={"days": _("A replay looks 7 or 30 days back.")})
    started = time.monotonic()
    said, until = newest(rule), until or timezone.now()
    compiled, rules = _compile(said)
    past = _look_back(compiled, rules, until - timedelta(days=days), until, started + MOST_SECONDS)
    found = rehearse([_shot(firing) for firing in past.firings], _gates(said))
    result = {**_tell(found, rules), **_reach(past, until, days), **_people(found, said)}
    with transaction.atomic():
        kept = RuleReplay.objects.create(
            rule=rule,
            version=said.version,
            days=days,
            until=until,
            result=result,
            alert_count=len(found.opened) + found.storms,
            asked_by=user_of(by),
            seconds=round(time.monotonic() - started, 3),
        )
        audit.record("rule.replay", obj=rule, by=by, after={"version": said.version, "days": days, "alerts": kept.alert_count})
    return kept


def _compile(said: AlertRule) -> tuple[CompiledRule, Rules]:
    rules = compile_rules([said])
    if not rules.rules:
        raise Invalid(_("This rule cannot be read: correct it first."))
    return rules.rules[0], rules


def _look_back(rule: CompiledRule, rules: Rules, since: datetime, until: datetime, stop_at: float) -> _Past:
    past = _Past()
    gathered = Gathered(rules)
    for facts in _facts(rule, gathered, since, until):
        past.facts += len(facts)
        for fact in facts:
            past.first_at = min(past.first_at, fact.at) if past.first_at is not None else fact.at
            firing = evaluate(rule, fact, rules)
            if firing is not None:
                past.firings.append(firing)
                past.is_synthetic = past.is_synthetic or fact.is_synthetic
        gathered.incidents.clear()
        if past.facts >= MOST_FACTS or time.monotonic() > stop_at:
            past.is_cut = True
            break
    past.first_at = _history_begins(rule, since) or past.first_at
    return past


def _facts(rule: CompiledRule, gathered: Gathered, since: datetime, until: datetime) -> Iterator[list[Fact]]:
    match rule.condition:
        case CountCondition():
            yield from _counted(rule, gathered, since, until)
        case HotSpotCondition():
            spots = HotSpot.objects.filter(run__as_of__gt=since, run__as_of__lte=until, track__isnull=False).exclude(change="")
            for spot in spots.select_related("run", "track").order_by("run__as_of", "rank").iterator(BATCH):
                yield [of_hot_spot(spot, None, spot.change, gathered, at=spot.run.as_of)]
        case ForecastCondition():
            rows = Forecast.objects.filter(run__as_of__gt=since, run__as_of__lte=until, is_published=True)
            for row in rows.select_related("run").order_by("run__as_of", "zone_id", "day").iterator(BATCH):
                gathered.places.read([row.zone_id])
                yield [of_forecast(row, None, gathered, at=row.run.as_of)]
        case EventCondition() as condition:
            if "incident.opened" in condition.types:
                for chunk in _incidents(rule, since, until):
                    yield gathered.facts([_as_event(row) for row in chunk])
            yield from _logged(gathered, [name for name in condition.types if name != "incident.opened"], since, until)
        case _:
            yield from _logged(gathered, list(_SOURCE_EVENTS[AlertRule.Source(rule.source)]), since, until)


def _logged(gathered: Gathered, types: Sequence[str], since: datetime, until: datetime) -> Iterator[list[Fact]]:
    rows = Event.objects.filter(type__in=types, occurred_at__gt=since, occurred_at__lte=until).order_by("id")
    chunk: list[Event] = []
    for event in rows.iterator(BATCH) if types else ():
        chunk.append(event)
        if len(chunk) == BATCH:
            yield gathered.facts(chunk)
            chunk = []
    if chunk:
        yield gathered.facts(chunk)


_INCIDENT = ("pk", "region_id", "governorate_id", "area_id", "block_id", "type_id", "agency_id", "received_at", "occurred_at")


def _incidents(rule: CompiledRule, since: datetime, until: datetime) -> Iterator[list[dict[str, Any]]]:
    """What was reported, in the order it became known: the log has no line for each incident of an import."""
    rows = Incident.objects.filter(occurred_at__gt=since, occurred_at__lte=until)
    rows |= Incident.objects.filter(received_at__gt=since, received_at__lte=until, occurred_at__gt=since - LATE)
    if rule.type_ids is not None:
        rows = rows.filter(type_id__in=sorted(rule.type_ids))
    if rule.agency_ids is not None:
        rows = rows.filter(agency_id__in=sorted(rule.agency_ids))
    if rule.governorates:
        rows = rows.filter(governorate__code__in=sorted(rule.governorates))
    chunk: list[dict[str, Any]] = []
    for row in rows.order_by("occurred_at", "pk").values(*_INCIDENT).iterator(BATCH):
        if since < known_at(row) <= until:
            chunk.append(row)
        if len(chunk) == BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def known_at(row: dict[str, Any]) -> datetime:
    received, occurred = row["received_at"], row["occurred_at"]
    at: datetime = received if received - occurred <= LATE else occurred
    return at


def _as_event(row: dict[str, Any]) -> Event:
    return Event(
        type="incident.opened", subject_type="incident", subject_id=row["pk"], agency_id=row["agency_id"],
        governorate_id=row["governorate_id"], occurred_at=known_at(row), data={},
    )  # fmt: skip


def _counted(rule: CompiledRule, gathered: Gathered, since: datetime, until: datetime) -> Iterator[list[Fact]]:
    """After each incident the count it belongs to, as it was known then."""
    for chunk in _incidents(rule, since, until):
        gathered.read_incidents(row["pk"] for row in chunk)
        asked: list[tuple[Ask, Touch]] = []
        for row in chunk:
            if gathered.incidents.get(row["pk"], {}).get("state") in EXITS:
                continue
            ids = (row["region_id"], row["governorate_id"], row["area_id"], row["block_id"], row["type_id"], row["agency_id"])
            touch = Touch(*ids, at=known_at(row), incident_id=row["pk"])
            ask = ask_of(rule, touch, gathered.rules)
            if ask is not None:
                asked.append((ask, touch))
        found = count([ask for ask, _touch in asked], gathered.rules, as_it_was_known=True)
        gathered.places.read(ask.zone_id for ask, _touch in asked if ask.per != "country")
        yield [count_fact(rule, ask, touch, found[ask], gathered) for ask, touch in asked]


def _history_begins(rule: CompiledRule, since: datetime) -> datetime | None:
    """Where history of this source begins, if that is later than ``since``: a replay of five days must not pass for thirty."""
    if isinstance(rule.condition, HotSpotCondition):
        first = HotSpot.objects.aggregate(at=Min("run__as_of"))["at"]
    elif isinstance(rule.condition, ForecastCondition):
        first = Forecast.objects.aggregate(at=Min("run__as_of"))["at"]
    elif isinstance(rule.condition, CountCondition) or (
        isinstance(rule.condition, EventCondition) and "incident.opened" in rule.condition.types
    ):
        first = Incident.objects.aggregate(at=Min("occurred_at"))["at"]
    else:
        first = Event.objects.order_by("id").values_list("occurred_at", flat=True).first()
    return max(first, since) if first is not None else None


def _shot(firing: Firing) -> Shot:
    seen = frozenset((one.event_id, one.incident_id) for one in firing.fact.seen)
    return Shot(
        at=firing.fact.at,
        group=firing.fingerprint,
        rank=Level(firing.level).rank,
        zone=firing.fact.zone_id,
        type=firing.fact.type_code,
        seen=seen,
        what=firing,
    )


def _gates(rule: AlertRule) -> Gates:
    return Gates(
        zone_quiet=timedelta(minutes=rule.cooldown_zone_min),
        type_quiet=timedelta(minutes=rule.cooldown_type_min),
        joins_within=timedelta(minutes=rule.group_window_min),
        most_per_hour=rule.most_per_hour,
        open_for=timedelta(minutes=rule.resolve_after_min),
    )


def _tell(found: Rehearsed, rules: Rules) -> dict[str, Any]:
    """The sums people ask for: by day, hour, level, place and type."""
    days: Counter[str] = Counter()
    hours: Counter[int] = Counter()
    levels: Counter[str] = Counter()
    places: Counter[tuple[str, str, str]] = Counter()
    types: Counter[tuple[str, str, str]] = Counter()
    for at, shot in found.opened:
        firing: Any = shot.what
        here = at.astimezone(rules.zone)
        days[here.date().isoformat()] += 1
        hours[here.hour] += 1
        levels[str(Level.values[shot.rank])] += 1
        fact = firing.fact
        if fact.zone:
            places[fact.zone, fact.place_en, fact.place_ar] += 1
        known = rules.types.get(fact.type_id or 0)
        if known is not None and (fact.type != "count" or fact.data.get("by_type")):
            types[known.code, known.name_en, known.name_ar] += 1
    return {
        "by_day": dict(sorted(days.items())),
        "by_hour": [hours[hour] for hour in range(24)],
        "by_level": {level: levels[level] for level in Level.values if levels[level]},
        "by_zone": [_named(names, n) for names, n in places.most_common(MOST_PLACES)],
        "by_type": [_named(names, n) for names, n in types.most_common(MOST_PLACES)],
        "night": sum(count for hour, count in hours.items() if hour >= NIGHT[0] or hour < NIGHT[1]),
        "opened": len(found.opened),
        "joined": found.joined,
        "held": found.held,
        "storms": found.storms,
        "stormed": found.stormed,
    }


def _named(names: tuple[str, str, str], number: int) -> dict[str, Any]:
    code, english, arabic = names
    return {"code": code, "name_en": english or code, "name_ar": arabic or english or code, "alerts": number}


def _reach(past: _Past, until: datetime, days: int) -> dict[str, Any]:
    covered = (until - past.first_at).total_seconds() / 86_400 if past.first_at is not None else 0.0
    return {
        "facts": past.facts,
        "firings": len(past.firings),
        "reaches_days": round(min(covered, days), 1),
        "is_cut": past.is_cut,
        "is_synthetic": past.is_synthetic,
    }


def _people(found: Rehearsed, rule: AlertRule) -> dict[str, Any]:
    """Who would have been paged had nobody acknowledged: every step of the policy as it is today, by the duties of that time."""
    if rule.policy is None or not found.opened:
        return {"people": [], "people_of": 0, "alerts_nobody": 0}
    snapshot = snapshot_of(rule.policy)
    step = max(1, -(-len(found.opened) // MOST_ASKED_OF))
    taken = found.opened[::step]
    people: Counter[tuple[str, int, str]] = Counter()
    nobody = 0
    for at, shot in taken:
        firing: Any = shot.what
        like = SimpleNamespace(
            agency_id=firing.fact.agency_id or rule.agency_id, governorate_id=firing.fact.governorate_id, level=firing.level
        )
        targets = [target for target in who_would_be_paged(snapshot, at, like) if target.is_reachable]
        nobody += not targets
        people.update((*target.key, target.name) for target in targets)
    return {
        "people": [{"kind": kind, "id": pk, "name": name, "alerts": number} for (kind, pk, name), number in people.most_common()],
        "people_of": len(taken),
        "alerts_nobody": nobody,
    }


__all__ = ["DAYS", "known_at", "replay"]
