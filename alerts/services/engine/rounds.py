"""The engine's own round, beside the log: what a cooldown held back, old counts, forecasts and storms that passed."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from django.db import transaction
from django.utils import timezone

from alerts.models import Alert, AlertRule, HeldFiring
from alerts.services.engine.applying import WAIT, apply, merged, seen_of
from alerts.services.engine.compiled import CompiledRule, Rules, active_rules
from alerts.services.engine.counting import count
from alerts.services.engine.evaluation import Fact, Firing, evaluate
from alerts.services.engine.findings import standing
from alerts.services.engine.gathering import Gathered, Touch, ask_again, count_fact
from alerts.services.engine.hearing import patience_min
from alerts.services.engine.recovery import AT_ONCE, of_findings, recount, recover, recovers_on, still_holds
from alerts.services.rules.conditions import CountCondition, ForecastCondition, HotSpotCondition
from core.models import Event

logger = logging.getLogger("alerts.engine")
Source = AlertRule.Source
BY_LOOKING = (Source.FORECAST, Source.HOT_SPOT)
Standing = dict[int, dict[str, Fact]]  # by rule and group


def release_held(*, now: datetime | None = None, limit: int = 200) -> int:
    """Fire what was held back and is due, where it is still so. Each in its own transaction; another process's are left to it."""
    now = now or timezone.now()
    released = 0
    looked: Standing = {}
    for pk in list(HeldFiring.objects.filter(due_at__lte=now).order_by("due_at", "pk").values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            held = HeldFiring.objects.select_for_update(skip_locked=True).filter(pk=pk, due_at__lte=now).first()
            if held is None:
                continue
            rules = active_rules()
            rule = rules.by_id.get(held.rule_id)
            again = due_again(rule, held) if rule is not None else None
            if again is not None and again > now:
                HeldFiring.objects.filter(pk=pk).update(due_at=again)
                continue
            firing = fire_of(rule, held, rules, now=now, looked=looked) if rule is not None else None
            held.delete()
            if firing is not None:
                released += bool(apply([saying_it_was_held(firing, held, now)], now=now, is_due=True).alerts)
    return released


def due_again(rule: CompiledRule, held: HeldFiring) -> datetime | None:
    """Of what must last for a while, and was back and went again while it was waited for: when it will have lasted."""
    if held.held_by != WAIT:
        return None
    began = began_at(rule, held)
    return began + timedelta(minutes=patience_min(rule)) if began is not None else None


def began_at(rule: CompiledRule, held: HeldFiring) -> datetime | None:
    """Since when the thing has been so without being back; ``None`` where it is back, or nothing says so any more."""
    fact, ends = held.draft["fact"], recovers_on(rule)
    kind, pk = fact["subject"]
    told = Event.objects.filter(subject_type=kind, subject_id=pk)
    back = told.filter(type__in=ends).order_by("-pk").values_list("pk", flat=True).first()
    return told.filter(type=fact["type"], pk__gt=back or 0).order_by("pk").values_list("occurred_at", flat=True).first()


def saying_it_was_held(firing: Firing, held: HeldFiring, now: datetime) -> Firing:
    """The alert says itself why it comes so late: nobody who reads "12:40" should think that we slept since 12:25."""
    if held.held_by == WAIT:
        return firing
    return replace(
        firing, facts={**firing.facts, "held_by": held.held_by, "held_since": held.held_at.isoformat(), "held_until": now.isoformat()}
    )


def fire_of(rule: CompiledRule, held: HeldFiring, rules: Rules, *, now: datetime, looked: Standing | None = None) -> Firing | None:
    """What was held back as it is now: a count is counted again, a run's finding is read again, what came back meanwhile is left."""
    fact = fact_of(held.draft["fact"], held.draft)
    match rule.condition:
        case CountCondition():
            return count_of(rule, fact, rules, now=now)
        case HotSpotCondition() | ForecastCondition():
            looked = {} if looked is None else looked
            if rule.pk not in looked:
                looked[rule.pk] = standing(rule, rules, now=now)
            stands = looked[rule.pk].get(held.fingerprint)
            if stands is None:
                return None
            # As it stands now; its change, and what it stood for, as it was announced.
            data, why = dict(stands.data), dict(stands.why)
            if "change" in fact.data:
                data["change"] = why["change"] = fact.data["change"]
            return evaluate(rule, replace(stands, at=fact.at, seen=fact.seen, data=data, why=why), rules)
    if recovers_on(rule) and fact.subject[1] is not None:
        began = began_at(rule, held)
        if began is None:
            return None
        if held.held_by == WAIT:
            minutes = (now - began).total_seconds() / 60
            fact = replace(fact, numbers={**fact.numbers, "minutes": max(minutes, fact.numbers.get("minutes", 0.0))})
    return evaluate(rule, fact, rules)


def count_of(rule: CompiledRule, fact: Fact, rules: Rules, *, now: datetime) -> Firing | None:
    asks = [ask for data in fact.why.get("asks", []) if (ask := ask_again(rule, data, now)) is not None]
    gathered = Gathered(rules)
    gathered.places.read([ask.zone_id for ask in asks if ask.per != "country"])
    firings = []
    for ask, found in count(asks, rules).items():
        touch = Touch(
            region_id=ask.zone_id if ask.per == "country" else 0, governorate_id=fact.governorate_id, area_id=None, block_id=None,
            type_id=fact.type_id or 0, agency_id=fact.agency_id or 0, at=now, event_id=fact.event_id, incident_id=fact.incident_id,
        )  # fmt: skip
        firings.append(evaluate(rule, count_fact(rule, ask, touch, found, gathered), rules))
    still = [firing for firing in firings if firing is not None]
    return reduce(merged, still) if still else None


def fact_of(data: dict[str, Any], draft: dict[str, Any]) -> Fact:
    known = {field.name for field in fields(Fact)}
    given = {name: value for name, value in data.items() if name in known}
    return Fact(
        **given
        | {
            "at": datetime.fromisoformat(data["at"]),
            "subject": (data["subject"][0], data["subject"][1]),
            "places": frozenset(data["places"]),
            "location": tuple(data["location"]) if data.get("location") else None,
            "seen": seen_of(draft),
        }
    )


def look_for_recovery(*, now: datetime | None = None) -> int:
    """Open alerts whose end no event tells: counts whose incidents grew old, forecasts of a newer run, storms that are over."""
    now = now or timezone.now()
    rules = active_rules()
    ended = 0
    counting = [rule.pk for rule in rules.of(Source.COUNT)]
    last = 0
    while counting:
        alerts = list(Alert.objects.open().filter(kind=Alert.Kind.RULE, rule_id__in=counting, pk__gt=last).order_by("pk")[:AT_ONCE])
        if not alerts:
            break
        last = alerts[-1].pk
        with transaction.atomic():
            ended += recount(alerts, rules, now=now)
    for rule in rules.of(*BY_LOOKING):
        if rule.rule.resolves_by_recovery:
            ended += of_findings(rule, rules, now=now)
    for alert in Alert.objects.open().filter(kind=Alert.Kind.STORM).order_by("pk")[:AT_ONCE]:
        if not still_holds(alert, now=now, rules=rules):
            ended += recover(alert.pk, now=now)
    return ended
