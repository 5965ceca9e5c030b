"""Rules and special periods a new installation starts with. None runs by itself: they wait for a person who has seen their replay."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Agency
from accounts.roles import Role
from alerts.models import AlertRule, EscalationPolicy, PolicyStep, SpecialPeriod
from alerts.services.rules.activation import submit_rule
from alerts.services.rules.checking import BLOCKER, look_over
from alerts.services.rules.writing import create_rule
from incidents.analytics.calendar import calendar
from incidents.models import IncidentType

YEARS_AHEAD = 5
NIGHT: dict[str, Any] = {"when": {"from": "22:00", "to": "05:00"}, "escalate_percent": 50}
WEEKEND: dict[str, Any] = {"when": {"weekdays": ["friday", "saturday"]}, "threshold_percent": -20}
RAMADAN: dict[str, Any] = {"when": {"period": "ramadan", "from": "19:00", "to": "03:00"}, "threshold_percent": -20}
DEFAULT_LEVELS = {"low": 10, "medium": 20, "high": 40, "critical": 60}

RULES: tuple[dict[str, Any], ...] = (
    {
        "code": "vehicle-theft-area",
        "name_en": "Vehicle thefts in one area",
        "name_ar": "سرقات مركبات في منطقة واحدة",
        "source": "count",
        "condition": {"window_h": 24, "per": "area"},
        "types": ["vehicle-theft"],
        "levels": {"medium": 3, "high": 5, "critical": 10},
        "modifiers": [NIGHT, WEEKEND, RAMADAN],
        "group_by": ["zone", "type"],
        "policy": "standard",
    },
    {
        "code": "assault-area",
        "name_en": "Assaults in one area",
        "name_ar": "اعتداءات في منطقة واحدة",
        "source": "count",
        "condition": {"window_h": 24, "per": "area"},
        "types": ["assault"],
        "levels": {"high": 2, "critical": 5},
        "modifiers": [NIGHT, WEEKEND, RAMADAN],
        "group_by": ["zone", "type"],
        "policy": "standard",
        "priority": 2,
    },
    {
        "code": "drug-offence",
        "name_en": "Drug offence",
        "name_ar": "جريمة مخدرات",
        "source": "event",
        "condition": {"types": ["incident.opened"]},
        "types": ["drug-offence"],
        "level": "high",
        "modifiers": [NIGHT],
        "group_by": ["zone"],
        "policy": "standard",
        "priority": 2,
    },
    {
        "code": "road-accident",
        "name_en": "Road accident, to traffic and ambulance",
        "name_ar": "حادث مروري، للمرور والطوارئ الطبية",
        "source": "event",
        "condition": {"types": ["incident.opened"]},
        "types": ["road-accident", "road-accident-injury"],
        "level": "medium",
        "modifiers": [NIGHT],
        "group_by": ["zone"],
        "group_window_min": 30,
        "policy": "traffic-and-ems",
        "priority": 2,
    },
    {
        "code": "hot-spots",
        "name_en": "Hot spots, new or grown",
        "name_ar": "بؤر جديدة أو متنامية",
        "source": "hot_spot",
        "condition": {"changes": ["born", "grown", "returned"], "measure": "incident_count"},
        "levels": DEFAULT_LEVELS,
        "modifiers": [WEEKEND, RAMADAN],
        "group_by": ["subject"],
        "cooldown_type_min": 0,
        "policy": "watch",
        "priority": 4,
    },
    {
        "code": "forecast-rise",
        "name_en": "Forecast well above the usual",
        "name_ar": "توقع أعلى من المعتاد بوضوح",
        "source": "forecast",
        "condition": {"horizon_days": 2, "measure": "expected", "per": "area"},
        "levels": DEFAULT_LEVELS,
        "trend_at_least": 1.5,
        "modifiers": [WEEKEND, RAMADAN],
        "group_by": ["zone"],
        "cooldown_type_min": 0,
        "policy": "watch",
        "priority": 4,
    },
    {
        "code": "feed-silent",
        "name_en": "A partner's feed is silent",
        "name_ar": "انقطاع مصدر بيانات شريك",
        "source": "feed_silence",
        "condition": {"after_min": 30},
        "level": "high",
        "group_by": ["subject"],
        "cooldown_zone_min": 0,
        "cooldown_type_min": 0,
        "policy": "standard",
        "priority": 2,
    },
    {
        "code": "camera-offline",
        "name_en": "A camera is offline",
        "name_ar": "كاميرا منقطعة",
        "source": "camera",
        "condition": {"states": ["offline"], "after_min": 5},
        "level": "medium",
        "group_by": ["subject"],
        "cooldown_zone_min": 0,
        "cooldown_type_min": 0,
        "policy": "watch",
    },
)
# Two agencies at once: no policy of one agency says that.
TRAFFIC_AND_EMS = "traffic-and-ems"


@transaction.atomic
def ensure_rules() -> int:
    """Add the rules above that are not there; what people changed stays as it is. Returns how many were added. Each waits for one person:
    the product itself is the first of the two."""
    ensure_traffic_and_ems()
    known, made = set(AlertRule.objects.values_list("code", flat=True)), 0
    types = set(IncidentType.objects.values_list("code", flat=True))
    policies = set(EscalationPolicy.objects.values_list("code", flat=True))
    for data in RULES:
        if data["code"] in known or not set(data.get("types", ())) <= types:
            continue
        said = data if data["policy"] in policies else {key: value for key, value in data.items() if key != "policy"}
        rule = create_rule(data=said, by=None, is_seeded=True)
        if not any(each.kind == BLOCKER for each in look_over(rule)):
            submit_rule(rule=rule, version=1, by=None)
        made += 1
    return made


@transaction.atomic
def ensure_periods(*, today: date | None = None) -> int:
    """Ramadan of this year and the next ones by the computed calendar, marked as such: the announced days are put in by hand."""
    today = today or timezone.localdate()
    made = 0
    for year in range(today.year, today.year + YEARS_AHEAD + 1):
        for number, (first, last) in enumerate(ramadans(year), 1):
            code = f"ramadan-{year}" if number == 1 else f"ramadan-{year}-{number}"
            made += SpecialPeriod.objects.get_or_create(
                code=code,
                defaults={
                    "name_en": f"Ramadan {year} (computed; correct it once announced)",
                    "name_ar": f"رمضان {year} (محسوب؛ يُصحَّح عند الإعلان)",
                    "kind": "ramadan",
                    "starts_on": first,
                    "ends_on": last,
                },
            )[1]
    return made


def ramadans(year: int) -> list[tuple[date, date]]:
    """Those that begin in ``year``: in some years two."""
    first_day = date(year, 1, 1) - timedelta(days=31)
    marks = calendar(first_day, 31 + 366 + 31, country="KW").columns["ramadan"] >= 0.5
    spans: list[tuple[date, date]] = []
    for number, is_ramadan in enumerate(marks):
        day = first_day + timedelta(days=number)
        if is_ramadan and spans and spans[-1][1] == day - timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        elif is_ramadan:
            spans.append((day, day))
    return [span for span in spans if span[0].year == year]


def ensure_traffic_and_ems() -> EscalationPolicy | None:
    """The policy of the seeded rule of road accidents: the dispatchers of traffic and of the ambulance, then their operations rooms."""
    agencies = {agency.slug: agency for agency in Agency.objects.filter(slug__in=["traffic", "ems"])}
    if len(agencies) < 2:
        return None
    policy, is_new = EscalationPolicy.objects.get_or_create(
        code=TRAFFIC_AND_EMS,
        defaults={"name_en": "Traffic and ambulance together", "name_ar": "المرور والطوارئ الطبية معاً", "is_seeded": True},
    )
    if is_new:
        kind = PolicyStep.Kind
        steps: list[dict[str, Any]] = [
            {"kind": kind.COMMAND_CENTRE, "wait_s": 0, "channels": ["in_app"]},
            {"kind": kind.ROLE, "role": Role.DISPATCHER, "agency": agencies["traffic"], "wait_s": 0},
            {"kind": kind.ROLE, "role": Role.DISPATCHER, "agency": agencies["ems"], "wait_s": 120},
            {"kind": kind.OPERATIONS_ROOM, "agency": agencies["traffic"], "wait_s": 0},
            {"kind": kind.OPERATIONS_ROOM, "agency": agencies["ems"], "wait_s": 300},
        ]
        PolicyStep.objects.bulk_create(PolicyStep(policy=policy, position=number, **step) for number, step in enumerate(steps, 1))
    return policy
