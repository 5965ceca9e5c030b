"""The engine's ear: a batch of events becomes alerts, in the transaction that counts the events as read.

Killed anywhere, the batch comes again and nothing of it is there twice. What the batch needs is read in a handful of statements; the
number of rules costs no statement. An event is judged by the time it was committed, however late it is read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.utils import timezone

from alerts.services.engine import recovery
from alerts.services.engine.applying import WAIT, Applied, apply, hold
from alerts.services.engine.compiled import CompiledRule, Rules, active_rules
from alerts.services.engine.counting import Ask, Touch, ask_of, count, longest_window
from alerts.services.engine.evaluation import ANOMALIES, Fact, Firing, counts_enough, evaluate
from alerts.services.engine.findings import forecast_facts, hot_spot_facts
from alerts.services.engine.gathering import Gathered, count_fact, touches_of
from alerts.services.rules.conditions import OWN_EVENTS, CameraCondition, EventCondition
from core.models import Event

logger = logging.getLogger("alerts.engine")

COUNTED = frozenset(
    {"incident.opened", "incident.moved", "incident.changed", "incidents.imported", "incident_type.merged", "incidents.rezoned"}
)
FOUND = frozenset({"hot_spot.changed", "pipeline.finished"})
ACTIVATED = "alert_rule.activated"
FIRST_LOOK = timedelta(days=30)


def hear(events: Sequence[Event], *, rules: Rules | None = None, now: datetime | None = None) -> Applied:
    """Evaluate every active rule (or ``rules``) over ``events``, and end what they say is over."""
    events = [event for event in events if event.type == ACTIVATED or not event.type.startswith(OWN_EVENTS)]
    if not events:
        return Applied()
    rules = rules or active_rules()
    if not rules.rules:
        return Applied()
    now = now or timezone.now()
    gathered = Gathered(rules)
    firings = firings_of(events, rules, gathered) + _at_first_look(events, rules, gathered, now)
    done = apply(firings, now=now, rules=rules)
    # Afterwards: what failed and came back within one batch is over, and pages nobody.
    recovery.by_events(events, rules, now=now)
    recovery.of_counts_that_fell(events, rules, now=now)
    return done


def firings_of(events: Sequence[Event], rules: Rules, gathered: Gathered) -> list[Firing]:
    """What the batch fires, in the log's order; of several firings of one group by one event, the worst first."""
    firings: list[Firing] = []
    firings += _by_events(events, rules, gathered)
    firings += _by_findings(events, rules, gathered)
    firings += _by_counts(events, rules, gathered)
    return firings


def _by_events(events: Sequence[Event], rules: Rules, gathered: Gathered) -> list[Firing]:
    of_types: dict[str, list[CompiledRule]] = {}
    for rule in rules.rules:
        for type in heard_by(rule):
            of_types.setdefault(type, []).append(rule)
    wanted = [event for event in events if event.type in of_types or (event.type == "incidents.imported" and "incident.opened" in of_types)]
    if not wanted:
        return []
    firings: list[Firing] = []
    for fact in gathered.facts(wanted):
        for rule in of_types.get(fact.type, ()):
            firing = _with_patience(rule, fact, rules)
            if firing is not None:
                firings.append(firing)
    return firings


def _at_first_look(events: Sequence[Event], rules: Rules, gathered: Gathered, now: datetime) -> list[Firing]:
    """A rule about a state that lasts (a silent feed, a camera that is away) begins with what is so when it is switched on."""
    ids = {event.data.get("rule") for event in events if event.type == ACTIVATED} | {
        event.subject_id for event in events if event.type == ACTIVATED and event.subject_type == "alertrule"
    }
    firings: list[Firing] = []
    for rule in rules.of("feed_silence", "camera"):
        if rule.pk not in ids and rule.rule.code not in ids:
            continue
        types = {*heard_by(rule), *recovery.recovers_on(rule)}
        lately = Event.objects.filter(type__in=types, occurred_at__gt=now - FIRST_LOOK, subject_id__isnull=False)
        last = lately.order_by("subject_type", "subject_id", "-pk").distinct("subject_type", "subject_id")
        for fact in gathered.facts([event for event in last if event.type in heard_by(rule)]):
            so_far = fact.numbers.get("minutes", 0.0) + (now - fact.at).total_seconds() / 60
            firing = _with_patience(rule, replace(fact, at=now, numbers={**fact.numbers, "minutes": so_far}), rules)
            if firing is not None:
                firings.append(firing)
    return firings


