"""A rule as people write it: read strictly, kept with its name in the audit trail."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Invalid, NotFound
from iot.models import Metric, RuleAction, RuleFiring, TelemetryRule
from iot.permissions import Actor, require
from iot.rules.conditions import Unreadable, metrics_of, parse

MOST_RULES = 500  # active at once


@transaction.atomic
def save_rule(*, rule: TelemetryRule, by: Actor | None) -> TelemetryRule:
    """Write a rule anew or change it. Refused is what cannot be read, a metric nobody has, another agency's rule."""
    require(by, "manage_devices")
    if by is not None and not by.jurisdiction.admits(agency_id=rule.agency_id, governorate_id=rule.governorate_id):
        raise NotFound(_("There is no such rule."))
    fields: dict[str, str] = {}
    try:
        named = metrics_of(parse(rule.condition))
    except Unreadable as error:
        fields["condition"] = str(error)
    else:
        unknown = sorted(named - set(Metric.objects.filter(code__in=named).values_list("code", flat=True)))
        if unknown:
            fields["condition"] = _("No profile has the metric: %(names)s.") % {"names": ", ".join(unknown)}
    if not rule.actions or not set(rule.actions) <= set(RuleAction.values):
        fields["actions"] = _("Choose at least one.")
    if RuleAction.DRAFT in rule.actions and rule.incident_type is None:
        fields["incident_type"] = _("The draft of an incident needs its type.")
    if RuleAction.COMMAND in rule.actions and not (isinstance(rule.command, dict) and rule.command):
        fields["command"] = _("A JSON object that is not empty.")
    if rule.is_active and TelemetryRule.objects.filter(is_active=True).exclude(pk=rule.pk).count() >= MOST_RULES:
        fields["is_active"] = _("At most %(limit)d rules at once.") % {"limit": MOST_RULES}
    if fields:
        raise Invalid(_("The rule cannot be kept so."), fields=fields)
    before = TelemetryRule.objects.filter(pk=rule.pk).first() if rule.pk else None
    if before is None:
        rule.created_by = by if isinstance(by, User) else None
    rule.save()
    if before is not None and (before.condition != rule.condition or not rule.is_active):
        RuleFiring.objects.filter(rule=rule, ended_at=None).update(ended_at=timezone.now())
    audit.record("sensor_rule.save", obj=rule, by=by, before=_told(before), after=_told(rule))
    return rule


def _told(rule: TelemetryRule | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    return {
        "name": rule.name_en,
        "condition": rule.condition,
        "severity": rule.severity,
        "actions": list(rule.actions),
        "in_use": rule.is_active,
    }
