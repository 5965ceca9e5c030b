"""What tests of rules begin with: the words of a rule that may be switched on, and a row of each of its tables."""

from __future__ import annotations

from datetime import date
from typing import Any

from alerts.models import AlertRule, RuleProposal, RuleReplay, SpecialPeriod
from alerts.services.rules import create_rule


def burglaries(**given: Any) -> dict[str, Any]:
    """Three burglaries in a day in an area of Hawalli, by the police; whatever is given stands in its place."""
    data: dict[str, Any] = {
        "code": "burglaries-hawalli",
        "name_en": "Burglaries in one area",
        "name_ar": "سرقات منازل في منطقة",
        "source": "count",
        "condition": {"window_h": 24, "per": "area"},
        "agency": "police",
        "agencies": ["police"],
        "governorates": ["T-HA"],
        "types": ["burglary"],
        "levels": {"medium": 3, "high": 5},
        "group_by": ["zone", "type"],
        "policy": "hawalli",
    }
    return {key: value for key, value in {**data, **given}.items() if value is not None}


def replayed(rule: AlertRule, *, version: int | None = None, alerts: int = 4, days: int = 30) -> RuleReplay:
    """As if somebody had looked back and found so many alerts."""
    from django.utils import timezone

    return RuleReplay.objects.create(
        rule=rule, version=version or rule.version, days=days, until=timezone.now(), result={}, alert_count=alerts
    )


def rows_of_authoring(cast: Any) -> None:
    rule = create_rule(data=burglaries(policy=None), by=cast.analyst)
    replayed(rule)
    RuleProposal.objects.create(rule=rule, number=1)
    SpecialPeriod.objects.get_or_create(
        code="ramadan-test",
        defaults={"name_en": "Ramadan", "name_ar": "رمضان", "kind": "ramadan", "starts_on": date(2027, 2, 8), "ends_on": date(2027, 3, 9)},
    )
