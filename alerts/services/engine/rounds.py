"""The engine's own round, beside the log: what a cooldown held back, old counts, forecasts and storms that passed."""

from __future__ import annotations

import logging
from dataclasses import fields
from datetime import datetime
from functools import reduce
from typing import Any

from django.db import transaction
from django.utils import timezone

from alerts.models import Alert, AlertRule, HeldFiring
from alerts.services.engine.applying import apply, merged, seen_of
from alerts.services.engine.compiled import CompiledRule, Rules, active_rules
from alerts.services.engine.counting import count
from alerts.services.engine.evaluation import Fact, Firing, evaluate
from alerts.services.engine.gathering import Gathered, Touch, ask_again, count_fact
from alerts.services.engine.recovery import AT_ONCE, recount, recover, recovers_on, still_holds
from alerts.services.rules.conditions import CountCondition
from core.models import Event

logger = logging.getLogger("alerts.engine")
Source = AlertRule.Source
BY_LOOKING = (Source.FORECAST, Source.HOT_SPOT)


def release_held(*, now: datetime | None = None, limit: int = 200) -> int:
    """Fire what was held back and is due, where it is still so. Each in its own transaction; another process's are left to it."""
    now = now or timezone.now()
    released = 0
    for pk in list(HeldFiring.objects.filter(due_at__lte=now).values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            held = HeldFiring.objects.select_for_update(skip_locked=True).filter(pk=pk, due_at__lte=now).first()
            if held is None:
                continue
            rules = active_rules()
            rule = rules.by_id.get(held.rule_id)
            firing = fire_of(rule, held, rules, now=now) if rule is not None else None
            held.delete()
            if firing is not None:
                released += bool(apply([firing], now=now, is_due=True).alerts)
    return released


def fire_of(rule: CompiledRule, held: HeldFiring, rules: Rules, *, now: datetime) -> Firing | None:
    """What was held back as it is now: a count is counted again, a thing that came back meanwhile is left."""
    fact = fact_of(held.draft["fact"], held.draft)
    if isinstance(rule.condition, CountCondition):
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
    ends = recovers_on(rule)
    kind, pk = fact.subject
    if ends and pk is not None:
        last = Event.objects.filter(subject_type=kind, subject_id=pk, type__in=ends | {fact.type}).order_by("-pk").first()
        if last is not None and last.type in ends:
            return None
    return evaluate(rule, fact, rules)


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
    alerts = list(Alert.objects.open().filter(kind=Alert.Kind.RULE, rule_id__in=counting).order_by("pk")[:AT_ONCE]) if counting else []
    with transaction.atomic():
        ended += recount(alerts, rules, now=now)
    looked = [rule.pk for rule in rules.of(*BY_LOOKING) if rule.rule.resolves_by_recovery]
    for alert in Alert.objects.open().filter(kind=Alert.Kind.RULE, rule_id__in=looked).order_by("pk")[:AT_ONCE] if looked else ():
        if not still_holds(alert, now=now, rules=rules):
            ended += recover(alert.pk, now=now)
    for alert in Alert.objects.open().filter(kind=Alert.Kind.STORM).order_by("pk")[:AT_ONCE]:
        if not still_holds(alert, now=now, rules=rules):
            ended += recover(alert.pk, now=now)
    return ended