def silence_marks() -> list[int]:
    """After how many minutes of silence some rule wants to hear of a feed: whoever watches the feeds announces it then."""
    marks: set[int] = set()
    for rule in active_rules().of("feed_silence"):
        marks.add(int(getattr(rule.condition, "after_min", 30)))
        marks |= {int(least) for least in rule.levels.values() if least >= 1}
    return sorted(marks)


def heard_by(rule: CompiledRule) -> tuple[str, ...]:
    match rule.condition:
        case EventCondition() as condition:
            return condition.types
        case CameraCondition() as condition:
            return tuple(f"camera.{state}" for state in condition.states)
    return {"feed_silence": ("feed.silent",), "reading": ANOMALIES}.get(rule.source, ())


def _with_patience(rule: CompiledRule, fact: Fact, rules: Rules) -> Firing | None:
    """As ``evaluate``; a camera that has to be away for a while is looked at again when it has."""
    least = patience_min(rule)
    minutes = fact.numbers.get("minutes", 0.0)
    if least <= minutes:
        return evaluate(rule, fact, rules)
    firing = evaluate(rule, replace(fact, numbers={**fact.numbers, "minutes": float(least)}), rules)
    if firing is not None:
        hold(firing, held_by=WAIT, due_at=fact.at + timedelta(minutes=least - minutes))
    return None


def patience_min(rule: CompiledRule) -> float:
    if not isinstance(rule.condition, CameraCondition):
        return 0.0
    return max(float(rule.condition.after_min), min(rule.levels.values(), default=0.0))


def _by_findings(events: Sequence[Event], rules: Rules, gathered: Gathered) -> list[Firing]:
    found = [event for event in events if event.type in FOUND]
    if not found:
        return []
    firings: list[Firing] = []
    for source, read in (("hot_spot", hot_spot_facts), ("forecast", forecast_facts)):
        mine = rules.of(source)
        if not mine:
            continue
        facts = read(found, gathered)
        for rule in mine:
            fired = [firing for fact in facts if (firing := evaluate(rule, fact, rules)) is not None]
            firings += sorted(fired, key=lambda firing: -(firing.measure or 0.0))
    return firings


def _by_counts(events: Sequence[Event], rules: Rules, gathered: Gathered) -> list[Firing]:
    counting = rules.of("count")
    heard = [event for event in events if event.type in COUNTED]
    if not counting or not heard:
        return []
    touches = touches_of(heard, gathered, window=longest_window(counting))
    asked: dict[tuple[Ask, int], tuple[CompiledRule, Ask, Touch]] = {}
    # All of a minute are counted as of its last event, so that one look at a zone's window serves them all.
    last: dict[int, datetime] = {}
    for touch in touches:
        minute = int(touch.at.timestamp() // 60)
        last[minute] = max(last.get(minute, touch.at), touch.at)
    for touch in touches:
        for rule in counting:
            ask = ask_of(rule, touch, rules)
            if ask is None:
                continue
            # One count a minute and group is enough: of a batch that was late it tells as much as one an event.
            minute = int(touch.at.timestamp() // 60)
            asked[replace(ask, as_of=_EPOCH), minute] = (rule, replace(ask, as_of=last[minute]), touch)
    # Which incidents they are is asked of those alone that fire and are not held back: see ``apply``.
    counts = count([ask for _rule, ask, _touch in asked.values()], rules, with_names=False)
    gathered.places.read([ask.zone_id for _rule, ask, _touch in asked.values() if ask.per != "country"])
    firings: list[Firing] = []
    for rule, ask, touch in asked.values():
        found = counts.get(ask)
        if found is None or not found.now or not counts_enough(rule, found.now, ask.as_of, rules):
            continue
        firing = evaluate(rule, count_fact(rule, ask, touch, found, gathered), rules)
        if firing is not None:
            firings.append(replace(firing, ask=ask))
    return firings


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
