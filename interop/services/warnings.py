"""A CAP message becomes what it means here: alerts opened, changed, or ended, one for each governorate its area lies in.

The messages of a source are taken one after the other (its row is held). Whatever order they come in, what was replaced or called off
never opens anything (docs/decisions/0245).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib.gis.geos import GEOSException, GEOSGeometry, Point, Polygon
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.choices import Level
from alerts.models import Alert, AlertState
from alerts.services.alerts import call_off, open_alert, tell_anew
from core.errors import DomainError, Invalid
from geography.models import Region, Zone
from geography.services import place_of
from incidents.models import IncidentType, Source
from interop.messages.cap import LEVEL, Notice, Told
from interop.models import CapMessage, InboxMessage, Partner, PartnerKey
from interop.standards.cap import TYPE_CODES, ZONE_CODES, our_name

Effect = CapMessage.Effect
SUBJECT = "capmessage"
LONGEST = timedelta(days=31)
SLIVER = 0.01  # of the area, or of the governorate: less is a border drawn with another pen
MOST_TEXT = 8_000


class TakenAlready(Exception):
    """The message has come before."""


@dataclass(frozen=True)
class Place:
    """A governorate that a warning is about (``None``: nobody knows where), and where in it."""

    governorate_id: int | None
    zone_id: int | None = None
    location: Point | None = None


@dataclass
class Taken:
    """What became of a message."""

    row: CapMessage
    effect: str
    alerts: list[Alert] = field(default_factory=list)

    def keep(self, message: InboxMessage) -> None:
        CapMessage.objects.filter(pk=self.row.pk).update(message=message)

    @property
    def governorate_id(self) -> int | None:
        places = {alert.governorate_id for alert in self.alerts}
        return places.pop() if len(places) == 1 else None


def take_warning(*, source: Source, partner: Partner, key: PartnerKey | None, notice: Notice, now: datetime | None = None) -> Taken:
    """In the caller's transaction. ``Invalid`` where the partner may not bring this sender's messages; ``TakenAlready`` of a repeat."""
    now = now or timezone.now()
    if notice.sender == our_name():
        raise _refusal(_("This is a message of ours."), "own_message")
    if notice.sender not in partner.cap_senders:
        raise _refusal(_("This partner may not bring messages of this sender."), "unknown_sender")
    Source.objects.select_for_update(no_key=True).get(pk=source.pk)
    row, _made = CapMessage.objects.get_or_create(source=source, name=notice.name)
    if row.effect:
        raise TakenAlready
    taken = _judged(row, notice, source, partner, key, now)
    CapMessage.objects.filter(pk=row.pk).update(effect=taken.effect, head=row.head_id or row.pk, at=now)
    return taken


def _refusal(sentence: str, code: str) -> DomainError:
    return Invalid(_("Some fields are not right."), fields={"sender": sentence}, codes={"sender": code})


def alerts_of(row: CapMessage | None) -> list[Alert]:
    """Those of the message's chain, in the order of their governorates."""
    if row is None:
        return []
    rows = Alert.objects.filter(subject_type=SUBJECT, subject_id=row.head_id or row.pk).select_related("governorate")
    return list(rows.defer("governorate__boundary").order_by("governorate_id", "-id"))


def _judged(row: CapMessage, notice: Notice, source: Source, partner: Partner, key: PartnerKey | None, now: datetime) -> Taken:
    if not notice.is_actual:
        return Taken(row, Effect.NOT_ACTUAL)
    if notice.kind in ("Ack", "Error"):
        return Taken(row, Effect.NOTED)
    earlier = _overtake(row, notice, source) if notice.kind in ("Update", "Cancel") else []
    if row.is_over:
        return Taken(row, Effect.OVERTAKEN)
    if notice.kind == "Cancel":
        return _ended(row, earlier, _("Its sender called it off."), now)
    standing = [info for info in notice.infos if info.expires_at > now]
    if not standing:
        return _ended(row, earlier, _("The time its sender named has passed."), now, otherwise=Effect.EXPIRED)
    if all(info.is_all_clear for info in standing):
        return _ended(row, earlier, _("Its sender says that it is over."), now)
    places = _places(standing, partner.region)
    allowed = [one for one in places if key is None or _may_open_in(key, one.governorate_id)]
    if places and not allowed:
        raise Invalid(
            _("Some fields are not right."),
            fields={"info": _("This key may not report for the governorates this lies in.")},
            codes={"info": "outside_jurisdiction"},
        )
    if not allowed:
        return _ended(row, earlier, _("It is about another place now."), now, otherwise=Effect.ELSEWHERE)
    return _told(row, notice, standing, allowed, earlier, partner, source, now)


