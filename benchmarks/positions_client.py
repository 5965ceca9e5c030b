"""Drives positions from a process of its own: ``python -m benchmarks.positions_client URL SECRET MODE RATE SECONDS`` prints JSON.

Two thousand units drive about. ``singles``: one HTTP request a position, leaving at its planned time whether or not earlier ones were
answered. ``batches``: what came in a second, in one request. ``mqtt``: one QoS 1 message a position. ``flood``: as many as the broker
takes, to see how fast they are worked off. ``closed``: RATE connections, each asking again as soon as it is answered.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.intake_client import Connection, outcome

UNITS = 2_000
PATH = "/api/v1/patrol/positions"
METRES_A_SECOND, RADIUS_M = 11.0, 300.0


class Fleet:
    """Units that circle at 40 km/h about places of their own, each reporting in turn. Where a unit is follows from the clock, so that one
    run goes on where the last one ended."""

    def __init__(self) -> None:
        rng = random.Random(1)
        self.homes = [(47.90 + rng.random() * 0.18, 29.28 + rng.random() * 0.10, rng.random() * math.tau) for _ in range(UNITS)]
        self.turn = 0

    def next(self) -> tuple[str, dict[str, Any]]:
        unit = self.turn % UNITS
        self.turn += 1
        now = time.time()
        lon, lat, phase = self.homes[unit]
        angle = phase + (now % 86_400) * METRES_A_SECOND / RADIUS_M
        lon += RADIUS_M * math.sin(angle) / 97_000
        lat += RADIUS_M * math.cos(angle) / 111_320
        at = datetime.fromtimestamp(now, UTC).isoformat()
        heading = math.degrees(angle + math.pi / 2) % 360
        return f"B{unit}", {"at": at, "lon": lon, "lat": lat, "accuracy_m": 6.0, "speed_kmh": 40.0, "heading_deg": heading}


async def singles(url: str, key: str, rate: float, seconds: float) -> dict[str, Any]:
    fleet, free = Fleet(), [Connection(url, key)]
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    waiting: set[asyncio.Task[None]] = set()

    async def one(planned: float, body: bytes) -> None:
        connection = free.pop() if free else Connection(url, key)
        statuses[await connection.post(PATH, body)] += 1
        latencies.append(loop.time() - planned)
        free.append(connection)

    loop = asyncio.get_running_loop()
    start = loop.time() + 0.1
    for number in range(int(rate * seconds)):
        planned = start + number / rate
        await asyncio.sleep(max(0.0, planned - loop.time()))
        tracker, body = fleet.next()
        task = asyncio.create_task(one(planned, json.dumps({**body, "tracker": tracker}).encode()))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return outcome(latencies, statuses, loop.time() - start)


async def closed(url: str, key: str, connections: float, seconds: float) -> dict[str, Any]:
    fleet = Fleet()
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def one() -> None:
        connection = Connection(url, key)
        while loop.time() - start < seconds:
            tracker, body = fleet.next()
            sent = loop.time()
            statuses[await connection.post(PATH, json.dumps({**body, "tracker": tracker}).encode())] += 1
            latencies.append(loop.time() - sent)

    await asyncio.gather(*(one() for _ in range(int(connections))))
    return outcome(latencies, statuses, loop.time() - start)


async def batches(url: str, key: str, rate: float, seconds: float) -> dict[str, Any]:
    """A batch each second of ``rate`` positions; at 0 batches of 1,000 one after the other."""
    fleet, connection = Fleet(), Connection(url, key)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    start, number = loop.time(), 0
    while loop.time() - start < seconds:
        rows = int(rate) or 1_000
        body = []
        for _ in range(rows):
            tracker, one = fleet.next()
            body.append({**one, "tracker": tracker})
        sent = loop.time()
        statuses[await connection.post(PATH, json.dumps(body).encode())] += rows
        latencies.append(loop.time() - sent)
        number += 1
        if rate:
            await asyncio.sleep(max(0.0, start + number - loop.time()))
    return outcome(latencies, statuses, loop.time() - start)


def by_mqtt(url: str, rate: float, seconds: float, *, flood: bool = False) -> dict[str, Any]:
    """Answered: acknowledged by the broker."""
    parts, fleet = urlsplit(url), Fleet()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(unquote(parts.username or ""), unquote(parts.password or ""))
    client.max_inflight_messages_set(5_000)
    client.connect(parts.hostname or "", parts.port or 0)
    answered: list[float] = []
    sent_at: dict[int, float] = {}
    client.on_publish = lambda _c, _d, mid, _r, _p: answered.append(time.monotonic() - sent_at.get(mid, time.monotonic()))
    client.loop_start()
    start = time.monotonic() + 0.2
    for number in range(int(rate * seconds)):
        if not flood:
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
        tracker, body = fleet.next()
        now = time.monotonic()
        sent = client.publish(f"khareetaty/positions/{tracker}", json.dumps(body), qos=1)
        sent_at[sent.mid] = now
    deadline = time.monotonic() + 60
    while len(answered) < int(rate * seconds) and time.monotonic() < deadline:
        time.sleep(0.02)
    took = time.monotonic() - start
    client.disconnect()
    client.loop_stop()
    return outcome(answered, Counter({201: len(answered)}), took)


def main(arguments: list[str]) -> None:
    url, secret, mode, rate, seconds = arguments
    if mode in ("mqtt", "flood"):
        print(json.dumps(by_mqtt(url, float(rate), float(seconds), flood=mode == "flood")))
        return
    drive = {"singles": singles, "batches": batches, "closed": closed}[mode]
    print(json.dumps(asyncio.run(drive(url, secret, float(rate), float(seconds)))))


if __name__ == "__main__":
    main(sys.argv[1:])
