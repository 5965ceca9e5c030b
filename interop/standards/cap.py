"""CAP 1.2 (OASIS): our alerts as messages other agencies' systems read, and the Atom feed that leads to them.

One alert is a chain of messages: an Alert when it opens, an Update when its level rises or its number has doubled, a Cancel when it
is resolved. Each is built from the alert's append-only log, so that the same identifier always tells the same step
(docs/decisions/0225).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree import ElementTree

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alerts.choices import Level
from alerts.models import Alert, AlertRule
from geography.models import Zone
from incidents.models import IncidentType
from interop.standards.cap_shapes import circle_of, rings_of
from interop.standards.xml import add, written

# Written and read: also by what comes in (interop.messages.cap, interop.services.warnings).
NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
ZONE_CODES = "urn:khareetaty:zone"
TYPE_CODES = "urn:khareetaty:incident-type"
ATOM = "http://www.w3.org/2005/Atom"
MOST_REFERENCES = 20
CIRCLE_KM = 0.5
SINCE = datetime(2026, 1, 1, tzinfo=UTC)  # an empty feed has not changed since
CANCEL_STANDS = timedelta(hours=24)
LANGUAGES = (("ar", "ar-KW"), ("en", "en"))

SEVERITY = {Level.CRITICAL: "Extreme", Level.HIGH: "Severe", Level.MEDIUM: "Moderate", Level.LOW: "Minor"}
URGENCY = {Level.CRITICAL: "Immediate", Level.HIGH: "Immediate", Level.MEDIUM: "Expected", Level.LOW: "Future"}
CATEGORY = {
    "violence": "Security",
    "property": "Security",
    "drugs": "Security",
    "disorder": "Security",
    "welfare": "Safety",
    "traffic": "Transport",
    "fire": "Fire",
    "medical": "Health",
    "service": "Infra",
}
_SOURCE = AlertRule.Source
_FINER_THAN_AREA = (Zone.Level.BLOCK, Zone.Level.SECTOR)
CERTAINTY: dict[str, str] = {_SOURCE.HOT_SPOT: "Likely", _SOURCE.FORECAST: "Possible"}


def our_name() -> str:
    """The name we sign with: the host people know us by."""
    return urlsplit(settings.PUBLIC_URL).hostname or "khareetaty.invalid"


@dataclass(frozen=True)
class Step:
    """One message of an alert's chain, as far as the log knows it."""

    number: int
    kind: str  # Alert, Update, Cancel
    at: datetime
    level: str
    count: int
    measure: float | None = None


@dataclass(frozen=True)
class Teller:
    """Who speaks: the sender's name in every message, the address of this service, and how exact a place may be told."""

    sender: str
    url: str
    place: tuple[float, float] | None = None
    """Where the alert is, as the reader is told it; ``None``: its zone alone."""
    words: bool = True
    """Whether what a person wrote is told."""


def chain_of(alert: Alert, lines: Iterable[tuple[str, datetime, Mapping[str, object]]]) -> list[Step]:
    """The messages of an alert from its log's lines ``(kind, at, facts)`` in their order."""
    lines = list(lines)
    opening = next((facts for kind, _at, facts in lines if kind == "opened"), {})
    level = str(opening.get("level") or alert.level)
    measure = _number(opening.get("measure"), alert.measure)
    steps = [Step(1, "Alert", alert.opened_at, level, 1, measure)]
    count = told = 1
    for kind, at, facts in lines:
        if kind == "joined":
            count = int(_number(facts.get("count"), None) or count + 1)
            measure = _number(facts.get("measure"), measure)
        elif kind == "raised":
            level = str(facts.get("to") or level)
        if kind == "resolved":
            steps.append(Step(len(steps) + 1, "Cancel", at, level, count, measure))
            break
        if level != steps[-1].level or count >= 2 * told:
            told = count
            steps.append(Step(len(steps) + 1, "Update", at, level, count, measure))
    if alert.resolved_at is not None and steps[-1].kind != "Cancel":
        steps.append(Step(len(steps) + 1, "Cancel", alert.resolved_at, alert.level, max(count, alert.occurrence_count), measure))
    return steps


def _number(given: object, otherwise: float | None) -> float | None:
    return float(given) if isinstance(given, int | float) else otherwise


def identifier_of(alert: Alert, step: Step) -> str:
    return f"{alert.key}.{step.number}"


def cap_time(at: datetime) -> str:
    """With its offset and without a fraction: CAP refuses a Z."""
    return timezone.localtime(at).replace(microsecond=0).isoformat()


def pair(parent: ElementTree.Element, name: str, key: str, value: object) -> None:
    both = add(parent, name)
    add(both, "valueName", key)
    add(both, "value", value)


def message_xml(alert: Alert, chain: Sequence[Step], number: int, type: IncidentType | None, teller: Teller) -> bytes:
    """The message ``number`` (from 1) of the alert's chain."""
    step = chain[number - 1]
    root = ElementTree.Element("alert", {"xmlns": NAMESPACE})

    add(root, "identifier", identifier_of(alert, step))
    add(root, "sender", teller.sender)
    add(root, "sent", cap_time(step.at))
    add(root, "status", status_of(alert))
    add(root, "msgType", step.kind)
    add(root, "scope", "Restricted")
    add(root, "restriction", "For the systems of the agencies this key was given to; not for publication.")
    if alert.is_synthetic:
        add(root, "note", "Made-up data for demonstration. Disregard.")
    if step.number > 1:
        earlier = chain[: step.number - 1][-MOST_REFERENCES:]
        add(root, "references", " ".join(f"{teller.sender},{identifier_of(alert, one)},{cap_time(one.at)}" for one in earlier))
    add(root, "incidents", str(alert.key))
    for language, tag in LANGUAGES:
        with translation.override(language):
            _info(root, alert, step, type, tag, teller)
    return written(root)


