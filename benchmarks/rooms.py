"""Live rooms of sensors: a thousand pages in one web process, two thousand updates a second, and pages that do not read.

Updates are told as the writer tells them after its commit; a reading's value is the moment it
was told, so a frame's age can be read off it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.live import _program, _quantile, _sessions
from benchmarks.own import cpu_seconds, rss_mib, until_alive, web_command
from benchmarks.report import Report
from deploy.local.layout import HOST, free_port

SECTION = "Rooms"
SOCKETS = int(os.environ.get("BENCH_SOCKETS") or "1000")
WATCH_ALL = 20  # of them are in the room of a whole governorate
SLOW = 20  # beside them, in that room as well, that do not read until all is over
SLOW_READ_S = 120  # then they have so long to read all they were told
SLOW_BUFFER = 4_096  # bytes the system keeps for such a page: what is more has to wait in the web process
RATE_PER_S = int(os.environ.get("BENCH_RATE") or "2000")
SECONDS = float(os.environ.get("BENCH_SECONDS") or "30")
# Before measuring: so much fills what the system itself holds for each page that does not read (some megabytes).
FILL, FILL_PER_S, SETTLE_S = 50_000, 8_000, 3
BATCHES_A_SECOND = 10
PEOPLE = 25
_VALUE = re.compile(rb'"value":([0-9.]+)')


def run(report: Report) -> None:
    from django.core.management import call_command

    from geography.models import Region

    call_command("migrate", verbosity=0)
    if not Region.objects.exists():
        call_command("load_gazetteer", verbosity=0)
    devices, zone = _world()
    sessions = _sessions(PEOPLE)
    rooms = [f"device:B{number}" for number in range(SOCKETS - WATCH_ALL)] + [f"zone:{zone}"] * WATCH_ALL
    report.row(SECTION, "load of the machine before measuring", os.getloadavg()[0], "", "others' work shows in every figure below")
    port = free_port()
    url = f"http://{HOST}:{port}"
    # The server hangs up on a page that answers no ping for 40 s, as one that reads nothing does: here it is to stay.
    with _program(*web_command(port), "--ws-ping-timeout", str(SLOW_READ_S * 2)) as web:
        until_alive(url, web)
        with _program("-m", "benchmarks.rooms", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pages:
            assert pages.stdin is not None and pages.stdout is not None
            asked = {"url": url, "sessions": sessions, "rooms": rooms, "slow": [f"zone:{zone}"] * SLOW}
            assert _say(pages, asked) == "open"
            _tell(devices, FILL / FILL_PER_S, rate_per_s=FILL_PER_S)
            time.sleep(SETTLE_S)
            assert _say(pages, "begin") == "begun"
            before, spent, began = rss_mib(web.pid), cpu_seconds(web.pid), time.monotonic()
            told = _tell(devices, SECONDS / 2)
            middle = rss_mib(web.pid)
            told += _tell(devices, SECONDS / 2)
            lasted = time.monotonic() - began
            web_s, after = cpu_seconds(web.pid) - spent, rss_mib(web.pid)
            time.sleep(3)
            found = _say(pages, "done")
    if not found["late"] or found["slow_told"] < SLOW:
        raise RuntimeError(f"{found['frames']} frames were heard, {found['slow_told']} of {SLOW} pages were slow: this measured nothing")
    late = sorted(found["late"])
    load = f"{SOCKETS} pages, {WATCH_ALL} of them in a room of all; {told / lasted:,.0f} updates/s; {SLOW} more pages that do not read"
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        note = f"{load}; goal: under 1,000 ms" if name == "p95" else load
        report.row(SECTION, f"from the writer's telling to the page, {name}", 1_000 * _quantile(late, share), "ms", note)
    report.row(SECTION, "frames heard", found["frames"], "", f"in {lasted:.0f} s; {found['merged']:,} of them merged for a slow page")
    report.row(SECTION, "web process, of one core", 100 * web_s / lasted, "%", load)
    of = f"with {SLOW} pages that do not read, in a room of {len(devices):,} streams at {told / lasted:,.0f} updates/s"
    report.row(
        SECTION, "memory of the web process before", before, "MiB", f"after {FILL:,} updates that fill the system's own buffers; {of}"
    )
    report.row(SECTION, f"memory grown in the first {SECONDS / 2:.0f} s", middle - before, "MiB", of)
    report.row(SECTION, f"memory grown in the next {SECONDS / 2:.0f} s", after - middle, "MiB", f"{of}; goal: none to speak of")
    report.row(
        SECTION, "what a page that had not read is told once it reads", found["slow_readings"] / SLOW, "readings",
        f"the latest of each stream, and that {found['slow_skipped'] / SLOW:,.0f} were passed over",
    )  # fmt: skip


def _say(pages: subprocess.Popen[bytes], said: Any) -> Any:
    """A line to the pages' process, and its answer."""
    assert pages.stdin is not None and pages.stdout is not None
    pages.stdin.write(json.dumps(said).encode() + b"\n")
    pages.stdin.flush()
    return json.loads(pages.stdout.readline())