def _overtake(row: CapMessage, notice: Notice, source: Source) -> list[Alert]:
    """Whatever the message refers to is over, come or not, and belongs to its chain. The alerts of that chain which are open."""
    names = sorted({name for name in notice.names if name != notice.name})
    if not names:
        return []
    CapMessage.objects.bulk_create([CapMessage(source=source, name=name) for name in names], ignore_conflicts=True)
    rows = list(CapMessage.objects.filter(source=source, name__in=names))
    heads = {one.head_id or one.pk for one in rows} | ({row.head_id} if row.head_id else set())
    head = min(heads)
    CapMessage.objects.filter(pk__in=[one.pk for one in rows]).update(is_over=True)
    CapMessage.objects.filter(source=source, head__in=heads).update(head=head)
    CapMessage.objects.filter(pk__in=[*heads, *(one.pk for one in rows), row.pk]).update(head=head)
    row.head_id = head
    found = Alert.objects.filter(subject_type=SUBJECT, subject_id__in=heads).exclude(state=AlertState.RESOLVED)
    return list(found.order_by("pk"))


def _ended(row: CapMessage, alerts: Sequence[Alert], outcome: str, now: datetime, *, otherwise: str = Effect.NOTED) -> Taken:
    over = [alert for alert in alerts if call_off(alert=alert, outcome=outcome, now=now)]
    return Taken(row, Effect.ENDED if over else otherwise, over)


def _told(
    row: CapMessage, notice: Notice, infos: Sequence[Told], places: Sequence[Place], earlier: Sequence[Alert], partner: Partner,
    source: Source, now: datetime,
) -> Taken:  # fmt: skip
    level = max((LEVEL[info.severity] for info in infos), key=lambda one: Level(one).rank)
    ends_at = min(max(info.expires_at for info in infos), now + LONGEST)
    title, text, facts = _titles(infos), _text(infos), _facts(notice, infos, source, ends_at)
    head_id = row.head_id or row.pk
    code = next((info.codes[TYPE_CODES] for info in infos if info.codes.get(TYPE_CODES)), "")
    type = IncidentType.objects.filter(code=code).first() if code else None
    open_ones: dict[int | None, Alert] = {}
    for alert in earlier:
        if alert.governorate_id in open_ones:  # two chains have become one
            call_off(alert=alert, outcome=_("Its sender put it together with another."), now=now)
        else:
            open_ones[alert.governorate_id] = alert
    told: dict[str, Any] = {"level": level, "text": text, "facts": facts, "now": now}
    alerts = []
    for place in places:
        known = open_ones.pop(place.governorate_id, None)
        if known is not None:
            alert = tell_anew(alert=known, title=title, location=place.location, zone_id=place.zone_id, ends_at=ends_at, **told)
            if known.subject_id != head_id:
                Alert.objects.filter(pk=known.pk).update(subject_id=head_id)
        else:
            is_shared = notice.scope != "Private" and place.governorate_id is not None
            alert = open_alert(
                kind=Alert.Kind.OUTSIDE,
                fingerprint=f"cap:{head_id}:{place.governorate_id or 0}:{row.pk}",
                title_en=title[0],
                title_ar=title[1],
                caused_at=min(info.begins_at for info in infos),
                policy=partner.cap_policy,
                agency_id=None if is_shared else partner.agency_id,
                governorate_id=place.governorate_id,
                zone_id=place.zone_id,
                location=place.location,
                subject=(SUBJECT, head_id),
                type_code=type.code if type else "",
                category=type.category if type else "",
                is_synthetic=partner.is_synthetic,
                resolve_after_min=max(1, math.ceil((ends_at - now).total_seconds() / 60)),
                **told,
            )
        alerts.append(alert)
    for alert in open_ones.values():
        call_off(alert=alert, outcome=_("It is about another place now."), now=now)
    return Taken(row, Effect.CHANGED if earlier else Effect.OPENED, alerts)


# --- in words ------------------------------------------------------------------------------------------------


def _in_language(infos: Sequence[Told], language: str) -> Told:
    return next((info for info in infos if info.language.lower().split("-")[0] == language), infos[0])


def _titles(infos: Sequence[Told]) -> tuple[str, str]:
    english, arabic = (_in_language(infos, language) for language in ("en", "ar"))
    return english.headline or english.event, arabic.headline or arabic.event


def _text(infos: Sequence[Told]) -> str:
    """Every language's words, one after the other: whoever reads one of them reads it whole."""
    return "\n\n".join(dict.fromkeys(info.text for info in infos if info.text))[:MOST_TEXT]


def _facts(notice: Notice, infos: Sequence[Told], source: Source, ends_at: datetime) -> dict[str, Any]:
    first = infos[0]
    web = next((info.web for info in infos if urlsplit(info.web).scheme in ("http", "https")), "")
    return {
        "event": "warning",
        "sender": notice.sender,
        "sender_name": next((info.sender_name for info in infos if info.sender_name), "")[:200],
        "identifier": notice.identifier[:200],
        "sent": notice.sent_at.isoformat(),
        "scope": notice.scope,
        "what": first.event[:200],
        "urgency": first.urgency,
        "severity": first.severity,
        "certainty": first.certainty,
        "area": ", ".join(dict.fromkeys(info.area for info in infos if info.area))[:300],
        "expires": ends_at.isoformat(),
        "web": web[:500],
        "source": source.slug,
    }


