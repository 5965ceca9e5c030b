"""The simulator: reports synthetic incidents through the real API, and has imaginary crews work them off."""

from __future__ import annotations

import itertools
import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import numpy as np
from django.db import close_old_connections
from django.utils import timezone

from core.errors import DomainError
from demo.generator import KINDS, Place, draw
from demo.services.accounts import simulator_file
from demo.services.history import SEED, places_of
from demo.words import DESCRIPTIONS
from geography.models import Region
from incidents.lifecycle import Disposition, State
from incidents.models import Incident, IncidentType
from incidents.services import close_incident, move_incident
from patrol.models import Assignment

logger = logging.getLogger(__name__)

# The usual next step and the median minutes an incident waits for it at priority 1; each further priority doubles the wait.
NEXT = {
    State.RECEIVED: (State.CLASSIFIED, 0.5),
    State.CLASSIFIED: (State.QUEUED, 0.5),
    State.QUEUED: (State.DISPATCHED, 1.0),
    State.DISPATCHED: (State.EN_ROUTE, 1.0),
    State.EN_ROUTE: (State.ON_SCENE, 5.0),
    State.ON_SCENE: (State.CLEARED, 15.0),
    State.CLEARED: (State.CLOSED, 3.0),
    State.REOPENED: (State.DISPATCHED, 2.0),
}


@dataclass
class Simulator:
    """``per_minute`` reports on average; the crews keep about ``open_goal`` incidents open."""

    base_url: str
    per_minute: float
    open_goal: int = 40
    rng: random.Random = field(default_factory=random.Random)

    def run(self) -> None:
        keys = json.loads(simulator_file().read_text())
        region = Region.objects.get(is_default=True)
        reports = endless_reports(places_of(region), region.zone_info, self.rng.randrange(2**31))
        with httpx.Client(base_url=self.base_url, timeout=10) as client:
            self._wait_until_ready(client)
            logger.info("reporting about %.0f synthetic incidents a minute through %s", self.per_minute, self.base_url)
            while True:
                time.sleep(self.rng.expovariate(self.per_minute / 60))
                close_old_connections()
                self.report(client, keys, next(reports))
                self.work_off()

    def _wait_until_ready(self, client: httpx.Client) -> None:
        while True:
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(1)

    def report(self, client: httpx.Client, keys: dict[str, str], drawn: tuple[str, float, float, bool]) -> bool:
        """Post one message; a message the API could not take is logged and left (the next one is on its way)."""
        code, lon, lat, is_discovered = drawn
        kind = IncidentType.objects.select_related("agency").get(code=code)
        assert kind.agency is not None
        now = timezone.now()
        try:
            answer = client.post(
                f"/api/v1/ingest/{message_kind(kind)}",
                headers={"X-API-Key": keys[kind.agency.slug]},
                json=message(kind, lon, lat, is_discovered=is_discovered, now=now, rng=self.rng),
            )
        except httpx.HTTPError as error:
            logger.warning("not delivered: %s", error)
            return False
        # 422: the drawn point fell into the sea. As in life, the message was wrong; the next one will be right.
        if answer.status_code not in (200, 201, 422):
            logger.warning("refused with %d: %s", answer.status_code, answer.text[:300])
        return answer.status_code == 201

    def work_off(self) -> None:
        """Some open incidents take their next step, more of them the more are open."""
        now = timezone.now()
        # What a unit was sent to goes at that unit's pace.
        nobodys = Incident.objects.filter(is_synthetic=True).open().exclude(assignments__in=Assignment.objects.open())
        open_now = list(nobodys.order_by("id")[:400])
        hurry = max(0.15, len(open_now) / self.open_goal)
        for incident in self.rng.sample(open_now, min(len(open_now), 25)):
            to, minutes = NEXT[State(incident.state)]
            waited = now - incident.changed_at
            if waited < timedelta(minutes=minutes * 1.7 ** (incident.priority - 1) * self.rng.lognormvariate(0, 0.5) / hurry):
                continue
            try:
                if to == State.CLOSED:
                    close_incident(
                        incident=incident,
                        by=None,
                        disposition=self.rng.choice([Disposition.RESOLVED, Disposition.REPORT_TAKEN, Disposition.NO_ACTION]),
                    )
                else:
                    move_incident(incident=incident, to=to, by=None)
            except DomainError:
                # A person on the board was quicker.
                continue


def message_kind(kind: IncidentType) -> str:
    """Which message the type's agency sends for it."""
    assert kind.agency is not None
    if kind.code == "congestion":
        return "congestion"
    agencies = {"traffic": "traffic-accident", "fire": "fire-incident", "ems": "ems-call", "municipality": "municipal-complaint"}
    return agencies.get(kind.agency.slug, "moi-incident")


def message(kind: IncidentType, lon: float, lat: float, *, is_discovered: bool, now: datetime, rng: random.Random) -> dict[str, Any]:
    """The report in its agency's own words."""
    number = f"SIM-{uuid4().hex[:16]}"
    happened = (now - timedelta(minutes=rng.expovariate(1 / 2))).isoformat(timespec="seconds")
    reported = now.isoformat(timespec="seconds")
    place = {"location": {"longitude": round(lon, 6), "latitude": round(lat, 6)}}
    text = rng.choice(DESCRIPTIONS.get(kind.code, ("",)))
    match message_kind(kind):
        case "congestion":
            level = rng.choice(["moderate", "heavy", "standstill"])
            return place | {"observation_id": number, "observed_at": reported, "level": level, "speed_kmh": rng.randrange(5, 40)}
        case "traffic-accident":
            facts = {"accident_number": number, "occurred_at": happened, "reported_at": reported, "accident_type": kind.name_en}
            return place | facts | {"description": text}
        case "fire-incident":
            return place | {
                "incident_number": number,
                "incident_type": kind.name_en,
                "started_at": happened,
                "alarm_at": reported,
                "remarks": text,
            }
        case "ems-call":
            return place | {
                "call_number": number,
                "chief_complaint": kind.name_en,
                "onset_at": happened,
                "call_at": reported,
                "notes": text,
            }
        case "municipal-complaint":
            facts = {"complaint_number": number, "category": kind.name_en, "submitted_at": reported}
            return place | facts | {"details": text}
    facts = {"report_number": number, "incident_type": kind.name_en, "occurred_at": happened, "reported_at": reported}
    return place | facts | {"discovered_by_officer": is_discovered, "description": text}


def endless_reports(places: list[Place], zone: ZoneInfo, seed: int) -> Iterator[tuple[str, float, float, bool]]:
    """(type code, longitude, latitude, discovered?) with the seeded history's places, in the order of chance."""
    for round_number in itertools.count():
        now = timezone.now()
        # The same seed keeps the same hot places; the times drawn with them are not used.
        drawn = draw(places=places, count=4_000, start=now - timedelta(days=30), end=now, zone=zone, seed=SEED)
        for i in np.random.default_rng(seed + round_number).permutation(drawn.at.size):
            yield KINDS[drawn.kind[i]].code, float(drawn.lon[i]), float(drawn.lat[i]), bool(drawn.is_discovered[i])
