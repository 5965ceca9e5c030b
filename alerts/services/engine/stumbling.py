"""One event or one rule that cannot be judged must not keep everybody from being told of everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from alerts.models import Alert, Level
from alerts.services.alerts import open_alert
from alerts.services.engine.compiled import CompiledRule, active_rules
from alerts.services.engine.hearing import hear
from core.models import Event

logger = logging.getLogger("alerts.engine")

TRIES = 3
_failures: dict[int, int] = {}  # event → how often it failed alone, in this process


def hear_patiently(events: Sequence[Event], *, ear: Callable[..., Any] = hear) -> None:
    """As ``hear``. What fails is raised, so that it comes again (the relay then hands events over one by one); an event that keeps
    failing alone is judged rule by rule, whoever fails at it is passed over, and a person hears of that instead."""
    try:
        with transaction.atomic():
            ear(events)
    except (OperationalError, InterfaceError):  # the database is away, or somebody else was in the way: the same again is right
        raise
    except Exception:
        if len(events) > 1 or _has_patience(events[0]):
            raise
        logger.exception("event %d (%s) cannot be judged; its rules are asked one by one", events[0].pk, events[0].type)
        _rule_by_rule(events[0], ear)
    if len(events) == 1:
        _failures.pop(events[0].pk, None)


def _has_patience(event: Event) -> bool:
    _failures[event.pk] = _failures.get(event.pk, 0) + 1
    return _failures[event.pk] < TRIES


def _rule_by_rule(event: Event, ear: Callable[..., Any]) -> None:
    rules = active_rules()
    for rule in rules.rules:
        try:
            with transaction.atomic():
                ear([event], rules=replace(rules, rules=(rule,)))
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("rule %s cannot judge event %d", rule.rule.code, event.pk)
            _tell(rule, event)


def _tell(rule: CompiledRule, event: Event) -> None:
    open_alert(
        kind=Alert.Kind.AUDIT,
        fingerprint=f"audit:rule:{rule.pk}",
        level=Level.HIGH,
        title_en=f"A rule fails and tells nobody: {rule.rule.name_en}"[:200],
        title_ar=f"قاعدة تتعطل ولا تُبلغ أحداً: {rule.rule.name_ar}"[:200],
        caused_at=event.occurred_at,
        agency_id=rule.rule.agency_id,
        subject=("alertrule", rule.pk),
        facts={"rule": rule.rule.code, "event": event.pk, "event_type": event.type},
    )
