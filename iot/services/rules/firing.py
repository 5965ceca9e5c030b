"""What follows when a rule begins to hold for a device, and when it holds no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.errors import DomainError
from core.events import publish_many, unpublished
from core.models import Event
from iot import events
from iot.models import Anomaly, AnomalySeverity, Datastream, Detector, Device, RuleAction, RuleFiring, TelemetryRule
from iot.rules.conditions import metrics_of, parse
from iot.services.anomalies.raising import Draft, auto_resolve_anomalies, raise_anomalies
from iot.services.commands import send_command


@transaction.atomic
def fire(*, rule: TelemetryRule, device: Device, began_at: datetime, values: Mapping[str, float], now: datetime) -> RuleFiring | None:
    """The rule holds: a firing, and what its actions say. ``None`` within its quiet time, where it holds already, for a device of another
    agency or governorate than the rule's, and for a rule that was switched off meanwhile."""
    locked = TelemetryRule.objects.select_for_update(no_key=True, of=("self",)).filter(pk=rule.pk, is_active=True).first()
    if locked is None or device.agency_id != locked.agency_id or (locked.governorate_id not in (None, device.governorate_id)):
        return None
    mine = RuleFiring.objects.filter(rule=rule, device=device)
    if mine.filter(ended_at=None).exists() or mine.filter(began_at__gt=began_at - timedelta(seconds=rule.cooldown_s)).exists():
        return None
    firing = RuleFiring.objects.create(
        rule=rule, device=device, began_at=began_at, fired_at=now, facts={"values": dict(values)},
        draft=RuleFiring.Draft.WAITING if RuleAction.DRAFT in rule.actions else RuleFiring.Draft.NONE,
    )  # fmt: skip
    if RuleAction.ANOMALY in rule.actions:
        named = metrics_of(parse(rule.condition))
        stream = Datastream.objects.filter(device=device, metric__code__in=named).select_related("metric").order_by("metric__code").first()
        evidence: dict[str, Any] = {"rule_en": rule.name_en, "rule_ar": rule.name_ar, "values": dict(values)}
        if stream is not None and stream.metric.code in values:
            evidence |= {"value": values[stream.metric.code], "unit": stream.metric.unit}
        draft = Draft(
            device.pk, stream.pk if stream is not None else None, Detector.RULE, rule.severity, began_at, began_at, 1.0, evidence, rule.pk
        )
        raise_anomalies(drafts=[draft], now=now)
    if RuleAction.COMMAND in rule.actions and rule.command:
        try:
            with transaction.atomic():
                send_command(device=device, payload=rule.command, by=None, cause=f"rule {rule.pk}: {rule.name_en}")
        except DomainError as refusal:  # a device that takes no more commands must not keep the rest from being said
            firing.facts["command_refused"] = refusal.message
            firing.save(update_fields=["facts"])
    said = []
    if RuleAction.EVENT in rule.actions:
        said.append(_event(events.SENSOR_RULE_FIRED, firing))
    if firing.draft:
        said.append(_event(events.INCIDENT_DRAFTED, firing))
    publish_many(said)
    return firing


@transaction.atomic
def end_firings(*, firings: Iterable[RuleFiring], now: datetime) -> int:
    """They hold no more: their anomalies are over with them. A draft goes on waiting for its person."""
    count = 0
    for firing in firings:
        if not RuleFiring.objects.filter(pk=firing.pk, ended_at=None).update(ended_at=max(now, firing.began_at)):
            continue
        count += 1
        raised = Anomaly.objects.open().filter(device=firing.device_id, rule=firing.rule_id).values_list("pk", flat=True)
        auto_resolve_anomalies(ids=list(raised), now=now)
        if RuleAction.EVENT in firing.rule.actions:
            publish_many([_event(events.SENSOR_RULE_OVER, firing)])
    return count


def _event(type: str, firing: RuleFiring) -> Event:
    rule, device = firing.rule, firing.device
    data: dict[str, Any] = {
        "rule": rule.pk, "name_en": f"{rule.name_en}: {device.name or device.code}",
        "name_ar": f"{rule.name_ar}: {device.name or device.code}",
        "device": device.code, "severity": AnomalySeverity(rule.severity).word, "severity_rank": rule.severity,
        "since": firing.began_at.isoformat(), "is_synthetic": device.is_synthetic,
    }  # fmt: skip
    data |= {name: value for name, value in firing.facts.get("values", {}).items() if name not in data}
    if device.location is not None:
        data |= {"lon": round(device.location.x, 6), "lat": round(device.location.y, 6)}
    if device.area_id or device.governorate_id:
        data["zone_id"] = device.area_id or device.governorate_id
    return unpublished(type, subject=firing, data=data, agency_id=device.agency_id, governorate_id=device.governorate_id)
