"""Reads as partners do, from a process of its own: ``python -m benchmarks.external_client URL KEY MODE KIND AMOUNT SECONDS`` prints JSON.

``one``: AMOUNT reads one after the other. ``open``: AMOUNT a second, at their planned times, earlier ones answered or not.
``closed``: AMOUNT connections, each asking again as soon as it is answered. ``walk``: AMOUNT pages by ``next``.
``file``: AMOUNT rows of CSV.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from benchmarks.intake_client import outcome

ROOT = Path(__file__).resolve().parents[1]
PLACES = [(48.0756, 29.3339), (47.9779, 29.3697), (48.0262, 29.3147), (47.9287, 29.2766), (47.6586, 29.3375), (48.0839, 29.0769)]
NEWEST = datetime(2026, 9, 30, tzinfo=UTC)
LIGHT = "fields=ref,type,severity,state,occurred_at,location"


def drive_in_its_own_process(url: str, key: str, mode: str, kind: str, amount: int, seconds: float = 10) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.external_client", url, key, mode, kind, str(amount), str(seconds)]
    driven = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(driven.stdout))


class Connection:
    """One kept-alive HTTP/1.1 connection; just enough of the protocol to leave the processor to the server."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.head = f"Host: {self.host}:{self.port}\r\nX-API-Key: {key}\r\nAccept-Encoding: gzip\r\n"
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def get(self, path: str, tag: str = "") -> tuple[int, bytes, bytes]:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=2**20)
        assert self.reader is not None
        asked = f"If-None-Match: {tag}\r\n" if tag else ""
        self.writer.write(f"GET {path} HTTP/1.1\r\n{self.head}{asked}\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = head.lower().split(b"content-length:", 1)
        body = await self.reader.readexactly(int(length[1].split(b"\r\n", 1)[0])) if len(length) > 1 and status != 304 else b""
        return status, head, body


def when(rng: random.Random) -> tuple[str, str]:
    start = NEWEST - timedelta(days=rng.uniform(8, 1700))
    return quote(start.isoformat()), quote((start + timedelta(days=rng.choice([7, 30, 90, 365]))).isoformat())


def boxed(rng: random.Random) -> str:
    lon, lat = rng.choice(PLACES)
    side = rng.choice([0.005, 0.02, 0.05, 0.15])
    lon, lat = lon + rng.uniform(-0.05, 0.05), lat + rng.uniform(-0.05, 0.05)
    start, end = when(rng)
    box = f"{lon - side:.5f},{lat - side:.5f},{lon + side:.5f},{lat + side:.5f}"
    return f"/api/v1/external/incidents?bbox={box}&occurred_since={start}&occurred_before={end}"


def paths(kind: str, refs: list[str], amount: int) -> Iterator[str]:
    rng = random.Random(kind)
    first, base = "/api/v1/external/incidents", "/api/v1/external"
    while True:
        if kind == "first":
            yield first
        elif kind == "first_light":
            yield f"{first}?{LIGHT}"
        elif kind == "boxes":
            yield boxed(rng)
        else:
            drawn = rng.random()
            since = quote((NEWEST - timedelta(minutes=rng.randint(1, 3_000))).isoformat())
            if drawn < 0.30:
                yield f"{first}?changed_since={since}&sort=changed_at&limit=50"
            elif drawn < 0.50:
                yield f"{first}?limit=20"
            elif drawn < 0.60:
                yield f"{first}?{LIGHT}"
            elif drawn < 0.75:
                yield boxed(rng) + "&limit=50"
            elif drawn < 0.90:
                yield f"{first}/{rng.choice(refs)}"
            elif drawn < 0.95:
                yield f"{base}/zones?level=governorate"
            else:
                yield f"{base}/{rng.choice(['hotspots', 'alerts', 'forecasts'])}"


async def refs_of(connection: Connection) -> list[str]:
    import gzip

    _status, head, body = await connection.get("/api/v1/external/incidents?fields=ref&limit=500")
    return [row["ref"] for row in json.loads(gzip.decompress(body) if b"gzip" in head.lower() else body)["results"]]


async def one(url: str, key: str, kind: str, amount: int, _seconds: float) -> dict[str, Any]:
    connection = Connection(url, key)
    source = paths(kind, await refs_of(connection), amount)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    began = time.monotonic()
    for _number in range(amount):
        path, sent = next(source), time.perf_counter()
        status, _head, _body = await connection.get(path)
        latencies.append(time.perf_counter() - sent)
        statuses[status] += 1
    return outcome(latencies, statuses, time.monotonic() - began)


async def open_loop(url: str, key: str, kind: str, rate: int, seconds: float) -> dict[str, Any]:
    free = [Connection(url, key)]
    source = paths(kind, await refs_of(free[0]), rate)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    waiting: set[asyncio.Task[None]] = set()
    tags: dict[str, str] = {}

    async def ask(planned: float, path: str) -> None:
        connection = free.pop() if free else Connection(url, key)
        try:
            status, head, _body = await connection.get(path, tags.get(path, ""))
        except (OSError, asyncio.IncompleteReadError):
            statuses[0] += 1
            return
        statuses[status] += 1
        latencies.append(loop.time() - planned)
        free.append(connection)
        # One in ten callers asks again with what it holds.
        if status == 200 and len(latencies) % 10 == 0:
            tags[path] = head.split(b"etag: ", 1)[1].split(b"\r\n", 1)[0].decode() if b"etag: " in head else ""

    loop = asyncio.get_running_loop()
    start = loop.time() + 0.1
    for number in range(int(rate * seconds)):
        path, planned = next(source), start + number / rate
        await asyncio.sleep(max(0.0, planned - loop.time()))
        task = asyncio.create_task(ask(planned, path))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return outcome(latencies, statuses, loop.time() - start)


async def closed_loop(url: str, key: str, kind: str, connections: int, seconds: float) -> dict[str, Any]:
    source = paths(kind, await refs_of(Connection(url, key)), connections)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def again() -> None:
        connection = Connection(url, key)
        while loop.time() - start < seconds:
            sent = loop.time()
            status, _head, _body = await connection.get(next(source))
            statuses[status] += 1
            latencies.append(loop.time() - sent)

    await asyncio.gather(*(again() for _ in range(connections)))
    return outcome(latencies, statuses, loop.time() - start)


async def walk(url: str, key: str, _kind: str, pages: int, _seconds: float) -> dict[str, Any]:
    """Page after page by ``next``; the medians of the first and the last hundred, the first hundred taken again at the end."""
    import gzip

    connection = Connection(url, key)
    begin = "/api/v1/external/incidents?fields=ref,occurred_at&limit=50"
    path: str | None = begin
    took: list[float] = []
    while path is not None and len(took) < pages:
        sent = time.perf_counter()
        _status, head, body = await connection.get(path)
        took.append(time.perf_counter() - sent)
        following = json.loads(gzip.decompress(body) if b"content-encoding" in head.lower() else body)["next"]
        path = following.split(f":{connection.port}", 1)[1] if following else None
    if len(took) < pages:
        raise SystemExit(f"only {len(took)} pages")
    again = []
    for _number in range(100):
        sent = time.perf_counter()
        await connection.get(begin)
        again.append(time.perf_counter() - sent)
    first, last = sorted(again)[50], sorted(took[-100:])[50]
    return {"first_ms": first * 1_000, "last_ms": last * 1_000, "ratio": last / first}


async def file(url: str, key: str, _kind: str, rows: int, _seconds: float) -> dict[str, Any]:
    lines = size = 0
    began = time.monotonic()
    async with (
        httpx.AsyncClient(timeout=120) as client,
        client.stream(
            "GET", f"{url}/api/v1/external/incidents.csv?limit={rows}", headers={"X-API-Key": key, "Accept-Encoding": "identity"}
        ) as told,
    ):
        told.raise_for_status()
        async for part in told.aiter_raw():
            size += len(part)
            lines += part.count(b"\n")
    return {"seconds": time.monotonic() - began, "lines": lines, "bytes": size}


def main(arguments: list[str]) -> None:
    url, key, mode, kind, amount, seconds = arguments
    drive: Any = {"one": one, "open": open_loop, "closed": closed_loop, "walk": walk, "file": file}[mode]
    print(json.dumps(asyncio.run(drive(url, key, kind, int(amount), float(seconds)))))


if __name__ == "__main__":
    main(sys.argv[1:])
