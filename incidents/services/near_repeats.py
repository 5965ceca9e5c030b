"""The live near-repeat alert: an incident lies close to an earlier one where, by the test that stands, one brings another."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.contrib.gis.geos import Polygon
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from pyproj import Transformer

from core.events import publish
from core.models import Event
from incidents import events
from incidents.models import Incident, NearRepeat
from incidents.services.trust.switches import is_on

TEST_HOLDS = timedelta(days=30)  # a test older than this says nothing of today
NAMED = 20  # earlier incidents an event names; it counts them all
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class NearRepeatWarning:
    """What was announced of one incident, for its page."""

    count: int
    earlier: list[int]
    within_m: float
    within_days: float
    ratio: float
    until: datetime
    is_over: bool


@transaction.atomic
def raise_near_repeats(*, incident_ids: Iterable[int], now: datetime | None = None) -> list[Event]:
    """Announce ``near_repeat.raised`` for each of these that repeats an earlier incident nearby, and for those it turns out to precede.

    Once an incident, ever. Nothing is raised where the test of the incident's category in its governorate (else in its region) is not
    significant or a month old; of incidents the analytics do not learn from (discovered, driven by enforcement, duplicates, …); nor
    once the time in which another is likelier has passed, as for an old incident entered today.
    """
    now = now or timezone.now()
    tests = _standing_tests(now)
    if not tests or not is_on(NearRepeat.MODEL):
        return []
    raised: list[Event | None] = []
    for incident in _modelled().filter(pk__in=sorted(set(incident_ids))).order_by("occurred_at", "pk"):
        test = _test_of(incident, tests)
        if test is None:
            continue
        near = _near(incident, test)
        raised.append(_announce(incident, _before(incident, near), test, now))
        # Reported late, this may be the earlier one of an incident we have had for days; of one imported in bulk we say nothing.
        later = [other for other in near if _follows(other, incident) and _has_event(other, events.INCIDENT_OPENED)]
        raised += [_announce(other, _before(other, _near(other, test)), test, now) for other in later]
    return [event for event in raised if event is not None]


_Tests = dict[tuple[int, str, int | None], NearRepeat]


def _standing_tests(now: datetime) -> _Tests:
    """Every test that stands and is not too old, if any of them is significant: one look for a whole batch of incidents."""
    standing = NearRepeat.objects.filter(is_current=True, learnt_to__gte=now - TEST_HOLDS)
    tests = {(test.region_id, test.category, test.governorate_id): test for test in standing.defer("bands").order_by("pk")}
    return tests if any(test.is_significant for test in tests.values()) else {}


def _test_of(incident: Incident, tests: _Tests) -> NearRepeat | None:
    """The test an incident is judged by, its governorate's where there is one, else its region's; ``None`` where it is not significant."""
    region, category = incident.region_id, incident.type.category
    found = tests.get((region, category, incident.governorate_id)) or tests.get((region, category, None))
    return found if found is not None and found.is_significant and found.ratio is not None else None


def warning_of(incident: Incident, *, now: datetime | None = None) -> NearRepeatWarning | None:
    """What was announced of this incident; ``None`` where nothing was, or the alert is switched off now."""
    event = Event.objects.filter(type=events.NEAR_REPEAT_RAISED, subject_type="incident", subject_id=incident.pk).first()
    if event is None or not is_on(NearRepeat.MODEL):
        return None
    said: dict[str, Any] = event.data
    until = datetime.fromisoformat(said["until"])
    return NearRepeatWarning(
        count=said["count"],
        earlier=said["earlier"],
        within_m=said["within_m"],
        within_days=said["within_days"],
        ratio=said["ratio"],
        until=until,
        is_over=until <= (now or timezone.now()),
    )


def _modelled() -> QuerySet[Incident]:
    return Incident.objects.modelled().select_related("type", "region")


def _follows(later: Incident, earlier: Incident) -> bool:
    return (earlier.occurred_at, earlier.pk) < (later.occurred_at, later.pk)


def _before(incident: Incident, others: Iterable[Incident]) -> list[Incident]:
    return [other for other in others if _follows(incident, other)]


def _near(incident: Incident, test: NearRepeat) -> list[Incident]:
    """Modelled incidents of the category within both limits, before and after; real ones for a real one, made-up ones for a made-up."""
    assert incident.location is not None
    lon, lat = incident.location.x, incident.location.y
    up = test.within_m / _METRES_PER_DEGREE * 1.1
    across = up / max(float(np.cos(np.radians(lat))), 0.01)
    box = Polygon.from_bbox((lon - across, lat - up, lon + across, lat + up))
    box.srid = 4326
    span = timedelta(days=test.within_days)
    found = list(
        _modelled()
        .filter(
            region=incident.region_id,
            type__category=incident.type.category,
            is_synthetic=incident.is_synthetic,
            occurred_at__range=(incident.occurred_at - span, incident.occurred_at + span),
            location__coveredby=box,
        )
        .exclude(pk=incident.pk)
        .order_by("occurred_at", "pk")
    )
    if not found:
        return []
    metres = Transformer.from_crs(4326, incident.region.metric_srid, always_xy=True)
    x, y = metres.transform([one.location.x for one in found if one.location], [one.location.y for one in found if one.location])
    at = metres.transform(lon, lat)
    apart = np.hypot(np.array(x) - at[0], np.array(y) - at[1])
    return [one for one, distance in zip(found, apart.tolist(), strict=True) if distance <= test.within_m]


def _announce(incident: Incident, earlier: Collection[Incident], test: NearRepeat, now: datetime) -> Event | None:
    until = incident.occurred_at + timedelta(days=test.within_days)
    if not earlier or until <= now or _has_event(incident, events.NEAR_REPEAT_RAISED):
        return None
    newest = sorted(earlier, key=lambda one: (one.occurred_at, one.pk), reverse=True)
    return publish(
        events.NEAR_REPEAT_RAISED,
        subject=incident,
        agency_id=incident.agency_id,
        governorate_id=incident.governorate_id,
        data={
            "incident": incident.pk,
            "earlier": [one.pk for one in newest[:NAMED]],
            "count": len(earlier),
            "within_m": test.within_m,
            "within_days": test.within_days,
            "ratio": test.ratio,
            "until": until.isoformat(),
            "test": test.pk,
            "is_synthetic": incident.is_synthetic,
        },
    )


def _has_event(incident: Incident, type: str) -> bool:
    return Event.objects.filter(type=type, subject_type="incident", subject_id=incident.pk).exists()
