"""A rule that has opened as many alerts in an hour as it may: one alert says so, and stands for all the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import translation
from django.utils.translation import ngettext

from alerts.choices import Level
from alerts.models import Alert, AlertRule
from alerts.services.alerts import Seen, open_alert
from alerts.services.alerts.quiets import Quiets
from alerts.services.engine.evaluation import Firing, is_worse
from alerts.services.engine.words import titles

STORM_LASTS = timedelta(minutes=15)  # over when nothing has come for so long


@transaction.atomic
def storm(firings: Sequence[Firing], *, quiets: Quiets, now: datetime) -> Alert:
    """Of one rule, in the log's order: all of them join its storm, which says how many they are by now."""
    last, rule = firings[-1], firings[-1].rule.rule
    fingerprint = f"storm:{rule.pk}"
    known = Alert.objects.select_for_update(no_key=True).open().filter(fingerprint=fingerprint).values_list("facts", flat=True).first()
    count = int((known or {}).get("stormed", 0)) + len(firings)
    level = Level.HIGH.value
    for firing in firings:
        level = firing.level if is_worse(firing.level, level) else level
    seen = {(one.event_id, one.incident_id): one for firing in firings for one in firing.fact.seen}
    english, arabic = titles(last)
    return open_alert(
        kind=Alert.Kind.STORM,
        fingerprint=fingerprint,
        level=level,
        title_en=_title(rule, count, "en"),
        title_ar=_title(rule, count, "ar"),
        caused_at=firings[0].fact.at,
        rule=rule,
        policy=rule.policy,
        agency_id=rule.agency_id or last.fact.agency_id,
        facts={"most_per_hour": rule.most_per_hour, "stormed": count, "last": english, "last_ar": arabic, "level": level},
        priority=rule.priority,
        is_synthetic=any(firing.fact.is_synthetic for firing in firings),
        seen=tuple(seen.values()) or (Seen(last.fact.at, last.fact.event_id),),
        quiets=quiets,
        now=now,
    )


def _title(rule: AlertRule, count: int, language: str) -> str:
    with translation.override(language):
        return ngettext(
            "%(rule)s: more than %(most)d alerts in an hour, this one stands for %(count)d more",
            "%(rule)s: more than %(most)d alerts in an hour, this one stands for %(count)d more",
            count,
        ) % {"rule": rule.name_ar if language == "ar" else rule.name_en, "most": rule.most_per_hour, "count": count}