def status_of(alert: Alert) -> str:
    """What is made up is a Test, which every recipient disregards; what is about our own feeds is for systems."""
    if alert.is_synthetic:
        return "Test"
    return "System" if alert.rule is not None and alert.rule.source == _SOURCE.FEED_SILENCE else "Actual"


def _info(root: ElementTree.Element, alert: Alert, step: Step, type: IncidentType | None, tag: str, teller: Teller) -> None:
    info = add(root, "info")
    source = alert.rule.source if alert.rule is not None else ""
    is_over = step.kind == "Cancel"
    level = Level(step.level)
    add(info, "language", tag)
    add(info, "category", CATEGORY.get(alert.category, "Infra" if source == _SOURCE.FEED_SILENCE else "Other"))
    add(info, "event", (type.name if type else "") or (alert.rule.name if alert.rule else "") or _("Alert raised by a person"))
    add(info, "urgency", "Past" if is_over else "Future" if source == _SOURCE.FORECAST else URGENCY[level])
    add(info, "severity", SEVERITY[level])
    add(info, "certainty", CERTAINTY.get(source, "Observed"))
    if alert.type_code:
        pair(info, "eventCode", TYPE_CODES, alert.type_code)
    add(info, "effective", cap_time(step.at))
    add(info, "onset", cap_time(alert.caused_at))
    add(info, "expires", cap_time(step.at + CANCEL_STANDS if is_over else max(alert.resolve_due_at, step.at)))
    add(info, "senderName", (alert.agency.name if alert.agency else "") or _("Ministry of Interior"))
    title = title_of(alert, teller)
    title = f"{_('TEST, made-up data')}: {title}" if alert.is_synthetic else title
    add(info, "headline", title[:160])
    add(info, "description", _description(alert, step, teller.words))
    add(info, "web", f"{teller.url}/api/v1/alerts/{alert.pk}")
    for key, value in (("level", step.level), ("occurrences", step.count), ("alert", alert.pk)):
        pair(info, "parameter", f"urn:khareetaty:{key}", value)
    _area(info, alert, teller)


def title_of(alert: Alert, teller: Teller) -> str:
    """What a person typed is told like their other words."""
    return _("Alert raised by a person") if alert.kind == Alert.Kind.MANUAL and not teller.words else alert.title


def _description(alert: Alert, step: Step, words: bool) -> str:
    says = [alert.text] if alert.text and words else []
    if step.measure is not None and alert.threshold is not None:
        figures = {"measure": f"{step.measure:g}", "threshold": f"{alert.threshold:g}"}
        says.append(_("Measured %(measure)s; the rule's threshold is %(threshold)s.") % figures)
    says.append(_("Occurrences so far: %(count)d.") % {"count": step.count})
    if step.kind == "Cancel":
        says.append(_("This alert is resolved."))
    if alert.is_synthetic:
        says.append(_("Made-up data for demonstration. Disregard."))
    return " ".join(says)


def _area(info: ElementTree.Element, alert: Alert, teller: Teller) -> None:
    """The circle round what happened at one place; otherwise the zone it is about."""
    zone = alert.zone or alert.governorate
    if not teller.words and zone is not None and zone.level in _FINER_THAN_AREA:
        zone = alert.governorate
    if zone is None and teller.place is None:
        return
    area = add(info, "area")
    add(area, "areaDesc", zone.name if zone else _("Around a point"))
    at_point = alert.zone is None or alert.incident_id is not None or alert.kind == Alert.Kind.MANUAL
    if at_point and teller.place is not None:
        add(area, "circle", circle_of(teller.place, CIRCLE_KM))
    elif zone is not None:
        for ring in rings_of(zone.boundary):
            add(area, "polygon", ring)
    if zone is not None:
        pair(area, "geocode", ZONE_CODES, f"{zone.level}:{zone.code}")


@dataclass(frozen=True)
class Entry:
    """The newest message of one alert, for the feed."""

    alert: Alert
    step: Step


def feed_xml(entries: Sequence[Entry], teller: Teller, *, page_url: str, next_url: str = "") -> bytes:
    """RFC 4287. The feed's id and the entries' stay the same whoever asks and however often."""
    root = ElementTree.Element("feed", {"xmlns": ATOM})
    add(root, "id", f"tag:{teller.sender},2026:cap/alerts")
    add(root, "title", _("Alerts (CAP 1.2)"))
    add(root, "updated", max((one.step.at for one in entries), default=SINCE).isoformat())
    add(add(root, "author"), "name", teller.sender)
    add(root, "link", rel="self", type="application/atom+xml", href=page_url)
    if next_url:
        add(root, "link", rel="next", type="application/atom+xml", href=next_url)
    for one in entries:
        name = identifier_of(one.alert, one.step)
        entry = add(root, "entry")
        add(entry, "id", f"tag:{teller.sender},2026:cap/{name}")
        add(entry, "title", f"{status_of(one.alert)} · {one.step.kind} · {title_of(one.alert, teller)}")
        add(entry, "updated", one.step.at.isoformat())
        add(entry, "published", one.alert.opened_at.isoformat())
        add(entry, "summary", _description(one.alert, one.step, teller.words))
        add(entry, "category", term=one.step.kind)
        add(entry, "link", rel="alternate", type="application/cap+xml", href=f"{teller.url}/api/v1/cap/alerts/{name}.xml")
    return written(root)
