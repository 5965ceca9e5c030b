"""Drives the intake from a process of its own: ``python -m benchmarks.intake_client URL KEY MODE AMOUNT SECONDS`` prints JSON.

``open RATE``: requests leave at their planned times whether or not earlier ones were answered, and latency counts from the
planned time, so that a server that stalls cannot hide it. ``closed CONNECTIONS``: each connection asks again as soon as it is
answered, which finds the most the server can do. ``batch ROWS``: batches of ROWS messages, one after the other.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

TYPES = ("burglary", "theft", "assault", "vandalism", "noise", "fraud", "vehicle-theft", "suspicious activity", "سرقة منزل", "ضرب")
# Inside the city and its suburbs, and on land.
PLACES = [(48.0756, 29.3339), (47.9779, 29.3697), (48.0262, 29.3147), (47.9287, 29.2766), (47.6586, 29.3375), (48.0839, 29.0769)]


class Connection:
    """One kept-alive HTTP/1.1 connection; just enough of the protocol to leave the processor to the server."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.head = f"Host: {self.host}:{self.port}\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes) -> int:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        assert self.reader is not None
        self.writer.write(f"POST {path} HTTP/1.1\r\n{self.head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        await self.reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
        return int(head[9:12])


def messages(run: str) -> Any:
    rng = random.Random(run)
    number = 0
    while True:
        number += 1
        lon, lat = rng.choice(PLACES)
        yield {
            "report_number": f"{run}-{number}",
            "incident_type": rng.choice(TYPES),
            "occurred_at": (datetime.now(UTC) - timedelta(minutes=rng.randint(1, 300))).isoformat(),
            "location": {"longitude": round(lon + rng.uniform(-0.004, 0.004), 6), "latitude": round(lat + rng.uniform(-0.004, 0.004), 6)},
            "severity": rng.choice(["low", "medium", "high"]),
            "station": "Salmiya",
            "address_parts": {"block": str(rng.randint(1, 12)), "street": str(rng.randint(1, 90))},
            "description": "The caller came home and found the balcony door open; a bag and two telephones are missing. "
            * rng.randint(1, 4),
        }


async def open_loop(url: str, key: str, rate: float, seconds: float, run: str) -> dict[str, Any]:
    free: list[Connection] = []
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    waiting: set[asyncio.Task[None]] = set()
    source = messages(run)

    async def one(planned: float, body: bytes) -> None:
        connection = free.pop() if free else Connection(url, key)
        try:
            statuses[await connection.post("/api/v1/ingest/moi-incident", body)] += 1
        except (OSError, asyncio.IncompleteReadError):
            statuses[0] += 1
            return
        latencies.append(loop.time() - planned)
        free.append(connection)

    loop = asyncio.get_running_loop()
    start = loop.time() + 0.1
    for number in range(int(rate * seconds)):
        body = json.dumps(next(source)).encode()
        planned = start + number / rate
        await asyncio.sleep(max(0.0, planned - loop.time()))
        task = asyncio.create_task(one(planned, body))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return outcome(latencies, statuses, loop.time() - start)


async def closed_loop(url: str, key: str, connections: int, seconds: float, run: str) -> dict[str, Any]:
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    source = messages(run)
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def one() -> None:
        connection = Connection(url, key)
        while loop.time() - start < seconds:
            body = json.dumps(next(source)).encode()
            sent = loop.time()
            statuses[await connection.post("/api/v1/ingest/moi-incident", body)] += 1
            latencies.append(loop.time() - sent)

    await asyncio.gather(*(one() for _ in range(connections)))
    return outcome(latencies, statuses, loop.time() - start)


async def batches(url: str, key: str, rows: int, seconds: float, run: str) -> dict[str, Any]:
    source = messages(run)
    connection = Connection(url, key)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        body = json.dumps([next(source) for _ in range(rows)]).encode()
        sent = time.monotonic()
        statuses[await connection.post("/api/v1/ingest/moi-incident/batch", body)] += rows
        latencies.append(time.monotonic() - sent)
    return outcome(latencies, statuses, time.monotonic() - start)


def outcome(latencies: list[float], statuses: Counter[int], seconds: float) -> dict[str, Any]:
    latencies.sort()

    def at(share: float) -> float:
        return 1_000 * latencies[min(len(latencies) - 1, int(share * len(latencies)))] if latencies else 0.0

    return {
        "seconds": seconds,
        "statuses": dict(statuses),
        "p50_ms": at(0.5),
        "p95_ms": at(0.95),
        "p99_ms": at(0.99),
        "worst_ms": at(1.0),
    }


def main(arguments: list[str]) -> None:
    url, key, mode, amount, seconds, run = arguments
    drive = {"open": open_loop, "closed": closed_loop, "batch": batches}[mode]
    print(json.dumps(asyncio.run(drive(url, key, int(amount), float(seconds), run))))


if __name__ == "__main__":
    main(sys.argv[1:])
