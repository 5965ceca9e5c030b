"""The words of a message: the narrowest template that fits, filled with what the alert says.

A reply code and a signed link let whoever has them acknowledge in a person's name. They are therefore not in the row of the delivery,
which others may read, but filled in at the moment of sending (``SECRETS``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone, translation

from alerts.analytics import sms, wording
from alerts.choices import Channel
from alerts.models import Alert, AlertRule, MessageTemplate
from alerts.services.delivery.kept import Kept
from alerts.services.delivery.template_seeds import SEEDS, Seed
from alerts.services.why import reason_of
from geography.models import Zone

SECRETS = frozenset({"code", "acknowledge_link"})
KNOWN = frozenset(
    {
        "title", "level", "priority", "place", "zone", "governorate", "agency", "time", "text", "measure", "threshold", "count", "type",
        "category", "reference", "reason", "why", "number", "link", "outcome", "by", *SECRETS,
    }
)  # fmt: skip
COUNTED_IN_PARTS = frozenset({Channel.SMS, Channel.GATEWAY})
MOST_PARTS = 6
MOST_SUBJECT = 200
# Where each part is paid, words from outside are cut so that the whole stays within MOST_PARTS.
MOST_VALUE = {Channel.SMS: 120, Channel.GATEWAY: 120, Channel.PUSH: 140, Channel.VOICE: 200}
SAMPLE_SECRETS = {"code": "00000000", "acknowledge_link": "https://example.org/a/" + "x" * 60 + "/"}


@dataclass(frozen=True)
class Words:
    subject: str
    body: str
    parts: int
    provider_template: str = ""


def words_for(
    alert: Alert | None,
    *,
    channel: str,
    language: str,
    why: str = "",
    event: str | None = None,
    more: Mapping[str, str] | None = None,
    kept: Kept | None = None,
) -> Words:
    """In the reader's language. ``event``: of what it tells, if not of what the alert is. ``kept``: the templates of a batch."""
    of = event or (event_of(alert) if alert is not None else MessageTemplate.Event.TEST)
    subject, body, provider_template = (kept or Kept()).once(
        ("words", of, channel, language), lambda: choose(event=of, channel=channel, language=language)
    )
    with translation.override(language):
        values = {**(values_of(alert, most=MOST_VALUE.get(Channel(channel), 400)) if alert is not None else {}), **(more or {})}
        values["why"] = wording.clean(why)
    return rendered(subject, body, values, channel=channel, provider_template=provider_template)


def rendered(subject: str, body: str, values: Mapping[str, str], *, channel: str, provider_template: str = "") -> Words:
    text = wording.fill(body, values, keep=SECRETS)
    parts = sms.measure(wording.fill(text, SAMPLE_SECRETS)).parts if channel in COUNTED_IN_PARTS else 0
    return Words(wording.fill(subject, values)[:MOST_SUBJECT].replace("\n", " "), text, parts, provider_template)


def choose(*, event: str, channel: str, language: str) -> tuple[str, str, str]:
    """Subject, body and the provider's template: of this event and channel, else of the event, else of the channel, else the general one.
    A row goes before the seed of its place; where every row has been deleted there are still words."""
    events, channels = [event, MessageTemplate.Event.ANY], [channel, ""]
    if event in {MessageTemplate.Event.RESOLVED, MessageTemplate.Event.TEST}:
        events = [event]  # never an alarm's words for what is none
    rows = {
        (row.event, row.channel): row
        for row in MessageTemplate.objects.filter(event__in=events, channel__in=channels, language=language)
    }  # fmt: skip
    for chosen in ((one, where) for one in events for where in channels):
        row = rows.get(chosen)
        if row is not None:
            return row.subject, row.body, row.provider_template
        seed = SEEDS.get((*chosen, language))
        if seed is not None:
            return seed.subject, seed.body, ""
    seed = SEEDS.get((event, "", language)) or Seed("{title}", "{level}: {title}")
    return seed.subject, seed.body, ""


def event_of(alert: Alert) -> str:
    kinds = {
        Alert.Kind.MANUAL: MessageTemplate.Event.MANUAL,
        Alert.Kind.COVERAGE: MessageTemplate.Event.COVERAGE,
        Alert.Kind.STORM: MessageTemplate.Event.ANY,  # it is about the rule, and not about what the rule is about
    }
    if alert.kind == Alert.Kind.COVERAGE and alert.parent_id is None:  # of a calendar, not of an alert that reached nobody
        return MessageTemplate.Event.ANY
    if alert.kind in kinds:
        return kinds[Alert.Kind(alert.kind)]
    rule: AlertRule | None = alert.rule if alert.rule_id else None
    return rule.source if rule is not None else MessageTemplate.Event.ANY


def values_of(alert: Alert, *, most: int = 400) -> dict[str, str]:
    """What may be said of an alert, cleaned. In the language that is active."""
    is_arabic = translation.get_language() == "ar"

    def of_type() -> str:
        return alert.incident.type.name if alert.incident_id and alert.incident is not None else alert.type_code

    zone, governorate = _zone_names(alert)
    given = {
        "title": alert.title,
        "level": alert.get_level_display(),
        "priority": alert.priority,
        "zone": zone,
        "governorate": governorate,
        "place": ("، " if is_arabic else ", ").join(dict.fromkeys(part for part in (zone, governorate) if part)),
        "agency": alert.agency.name if alert.agency is not None else "",
        "time": f"{timezone.localtime(alert.caused_at):%d/%m %H:%M}",
        "text": alert.text,
        "reason": reason_of(alert, place=zone),
        "measure": number(alert.measure),
        "threshold": number(alert.threshold),
        "count": alert.occurrence_count,
        "type": of_type(),
        "category": alert.category,
        "reference": alert.incident.ref if alert.incident_id and alert.incident is not None else "",
        "number": alert.pk,
        "link": link_to(alert),
        "outcome": alert.outcome,
    }
    return {name: wording.clean(value, most=most) for name, value in given.items()}


def _zone_names(alert: Alert) -> tuple[str, str]:
    """Of the area and of the governorate: those at hand, else read without their outlines."""
    if {"zone", "governorate"} <= alert._state.fields_cache.keys():
        return alert.zone.name if alert.zone is not None else "", alert.governorate.name if alert.governorate is not None else ""
    names = {row.pk: row.name for row in Zone.objects.filter(pk__in=[alert.zone_id, alert.governorate_id]).only("name_en", "name_ar")}
    return names.get(alert.zone_id or 0, ""), names.get(alert.governorate_id or 0, "")


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def link_to(alert: Alert) -> str:
    return f"{settings.PUBLIC_URL}/alerts/{alert.pk}/"
