"""Steps that page nobody: a task for a patrol, a call of a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.contrib.gis.db.models.functions import Distance
from django.contrib.gis.geos import Point
from django.db import transaction

from alerts.choices import Channel, Level
from alerts.models import Alert, Delivery, StepRun
from core.errors import DomainError
from patrol.models import Assignment, Unit
from patrol.services.assignments import assign
from patrol.services.recommend import advise
from patrol.services.units import UnitStatus, states_of

MOST_LOOKED_AT = 50


def give_task(alert: Alert, step: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """A task for the unit the recommendation advises for the alert's incident; without one, for the nearest free unit on duty.

    Returns the facts for the step's row and whether a unit took it. What patrol refuses is a fact, never a failure of the run.
    """
    tried: list[str] = []
    title = (str(step.get("task_title") or "") or f"{alert.title_ar} · {alert.title_en}")[:200]  # crews read either language
    for unit, why in _candidates(alert):
        try:
            with transaction.atomic():
                task = assign(
                    unit=unit, by=None, kind=Assignment.Kind.TASK, title=title, note=alert.text[:400],
                    location=_place_of(alert), priority=1 if alert.level == Level.CRITICAL else 2,
                )  # fmt: skip
        except DomainError as error:
            tried.append(f"{unit.call_sign}: {error.message}")
            continue
        return {"unit": unit.call_sign, "assignment": task.pk, "chosen": why}, True
    return {"refused": tried[:5]}, False


def _candidates(alert: Alert) -> list[tuple[Unit, str]]:
    advised = _advised(alert)
    return [(unit, "advised") for unit in advised] + [(unit, "nearest") for unit in _nearest_free(alert) if unit not in advised]


def _advised(alert: Alert) -> list[Unit]:
    if alert.incident is None:
        return []
    try:
        with transaction.atomic():
            advice = advise(incident=alert.incident, by=None)
    except DomainError:
        return []  # closed, or without a place: the nearest unit then
    order = [row["unit"] for row in advice.ranked if row["advised"]]
    by_id = Unit.objects.in_bulk(order)
    return [by_id[pk] for pk in order if pk in by_id]


def _nearest_free(alert: Alert) -> list[Unit]:
    """Free units on duty of the alert's agency in its governorate, the nearest first as their last positions tell."""
    units = Unit.objects.filter(agency_id=alert.agency_id or 0).on_duty()
    if alert.governorate_id is not None:
        units = units.filter(governorate_id=alert.governorate_id)
    place = _place_of(alert)
    if place is not None:
        units = units.annotate(away=Distance("last_position__location", place)).order_by("away", "pk")
    known = list(units[:MOST_LOOKED_AT])
    states = states_of([unit.pk for unit in known])
    return [unit for unit in known if states[unit.pk].state == UnitStatus.AVAILABLE]


def _place_of(alert: Alert) -> Point | None:
    return alert.location or (alert.zone.label_point if alert.zone is not None else None)


def call_webhook(alert: Alert, row: StepRun, step: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A delivery by the channel webhook, of the step and of no person; whoever sends takes it from there."""
    name = str(step.get("webhook") or "")
    known = getattr(settings, "ALERT_WEBHOOKS", {})
    delivery, _made = Delivery.objects.get_or_create(
        key=uuid5(NAMESPACE_URL, f"khareetaty:step:{row.pk}:webhook"),
        defaults={"alert": alert, "step_run": row, "channel": Channel.WEBHOOK, "address": name, "language": "en",
                  "is_critical": alert.level == Level.CRITICAL, "subject": alert.title_en, "body": alert.text, "next_at": now},
    )  # fmt: skip
    return {"webhook": name, "delivery": delivery.pk} | ({} if name in known else {"unknown": True})