# --- where ----------------------------------------------------------------------------------------------------


def _may_open_in(key: PartnerKey, governorate_id: int | None) -> bool:
    places = key.jurisdiction.governorate_ids
    return places is None or governorate_id is None or governorate_id in places


def _places(infos: Sequence[Told], region: Region) -> list[Place]:
    """The governorates of the region that the area lies in, by our own codes where it has them, else as it is drawn.

    What draws nothing, and has no code of ours, is of the partner's agency and of no place; what is drawn elsewhere is nowhere here.
    """
    known = _coded(infos, region)
    if known:
        return known
    shape = _shape(infos, region)
    if shape is None:
        return [Place(None)]
    if isinstance(shape, Point):
        return _around(shape)
    found = []
    for zone in Zone.objects.filter(region=region, level=Zone.Level.GOVERNORATE, is_active=True, boundary__bboverlaps=shape).order_by("pk"):
        try:
            shared = zone.boundary.intersection(shape)
        except GEOSException:
            shared = zone.boundary.buffer(0).intersection(shape.buffer(0))
        if not shared.empty and (shared.area >= SLIVER * shape.area or shared.area >= SLIVER * zone.boundary.area):
            point = shared.point_on_surface
            point.srid = 4326
            found.append(Place(zone.pk, _area_over(shared, point), point))
    return found


def _coded(infos: Sequence[Told], region: Region) -> list[Place]:
    codes = {value for info in infos for name, value in info.geocodes if name == ZONE_CODES}
    places: dict[int | None, Place] = {}
    for code in sorted(codes)[:50]:
        level, _colon, name = code.partition(":")
        zone = Zone.objects.filter(region=region, level=level, code=name, is_active=True).select_related("parent__parent__parent").first()
        over: Zone | None = zone
        while over is not None and over.level != Zone.Level.GOVERNORATE:
            over = over.parent
        if zone is None or over is None:
            continue
        is_whole = zone.pk == over.pk or over.pk in places
        places[over.pk] = Place(over.pk, None if is_whole else zone.pk, _drawn_point(infos) or zone.label_point)
    return list(places.values())


def _drawn_point(infos: Sequence[Told]) -> Point | None:
    """The middle of a circle, where that is all that is drawn."""
    circles = {circle for info in infos for circle in info.circles}
    if len(circles) != 1 or any(info.rings for info in infos):
        return None
    (circle,) = circles
    return Point(circle.longitude, circle.latitude, srid=4326)


def _around(point: Point) -> list[Place]:
    place = place_of(point)
    return [Place(place.governorate_id, place.area_id, point)] if place is not None and place.governorate_id else []


def _area_over(shared: GEOSGeometry, point: Point) -> int | None:
    """The area that holds all of it, if there is one."""
    place = place_of(point)
    if place is None or place.area_id is None:
        return None
    boundary = Zone.objects.values_list("boundary", flat=True).get(pk=place.area_id)
    return place.area_id if shared.difference(boundary).area < SLIVER * shared.area else None


def _shape(infos: Sequence[Told], region: Region) -> GEOSGeometry | None:
    """What is drawn, in degrees; a point where it is a circle of no width; ``None`` where nothing is drawn."""
    circles = list(dict.fromkeys(circle for info in infos for circle in info.circles))
    rings = list(dict.fromkeys(ring for info in infos for ring in info.rings))
    if not rings and len(circles) == 1 and circles[0].radius_km == 0:
        return Point(circles[0].longitude, circles[0].latitude, srid=4326)
    parts: list[GEOSGeometry] = []
    for ring in rings:
        drawn: GEOSGeometry = Polygon(ring, srid=4326)
        parts.append(drawn if drawn.valid else drawn.buffer(0))
    parts += [_disc(circle.longitude, circle.latitude, max(circle.radius_km, 0.001)) for circle in circles]
    parts = [part for part in parts if not part.empty]
    if not parts:
        return None
    shape = parts[0]
    for part in parts[1:]:
        shape = shape.union(part)
    shape.srid = 4326
    return shape


def _disc(longitude: float, latitude: float, radius_km: float) -> GEOSGeometry:
    """A circle on the ground, by its points: good anywhere but at the poles, whatever the region's own projection."""
    points = []
    narrow = max(math.cos(math.radians(latitude)), 0.01)
    for step in range(64):
        angle = 2 * math.pi * step / 64
        points.append((longitude + radius_km / 111.195 / narrow * math.cos(angle), latitude + radius_km / 111.195 * math.sin(angle)))
    return Polygon([*points, points[0]], srid=4326)