def _tell(devices: list[tuple[int, int]], seconds: float, *, rate_per_s: int = RATE_PER_S) -> int:
    """So many updates a second over all devices in turn, ten commits a second."""
    from iot.written import Batch, Teller

    teller, size = Teller(), rate_per_s // BATCHES_A_SECOND
    began, told, place = time.monotonic(), 0, 0
    while (gone := time.monotonic() - began) < seconds:
        some = sorted(devices[(place + offset) % len(devices)] for offset in range(size))
        place += size
        now = time.time()
        ids = np.array(some, np.int64)
        us = np.full(size, int(now * 1e6), np.int64)
        teller.tell(Batch(ids[:, 1].copy(), ids[:, 0].copy(), us, np.full(size, now), np.zeros(size, np.int16), us))
        told += size
        time.sleep(max(0.0, told / rate_per_s - gone))
    return told


def _world() -> tuple[list[tuple[int, int]], int]:
    """Device and stream of each, and the governorate they are in."""
    from accounts.models import Agency
    from geography.models import Zone
    from incidents.services.vocabulary import ensure_vocabulary
    from iot.models import Datastream, Device, DeviceProfile, Metric

    ensure_vocabulary()
    police, zone = Agency.objects.get(slug="police"), Zone.objects.filter(level="governorate", is_active=True).first()
    assert zone is not None
    profile, _ = DeviceProfile.objects.get_or_create(code="bench", defaults={"name_en": "B", "name_ar": "B", "kind": "environment"})
    metric, _ = Metric.objects.get_or_create(profile=profile, code="moment", defaults={"name_en": "M", "name_ar": "M"})
    if not Device.objects.filter(profile=profile).exists():
        Device.objects.bulk_create(
            Device(code=f"B{number}", profile=profile, agency=police, governorate=zone, state="active", is_synthetic=True)
            for number in range(max(SOCKETS, 1_000))
        )
        Datastream.objects.bulk_create(Datastream(device=device, metric=metric) for device in Device.objects.filter(profile=profile))
    return list(Datastream.objects.filter(metric=metric).order_by("pk").values_list("device_id", "pk")), zone.pk


# --- the pages: a process of their own ------------------------------------------------------------------------------------------------


async def _follow(url: str, key: str, room: str, ready: asyncio.Semaphore, found: dict[str, Any], reads: asyncio.Event | None) -> None:
    """A page. With ``reads`` it is a slow one: it joins, and reads nothing more before that is set."""
    import websockets

    where = f"ws{url.removeprefix('http')}/ws/iot?room={room}"
    headers = {"Cookie": f"sessionid={key}"}
    more: dict[str, Any] = {"max_queue": 1, "ping_interval": None, "sock": await _small(url)} if reads is not None else {}
    async with websockets.connect(where, origin=url, additional_headers=headers, compression=None, **more) as page:  # type: ignore[arg-type]
        assert b'"joined"' in bytes(await page.recv(decode=False))
        ready.release()
        if reads is not None:
            await reads.wait()
        while True:
            frame = bytes(await page.recv(decode=False))
            if b'"readings"' not in frame[:200]:
                continue
            if reads is not None:
                # What the system had kept for it comes first; then what was folded meanwhile.
                if b'"skipped"' in frame[-40:]:
                    told = json.loads(frame)
                    found["slow_told"] += 1
                    found["slow_readings"] += len(told["data"])
                    found["slow_skipped"] += told["skipped"]
                    return
                continue
            found["late"].append(time.time() - float(_VALUE.findall(frame[-200:])[-1]))
            found["frames"] += 1
            found["merged"] += b'"skipped"' in frame


async def _small(url: str) -> socket.socket:
    """A connection of which the system holds next to nothing back."""
    host, _colon, port = url.removeprefix("http://").partition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    return connection


def _nothing() -> dict[str, Any]:
    return {"late": [], "frames": 0, "merged": 0}


async def _pages() -> None:
    loop = asyncio.get_running_loop()

    async def asked() -> Any:
        return json.loads(await loop.run_in_executor(None, sys.stdin.readline))

    wanted = await asked()
    found: dict[str, Any] = {"slow_told": 0, "slow_readings": 0, "slow_skipped": 0}
    found |= _nothing()
    ready, reads, following = asyncio.Semaphore(0), asyncio.Event(), []
    for number, room in enumerate(wanted["rooms"] + wanted["slow"]):
        key = wanted["sessions"][number % len(wanted["sessions"])]
        is_slow = number >= len(wanted["rooms"])
        following.append(asyncio.create_task(_follow(wanted["url"], key, room, ready, found, reads if is_slow else None)))
        if number % 10 == 9:
            for _each in range(10):
                await ready.acquire()
    print(json.dumps("open"), flush=True)
    await asked()
    found |= _nothing()
    print(json.dumps("begun"), flush=True)
    await asked()
    heard = dict(found, late=list(found["late"]))
    reads.set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SLOW_READ_S):
            while found["slow_told"] < len(wanted["slow"]):
                await asyncio.sleep(0.1)
    print(json.dumps(heard | {name: found[name] for name in found if name.startswith("slow_")}), flush=True)
    for task in following:
        task.cancel()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_pages())
