"""A warning in CAP 1.2, from a weather service, the civil defence, a neighbour: what it says, checked and in our words.

It becomes an alert and no incident: a warning has an area, an end, and a sender who changes it and calls it off (docs/decisions/0245).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from alerts.choices import Level
from interop.messages.base import Message
from interop.messages.fields import Instant, Text, text
from interop.standards.cap import SEVERITY

NO_SPACE = r"^[^\s,<&]+$"
MOST_INFOS = 20
MOST_AREAS = 200
MOST_POINTS = 20_000
MOST_RADIUS_KM = 2_000.0
STANDS = timedelta(hours=24)  # what names no end is over a day after it was sent
STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")
KINDS = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPES = ("Public", "Restricted", "Private")
CATEGORIES = ("Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other")
RESPONSES = ("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None")
URGENCIES = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTIES = ("Observed", "Likely", "Very Likely", "Possible", "Unlikely", "Unknown")
LEVEL = {theirs: ours for ours, theirs in SEVERITY.items()} | {"Unknown": Level.MEDIUM}

Ring = tuple[tuple[float, float], ...]  # (longitude, latitude), closed


@dataclass(frozen=True)
class Circle:
    longitude: float
    latitude: float
    radius_km: float


@dataclass(frozen=True)
class Told:
    """One ``info``: the message in one language, or of one of its parts."""

    language: str
    event: str
    headline: str
    text: str
    urgency: str
    severity: str
    certainty: str
    sender_name: str
    web: str
    begins_at: datetime
    expires_at: datetime
    is_all_clear: bool
    codes: Mapping[str, str]
    area: str
    rings: tuple[Ring, ...]
    circles: tuple[Circle, ...]
    geocodes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Notice:
    """A CAP message in our words."""

    sender: str
    identifier: str
    sent_at: datetime
    status: str
    kind: str
    scope: str
    names: tuple[str, ...]  # of the messages it refers to
    infos: tuple[Told, ...]

    @property
    def name(self) -> str:
        return name_of(self.sender, self.identifier, self.sent_at)

    @property
    def is_actual(self) -> bool:
        return self.status == "Actual"


def name_of(sender: str, identifier: str, sent_at: datetime) -> str:
    """By these three CAP tells messages apart. The time is the instant, however its offset was written."""
    whole = f"{sender},{identifier},{sent_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
    return whole if len(whole) <= 128 else f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"


class PairSerializer(serializers.Serializer[Any]):
    name = text(200, "valueName")
    value = text(2_000, "value")


class AreaSerializer(serializers.Serializer[Any]):
    description = Text(max_length=2_000, help_text="areaDesc")
    polygon = serializers.ListField(
        child=Text(max_length=400_000), required=False, max_length=MOST_AREAS, help_text="Rings of latitude,longitude that close."
    )
    circle = serializers.ListField(child=Text(max_length=100), required=False, max_length=MOST_AREAS, help_text="latitude,longitude km")
    geocode = PairSerializer(many=True, required=False)
    altitude = text(40, "Feet above the sea.")
    ceiling = text(40, "Feet above the sea.")

    def validate_polygon(self, rings: Sequence[str]) -> list[Ring]:
        return [_ring(ring) for ring in rings]

    def validate_circle(self, circles: Sequence[str]) -> list[Circle]:
        return [_circle(circle) for circle in circles]


class InfoSerializer(serializers.Serializer[Any]):
    language = text(35, "RFC 3066; en-US where it is not named.")
    category = serializers.ListField(child=serializers.ChoiceField(choices=CATEGORIES), allow_empty=False, max_length=12)
    event = Text(max_length=500)
    response_type = serializers.ListField(child=serializers.ChoiceField(choices=RESPONSES), required=False, max_length=12)
    urgency = serializers.ChoiceField(choices=URGENCIES)
    severity = serializers.ChoiceField(choices=SEVERITIES)
    certainty = serializers.ChoiceField(choices=CERTAINTIES)
    audience = text(2_000, "Who is meant.")
    event_code = PairSerializer(many=True, required=False)
    effective = Instant(required=False, allow_null=True)
    onset = Instant(required=False, allow_null=True)
    expires = Instant(required=False, allow_null=True, help_text="Without it the message stands for a day.")
    sender_name = text(500, "Who says it, for people.")
    headline = text(1_000, "In a line.")
    description = text(20_000, "What it is.")
    instruction = text(20_000, "What to do.")
    web = text(2_000, "Where more is to be read.")
    contact = text(2_000, "Whom to ask.")
    parameter = PairSerializer(many=True, required=False)
    area = AreaSerializer(many=True, required=False)


class CapAlert(Message):
    """A CAP 1.2 message: an Alert opens an alert in every governorate its area lies in, an Update replaces it, a Cancel ends it.

    It is told apart by its sender, identifier and sent together. The JSON is the XML's elements under our names.
    """

    id_field = "identifier"
    type_field = "info"
    example = {
        "identifier": "KWMET-2026-0311",
        "sender": "cap@met.example",
        "sent": "2026-03-14T15:00:00+03:00",
        "status": "Actual",
        "msg_type": "Alert",
        "scope": "Public",
        "info": [
            {
                "language": "en",
                "category": ["Met"],
                "event": "Dust storm",
                "urgency": "Expected",
                "severity": "Severe",
                "certainty": "Likely",
                "expires": "2026-03-14T23:00:00+03:00",
                "headline": "Dust storm with sight below 500 m",
                "area": [{"description": "Hawalli", "circle": ["29.34,48.02 10"]}],
            }
        ],
    }

    identifier = serializers.RegexField(NO_SPACE, max_length=500, help_text="No space, comma, < or &.")
    sender = serializers.RegexField(NO_SPACE, max_length=500, help_text="One of those this partner may bring; no space, comma, < or &.")
    sent = Instant()
    status = serializers.ChoiceField(choices=STATUSES, help_text="Only what is Actual opens, changes or ends anything.")
    msg_type = serializers.ChoiceField(choices=KINDS)
    scope = serializers.ChoiceField(choices=SCOPES, help_text="Private: shown to the partner's own agency alone.")
    source = text(2_000, "By whom or by what it was found.")  # type: ignore[assignment]
    restriction = text(2_000, "Of what is Restricted.")
    addresses = text(20_000, "Of what is Private.")
    code = serializers.ListField(child=Text(max_length=2_000, allow_blank=True), required=False, max_length=100)
    note = text(2_000, "Remarks.")
    references = text(60_000, "sender,identifier,sent of earlier messages, with spaces between them.")
    incidents = text(20_000, "Names of what it is about.")
    info = InfoSerializer(many=True, required=False)

    def validate_references(self, given: str | None) -> tuple[str, ...]:
        return tuple(_reference(one) for one in (given or "").split()[:500])

    def validate_info(self, infos: Sequence[Any]) -> Sequence[Any]:
        if len(infos) > MOST_INFOS:
            raise serializers.ValidationError(_("At most %(limit)d of them.") % {"limit": MOST_INFOS})
        points = sum(len(ring) for info in infos for area in info.get("area", ()) for ring in area.get("polygon", ()))
        if points > MOST_POINTS:
            raise serializers.ValidationError(_("Polygons of at most %(limit)d points together.") % {"limit": MOST_POINTS})
        return infos

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["msg_type"] in ("Alert", "Update") and not attrs.get("info"):
            raise serializers.ValidationError({"info": _("An Alert and an Update say what it is.")})
        if attrs["msg_type"] == "Cancel" and not attrs.get("references"):
            raise serializers.ValidationError({"references": _("A Cancel names what it calls off.")})
        return attrs

    def id_of(self, given: Mapping[str, Any]) -> str:
        return name_of(given["sender"], given["identifier"], given["sent"])

    def raw_id_of(self, body: Mapping[str, Any]) -> str:
        three = [body.get(name) for name in ("sender", "identifier", "sent")]
        if not all(isinstance(one, str) and one.strip() for one in three):
            return ""
        whole = ",".join(str(one).strip() for one in three)
        return whole if len(whole) <= 128 else ""

    def particulars(self, given: Mapping[str, Any]) -> Notice:  # type: ignore[override]
        return Notice(
            sender=given["sender"],
            identifier=given["identifier"],
            sent_at=given["sent"],
            status=given["status"],
            kind=given["msg_type"],
            scope=given["scope"],
            names=tuple(given.get("references") or ()),
            infos=tuple(_told(info, given["sent"]) for info in given.get("info") or ()),
        )


def _told(info: Mapping[str, Any], sent: datetime) -> Told:
    areas = info.get("area") or ()
    says = (info.get("description") or "", info.get("instruction") or "")
    return Told(
        language=info.get("language") or "en-US",
        event=info["event"],
        headline=info.get("headline") or "",
        text="\n\n".join(part for part in says if part),
        urgency=info["urgency"],
        severity=info["severity"],
        certainty=info["certainty"],
        sender_name=info.get("sender_name") or "",
        web=info.get("web") or "",
        begins_at=info.get("onset") or info.get("effective") or sent,
        expires_at=info.get("expires") or max(info.get("onset") or sent, info.get("effective") or sent) + STANDS,
        is_all_clear="AllClear" in (info.get("response_type") or ()),
        codes={pair.get("name") or "": pair.get("value") or "" for pair in info.get("event_code") or ()},
        area=", ".join(dict.fromkeys(area["description"] for area in areas)),
        rings=tuple(ring for area in areas for ring in area.get("polygon") or ()),
        circles=tuple(circle for area in areas for circle in area.get("circle") or ()),
        geocodes=tuple((pair.get("name") or "", pair.get("value") or "") for area in areas for pair in area.get("geocode") or ()),
    )


def _reference(triple: str) -> str:
    parts = triple.split(",")
    try:
        sender, identifier, sent = parts
        at = Instant().run_validation(sent)
    except (ValueError, serializers.ValidationError):
        says = gettext_lazy("A reference is sender,identifier,sent: %(given)s is none.")
        raise serializers.ValidationError(says % {"given": triple[:80]}) from None
    return name_of(sender, identifier, at)


def _ring(given: str) -> Ring:
    points = tuple(_point(pair) for pair in given.split())
    if len(points) < 4 or points[0] != points[-1]:
        raise serializers.ValidationError(_("A polygon has four points or more, and ends where it began."))
    return points


def _circle(given: str) -> Circle:
    parts = given.split()
    try:
        (longitude, latitude), radius_km = _point(parts[0]), float(parts[1])
    except (IndexError, ValueError):
        radius_km = math.nan
    if len(parts) != 2 or not 0 <= radius_km <= MOST_RADIUS_KM:
        raise serializers.ValidationError(_("A circle is latitude,longitude and a radius of 0 to 2,000 km."))
    return Circle(longitude, latitude, radius_km)


def _point(pair: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(number) for number in pair.split(","))
    except ValueError:
        latitude = longitude = math.nan
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise serializers.ValidationError(_("“%(given)s” is no latitude,longitude.") % {"given": pair[:40]})
    return longitude, latitude
