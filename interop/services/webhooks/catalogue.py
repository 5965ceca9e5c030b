"""The events other systems may be told of. What is not listed here never leaves the house, and of what is listed only the named values.

Nothing about officers' safety (SOS, welfare, duress), nothing about people, their addresses or their sign-in is in the list, and no
value that names a person. The list is part of the API's promise: names are added, never given another meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from alerts import events as alerts
from incidents import events as incidents
from interop import events as interop
from interop.models import Scope
from iot import events as iot
from patrol import events as patrol


class Sight(Enum):
    """Whose it is: the same rule by which the API shows the subject (see each model's ``visible_to``)."""

    OWNED = "owned"  # an agency's, in a governorate
    SHARED = "shared"  # the same, or of a governorate and of no agency: then every agency's there
    PLACED = "placed"  # a governorate's, whatever the agency
    AGREED = "agreed"  # the two sides of a sharing agreement: as its model says
    GENERAL = "general"  # everybody's who may see anything


@dataclass(frozen=True)
class EventType:
    name: str
    scope: Scope
    sight: Sight
    about: str | Promise
    values: tuple[str, ...] = ()  # of the event's data, those that go out
    subject: str = ""  # what ``subject`` names; "incident" gives its reference
    link: str = ""  # the API's name of the subject's address


READ_INCIDENTS, READ_HOTSPOTS, READ_ALERTS, READ_PATROL = (
    Scope.INCIDENTS_READ,
    Scope.HOTSPOTS_READ,
    Scope.ALERTS_READ,
    Scope.PATROL_READ,
)
TEST = "webhook.test"


def _incident(name: str, about: str | Promise, *values: str) -> EventType:
    return EventType(name, READ_INCIDENTS, Sight.OWNED, about, values, "incident", "api-incident")


def _alert(name: str, about: str | Promise, *values: str) -> EventType:
    return EventType(name, READ_ALERTS, Sight.SHARED, about, values, "alert", "api-alert")


def _sharing(name: str, about: str | Promise) -> EventType:
    return EventType(name, READ_INCIDENTS, Sight.AGREED, about, ("version", "giver", "receiver"), "agreement", "api-agreement")


def _device(name: str, about: str | Promise, *values: str) -> EventType:
    return EventType(name, Scope.TELEMETRY_READ, Sight.OWNED, about, values, "device")


def _anomaly(name: str, about: str | Promise, *values: str) -> EventType:
    said = ("device", "property", "detector", "severity", "score", "value", "since", "is_synthetic", *values)
    return EventType(name, Scope.TELEMETRY_READ, Sight.OWNED, about, said, "anomaly", "api-iot-anomaly")


def _patrol(name: str, about: str | Promise, *values: str, subject: str = "", link: str = "") -> EventType:
    return EventType(name, READ_PATROL, Sight.OWNED, about, values, subject, link)


_ALL = (
    _incident(incidents.INCIDENT_OPENED, _("An incident was opened."), "type", "priority", "severity", "source"),
    _incident(incidents.INCIDENT_MOVED, _("An incident's state changed."), "from", "to"),
    _incident(incidents.INCIDENT_CHANGED, _("Details of an incident changed; the names of the fields."), "fields"),
    _incident(incidents.INCIDENT_NOTED, _("Somebody wrote a note on an incident.")),
    _incident(incidents.INCIDENT_REPORTED_AGAIN, _("Another report of an incident came in."), "source"),
    _incident(
        incidents.INCIDENT_PAIRED,
        _("A person decided whether an incident and another are one event: merged, linked, told apart, or taken back."),
        "how", "is_kept",
    ),
    EventType(
        incidents.INCIDENTS_IMPORTED, READ_INCIDENTS, Sight.OWNED,
        _("Incidents came in from a file, many at once: none of them is told of by itself."), ("source", "count"),
    ),
    EventType(
        incidents.INCIDENTS_REZONED, READ_INCIDENTS, Sight.GENERAL,
        _("Boundaries moved, and with them the zones of incidents: read anew what you keep by zone."), ("count",),
    ),
    EventType(
        incidents.INCIDENT_TYPE_MERGED, READ_INCIDENTS, Sight.GENERAL,
        _("One type of incident became part of another."), ("from", "to", "count"),
    ),
    _incident(
        incidents.NEAR_REPEAT_RAISED,
        _("An incident near recent ones of its kind: more are likelier for a while."),
        "count", "within_m", "within_days", "ratio", "until", "is_synthetic",
    ),
    EventType(
        incidents.HOT_SPOT_CHANGED, READ_HOTSPOTS, Sight.PLACED, _("A hot spot was born, merged, split, returned or is gone."),
        ("change", "category", "merged", "split_from"), "hotspottrack", "api-hotspot-track",
    ),
    EventType(
        incidents.PIPELINE_FINISHED, READ_HOTSPOTS, Sight.GENERAL, _("The analysis of the night is finished: its results can be fetched."),
        ("status", "hot_spots", "forecasts"), "pipelinerun", "api-run",
    ),
    EventType(
        incidents.PREDICTIONS_SCORED, Scope.FORECASTS_READ, Sight.GENERAL, _("Predictions whose time has passed were scored."),
        ("scores", "predictions"),
    ),
    EventType(
        incidents.MODEL_SWITCHED, Scope.FORECASTS_READ, Sight.GENERAL, _("A method was switched on or off."), ("model", "is_on"),
    ),
    _alert(alerts.ALERT_FIRED, _("An alert fires."), "kind", "level"),
    _alert(alerts.ALERT_GREW, _("More of the same joined an alert."), "count", "level"),
    _alert(alerts.ALERT_ACKNOWLEDGED, _("Somebody acknowledged an alert."), "through"),
    _alert(alerts.ALERT_UNACKNOWLEDGED, _("An acknowledgement was withdrawn."), "because"),
    _alert(alerts.ALERT_QUIETED, _("An alert was kept quiet for a while."), "how", "until"),
    _alert(alerts.ALERT_REFIRED, _("An alert fires again."), "because"),
    _alert(alerts.ALERT_ESCALATED, _("An alert was escalated to the next step."), "step"),
    _alert(alerts.ALERT_RESOLVED, _("An alert is over."), "because"),
    _patrol(
        patrol.ASSIGNMENT_MADE, _("A unit was assigned to an incident or a task."), "unit", "kind",
        subject="assignment", link="api-patrol-assignment",
    ),
    _patrol(
        patrol.ASSIGNMENT_MOVED, _("An assignment's state changed."), "unit", "from", "to",
        subject="assignment", link="api-patrol-assignment",
    ),
    _patrol(patrol.UNIT_RETIRED, _("A unit was taken out of use."), "unit", subject="unit", link="api-patrol-unit"),
    _patrol(patrol.UNIT_RETURNED, _("A unit is in use again."), "unit", subject="unit", link="api-patrol-unit"),
    _patrol(
        patrol.PLAN_PUBLISHED, _("A patrol plan was published."), "shift", "version", "supersedes", subject="plan", link="api-patrol-plan",
    ),
    EventType(patrol.ROAD_CLOSED, READ_PATROL, Sight.PLACED, _("A road was closed."), ("from", "to")),
    EventType(patrol.ROAD_OPENED, READ_PATROL, Sight.PLACED, _("A closed road is open again.")),
    _device(iot.DEVICE_OFFLINE, _("A device was not heard for three of its cadences."), "code", "last_seen_at"),
    _device(iot.DEVICE_ONLINE, _("A device is heard again."), "code", "was_offline_s"),
    _device(
        iot.DEVICE_FLAPPING, _("A device comes and goes: nothing more is said of it until it holds still."),
        "code", "outages", "within_min",
    ),
    _device(
        iot.DEVICES_OFFLINE, _("Many devices of a gateway or a governorate went offline at once: none of them is told of by itself."),
        "count", "of", "gateway", "codes",
    ),
    _anomaly(iot.ANOMALY_RAISED, _("A device's readings show an anomaly.")),
    _anomaly(iot.ANOMALY_WORSENED, _("A device's anomaly became more severe.")),
    _anomaly(iot.ANOMALY_ACKNOWLEDGED, _("Somebody acknowledged an anomaly.")),
    _anomaly(iot.ANOMALY_RESOLVED, _("An anomaly is over."), "because"),
    EventType(
        interop.MESSAGE_CORRECTED, Scope.INCIDENTS_WRITE, Sight.OWNED,
        _("A message of your agency that could not go in was corrected by a person."), ("kind", "message_id"), "message",
    ),
    EventType(
        interop.FEED_SILENT, Scope.INCIDENTS_WRITE, Sight.OWNED, _("Nothing was heard from a feed of your agency for a while."),
        ("feed", "name_en", "name_ar", "minutes", "since"), "feed",
    ),
    EventType(
        interop.FEED_BACK, Scope.INCIDENTS_WRITE, Sight.OWNED, _("A feed of your agency is heard again."),
        ("feed", "name_en", "name_ar", "minutes"), "feed",
    ),
    _sharing(interop.SHARING_PROPOSED, _("An agreement to share was proposed: both sides have to sign.")),
    _sharing(interop.SHARING_CHANGED, _("The terms of an agreement changed: until both have signed anew, nothing is read through it.")),
    _sharing(interop.SHARING_AGREED, _("Both sides have signed an agreement: it can be read through while its time runs.")),
    _sharing(interop.SHARING_REVOKED, _("An agreement was revoked: nothing more is read through it.")),
    EventType(
        interop.SYSTEM_DOWN, Scope.INCIDENTS_WRITE, Sight.OWNED, _("A system of your agency does not answer."),
        ("system", "error", "code"), "system",
    ),
    EventType(
        interop.SYSTEM_UP, Scope.INCIDENTS_WRITE, Sight.OWNED, _("A system of your agency answers again."),
        ("system", "minutes"), "system",
    ),
)  # fmt: skip
CATALOGUE: dict[str, EventType] = {one.name: one for one in _ALL}
# Sent to one webhook when its owner asks for it; nobody subscribes to it.
TEST_TYPE = EventType(TEST, Scope.WEBHOOKS_MANAGE, Sight.GENERAL, _("A test of this webhook."), ("note",), "webhook")


@dataclass(frozen=True)
class Pattern:
    """``incident.opened``, ``incident.*`` or ``*``."""

    text: str
    prefix: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", self.text[:-1] if self.text.endswith(".*") else "")

    def matches(self, name: str) -> bool:
        if self.text == "*":
            return True
        return name.startswith(self.prefix) if self.prefix else name == self.text


def matching(patterns: Iterable[str]) -> list[EventType]:
    """The catalogue's entries that any of ``patterns`` names."""
    compiled = [Pattern(text) for text in patterns]
    return [one for one in CATALOGUE.values() if any(pattern.matches(one.name) for pattern in compiled)]
