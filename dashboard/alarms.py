"""Calls for help and missed welfare checks as every command screen shows them: one shape, by the socket and by asking."""

from __future__ import annotations

import functools
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.contrib.gis.geos import Point
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from core.live import pushes
from core.live.pushes import Shown
from geography.models import Zone
from geography.services.resolve import place_of
from patrol.models import Sos, WelfareCheck

ROOM = "alarms"
NAMED_FOR_S = 60


@dataclass(slots=True, weakref_slot=False)
class Alarm(Shown):
    """Told to the alarm rooms alone, and there to whoever sees the place or the unit."""

    also_governorate_id: int | None = None
    of_unit: bool = False

    def visible_to(self, jurisdiction: pushes.Jurisdiction) -> bool:
        if jurisdiction.admits(agency_id=self.agency_id, governorate_id=self.governorate_id):
            return True
        return self.of_unit and jurisdiction.admits(agency_id=self.agency_id, governorate_id=self.also_governorate_id)

    def become(self, newer: Shown) -> None:
        # Not super(): a dataclass with slots is a class made anew.
        Shown.become(self, newer)
        assert isinstance(newer, Alarm)
        self.also_governorate_id, self.of_unit = newer.also_governorate_id, newer.of_unit


def open_alarms(viewer: Any) -> list[dict[str, Any]]:
    """What this person's screen must show now, the oldest first. What its caller must not give away on their own screen is left out."""
    calls = [sos for sos in Sos.objects.open().visible_to(viewer).for_screen() if not _is_hidden_from(viewer, sos)]
    checks = WelfareCheck.objects.missed().visible_to(viewer).for_screen()
    return [sos_facts(sos) for sos in reversed(calls)] + [welfare_facts(check) for check in reversed(list(checks))]


def _is_hidden_from(viewer: Any, sos: Sos) -> bool:
    return viewer.pk == sos.user_id and (sos.is_silent or sos.is_duress)


def sos_facts(sos: Sos) -> dict[str, Any]:
    """In the language of the moment."""
    ended = ""
    if sos.ended_at is not None:
        ended = _("withdrawn by its caller with their code") if sos.withdrawn_at and not sos.is_duress else sos.outcome
    return {
        "key": f"sos-{sos.pk}",
        "kind": "sos",
        "id": sos.pk,
        "caller": sos.user_id,
        "who": str(sos.member or sos.user),
        "call_sign": sos.unit.call_sign if sos.unit is not None else "",
        "agency": str(sos.agency or ""),
        "since": _iso(sos.pressed_at),
        "received_at": _iso(sos.received_at),
        "place": _place_name(sos),
        "lon": sos.location.x if sos.location else None,
        "lat": sos.location.y if sos.location else None,
        "accuracy_m": sos.accuracy_m,
        "located_at": _iso(sos.location_at),
        "is_silent": sos.is_silent,
        "is_duress": sos.is_duress,
        "wrong_codes": sos.wrong_codes,
        "repeats": sos.repeats,
        "answered_by": str(sos.acknowledged_by or ""),
        "answered_at": _iso(sos.acknowledged_at),
        "is_open": sos.ended_at is None,
        "ended": ended,
        "is_synthetic": sos.is_synthetic,
        "url": reverse("sos-one", args=[sos.pk]),
        "answer_url": reverse("sos-answer", args=[sos.pk]),
    }


def welfare_facts(check: WelfareCheck) -> dict[str, Any]:
    last = getattr(check.unit, "last_position", None)
    return {
        "key": f"welfare-{check.pk}",
        "kind": "welfare",
        "id": check.pk,
        "caller": None,
        "who": "",
        "call_sign": check.unit.call_sign,
        "agency": str(check.unit.agency),
        "since": _iso(check.due_at),
        "received_at": _iso(check.escalated_at),
        "place": "",
        "lon": last.location.x if last else None,
        "lat": last.location.y if last else None,
        "accuracy_m": last.accuracy_m if last else None,
        "located_at": _iso(last.at) if last else None,
        "is_silent": False,
        "is_duress": False,
        "wrong_codes": 0,
        "repeats": 0,
        "answered_by": "",
        "answered_at": None,
        "is_open": check.ended_at is None and check.escalated_at is not None,
        "is_warned": check.ended_at is None and check.warned_at is not None,
        "ended": check.ended_because,
        "is_synthetic": check.unit.is_synthetic,
        "url": reverse("sos"),
        "answer_url": reverse("sos-welfare", args=[check.pk]),
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds") if at is not None else None


def _place_name(sos: Sos) -> str:
    if sos.location is None:
        return ""
    return _named(sos.location.x, sos.location.y, translation.get_language(), int(time.monotonic() // NAMED_FOR_S))


@functools.lru_cache(maxsize=1_000)
def _named(lon: float, lat: float, language: str, while_: int) -> str:
    """Every screen asks for the same calls every few seconds: their places are looked up once a minute."""
    place = place_of(Point(lon, lat, srid=4326))
    if place is None:
        return ""
    zones = Zone.objects.filter(pk__in=[pk for pk in (place.area_id, place.governorate_id) if pk]).defer("boundary")
    return _(", ").join(zone.name for zone in sorted(zones, key=lambda zone: zone.level == Zone.Level.GOVERNORATE))


def shown_alarms(wanted: Collection[tuple[str, int]], languages: Collection[str]) -> dict[tuple[str, int], Alarm]:
    """For the presenter: subjects of the log as they stand now, in each language."""
    found: dict[tuple[str, int], Alarm] = {}
    calls = [pk for kind, pk in wanted if kind == "sos"]
    for sos in Sos.objects.filter(pk__in=calls).for_screen() if calls else ():
        texts = {language: _members(language, sos_facts, sos) for language in languages}
        unit = sos.unit
        found["sos", sos.pk] = Alarm(
            sos.pk, sos.agency_id, sos.governorate_id, texts, only_in=ROOM,
            also_governorate_id=unit.governorate_id if unit else None, of_unit=unit is not None,
        )  # fmt: skip
    checks = [pk for kind, pk in wanted if kind == "welfarecheck"]
    for check in WelfareCheck.objects.filter(pk__in=checks).for_screen() if checks else ():
        texts = {language: _members(language, welfare_facts, check) for language in languages}
        found["welfarecheck", check.pk] = Alarm(check.pk, check.unit.agency_id, check.unit.governorate_id, texts, only_in=ROOM)
    return found


def _members(language: str, facts: Any, row: Any) -> str:
    with translation.override(language):
        told = {"id": None, "ref": None, "html": None, "feature": None, "open": None, "alarm": facts(row)}
    return orjson.dumps(told).decode()[1:-1]
