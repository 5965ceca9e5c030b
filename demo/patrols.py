"""The demo's units at work: their trackers report, their crews answer, and a desk sends them. Positions and sendings
go through the API; whose shift begins or ends, and which plan is in force, by the verbs that people's doors call."""

from __future__ import annotations

import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from django.db import close_old_connections
from django.utils import timezone

from core.errors import DomainError
from demo.desk import Desk, Sent
from demo.door import SignedIn
from demo.fleet import Car
from demo.planner import keep_planned
from demo.services.accounts import desk_file, simulator_file
from demo.watch import Watch
from patrol.models import Duty, RosterEntry, Unit
from patrol.services.duty import go_off_duty, go_on_duty

logger = logging.getLogger(__name__)

EVERY_S = 5.0
DESK_EVERY_S = 15.0
CREWS_EVERY_S = 60.0
PLANS_EVERY_S = 20.0
# Seconds a crew takes for each step, about; the service on scene is in minutes.
ACCEPTS_S, TURNS_OUT_S = 12.0, 45.0
ON_SCENE_MIN = {"incident": 14.0, "task": 10.0, "stop": 12.0}


@dataclass
class Patrols:
    """Drives every synthetic unit that is on duty until stopped."""

    base_url: str
    every_s: float = EVERY_S
    rng: random.Random = field(default_factory=random.Random)
    cars: dict[int, Car] = field(default_factory=dict)
    _due: dict[int, tuple[str, float]] = field(default_factory=dict, repr=False)

    def run(self) -> None:
        keys = json.loads(simulator_file().read_text())
        with httpx.Client(base_url=self.base_url, timeout=15) as client, httpx.Client(base_url=self.base_url, timeout=15) as at_desk:
            self._wait_until_ready(client)
            door = SignedIn(at_desk, **json.loads(desk_file().read_text()))
            desk, watch = Desk(door), Watch(door)
            logger.info("driving the demo's units through %s, a position every %.0f s", self.base_url, self.every_s)
            for tick in self._ticks():
                close_old_connections()
                try:
                    self.tick(client, keys, desk, tick)
                    if tick % round(DESK_EVERY_S / self.every_s) == 0:
                        watch.look(now=timezone.now())
                except httpx.HTTPError as error:
                    logger.warning("the product is away: %s", error)

    def tick(self, client: httpx.Client, keys: dict[str, str], desk: Desk, tick: int) -> None:
        """One step of everybody: drive, report, answer; now and then dispatch, and change crews."""
        if tick % round(CREWS_EVERY_S / self.every_s) == 0:
            change_crews(now=timezone.now())
        if tick % round(PLANS_EVERY_S / self.every_s) == 0:
            keep_planned(now=timezone.now())
        units = units_on_duty()
        sent = desk.open_assignments()
        self.drive(units, sent)
        self.report(client, keys, units)
        self.answer(desk, sent)
        if tick % round(DESK_EVERY_S / self.every_s) == 0:
            desk.dispatch_what_waits()

    def drive(self, units: list[Unit], sent: list[Sent]) -> None:
        """Each unit goes on its way: to what it has answered, else round its beat."""
        goals: dict[int, tuple[float, float]] = {}
        for one in sent:
            if one.state in {"en_route", "on_scene"} and one.place is not None:
                goals.setdefault(one.unit_id, one.place)
        for unit in units:
            car = self.cars.get(unit.pk)
            if car is None:
                home = (unit.station.location.x, unit.station.location.y)
                car = self.cars[unit.pk] = Car(home, unit.kind, random.Random(unit.pk))
            car.send(goals.get(unit.pk))
            car.step(self.every_s)

    def report(self, client: httpx.Client, keys: dict[str, str], units: list[Unit]) -> int:
        """Their trackers report, one batch an agency. Returns how many positions were taken."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        batches: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for unit in units:
            fix = self.cars[unit.pk].fix()
            batches[unit.agency.slug].append(
                {
                    "tracker": unit.tracker_id,
                    "at": now,
                    "lon": fix.lon,
                    "lat": fix.lat,
                    "accuracy_m": fix.accuracy_m,
                    "speed_kmh": fix.speed_kmh,
                    "heading_deg": fix.heading_deg,
                }
            )
        taken = 0
        for agency, rows in batches.items():
            answer = client.post("/api/v1/patrol/positions", headers={"X-API-Key": keys[agency]}, json=rows)
            if answer.status_code == 200:
                taken += answer.json()["accepted"]
            else:
                logger.warning("positions of %s were refused with %d: %s", agency, answer.status_code, answer.text[:200])
        return taken

    def answer(self, desk: Desk, sent: list[Sent]) -> None:
        """Crews take the next step of what they were sent to, each in its own time."""
        now = time.monotonic()
        leading: set[int] = set()
        for one in sent:
            if one.unit_id in leading or one.unit_id not in self.cars:
                continue  # one thing after the other
            leading.add(one.unit_id)
            state, due = self._due.get(one.id, ("", 0.0))
            if state != one.state:
                self._due[one.id] = (one.state, now + self._takes_s(one))
                continue
            if one.state == "en_route" and not self.cars[one.unit_id].is_there:
                continue
            if now >= due:
                following = {"assigned": "accepted", "accepted": "en_route", "en_route": "on_scene", "on_scene": "done"}[one.state]
                desk.move(one, following)
        self._due = {pk: due for pk, due in self._due.items() if pk in {one.id for one in sent}}

    def _takes_s(self, one: Sent) -> float:
        spread = self.rng.lognormvariate(0, 0.4)
        if one.state == "assigned":
            return ACCEPTS_S * spread
        if one.state == "accepted":
            return TURNS_OUT_S * spread
        if one.state == "en_route":
            return 0.0
        if one.until is not None:
            return max(60.0, (one.until - timezone.now()).total_seconds())
        return ON_SCENE_MIN.get(one.kind, 10.0) * 60 * spread

    def _ticks(self) -> Iterator[int]:
        tick, next_at = 0, time.monotonic()
        while True:
            yield tick
            tick, next_at = tick + 1, max(next_at + self.every_s, time.monotonic())
            time.sleep(max(0.0, next_at - time.monotonic()))

    def _wait_until_ready(self, client: httpx.Client) -> None:
        while True:
            try:
                if client.get("/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(1)


def units_on_duty() -> list[Unit]:
    return list(Unit.objects.on_duty().filter(is_synthetic=True).select_related("agency", "station").order_by("pk"))


def change_crews(*, now: datetime) -> int:
    """The shift's end: those on the roster come, then those whose hours are over go home. Returns how many came."""
    came = 0
    here = Duty.objects.open().filter(member__isnull=False).values("member")
    waiting = RosterEntry.objects.standing().filter(starts_at__lte=now, ends_at__gt=now, member__is_synthetic=True, member__user=None)
    for entry in waiting.exclude(member__in=here).select_related("member", "unit", "shift"):
        try:
            go_on_duty(member=entry.member, unit=entry.unit, by=None, at=now, roster_entry=entry)
            came += 1
        except DomainError as refusal:
            logger.info("%s does not come on duty: %s", entry.member, refusal.message)
    over = Duty.objects.open().filter(member__is_synthetic=True, member__user=None, expected_until__lte=now)
    for duty in over.select_related("member"):
        try:
            go_off_duty(member=duty.member, by=None, at=now)
        except DomainError as refusal:
            logger.info("%s stays on duty: %s", duty.member, refusal.message)
    return came
