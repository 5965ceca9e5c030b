"""Live rooms of sensors: a thousand pages in one web process, two thousand updates a second, and pages that do not read.

Updates are told as the writer tells them after its commit; a reading's value is the moment it
was told, so a frame's age can be read off it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.live import _cpu_s, _program, _quantile, _sessions, _until_answers, _web_command
from benchmarks.report import Report
from deploy.local.layout import HOST, free_port

SECTION = "Rooms"
SOCKETS = int(os.environ.get("BENCH_SOCKETS") or "1000")
WATCH_ALL = 20  # of them are in the room of a whole governorate
SLOW = 5  # beside them, that never read
RATE_PER_S = int(os.environ.get("BENCH_RATE") or "2000")
SECONDS = float(os.environ.get("BENCH_SECONDS") or "30")
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
    with _program(*_web_command(port)) as web:
        _until_answers(url)
        with _program("-m", "benchmarks.rooms", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pages:
            assert pages.stdin is not None and pages.stdout is not None
            asked = {"url": url, "sessions": sessions, "rooms": rooms, "slow": [f"zone:{zone}"] * SLOW}
            pages.stdin.write(json.dumps(asked).encode() + b"\n")
            pages.stdin.flush()
            assert pages.stdout.readline() == b"open\n"
            _tell(devices, 3)
            memory, spent, began = _rss_mib(web.pid), _cpu_s(web.pid), time.monotonic()
            told = _tell(devices, SECONDS)
            lasted = time.monotonic() - began
            web_s, middle = _cpu_s(web.pid) - spent, _rss_mib(web.pid)
            time.sleep(3)
            pages.stdin.write(b"done\n")
            pages.stdin.flush()
            found = json.loads(pages.stdout.readline())
        late = sorted(found["late"])
        load = f"{SOCKETS} pages, {WATCH_ALL} of them in a room of all, {SLOW} more that never read; {told / lasted:,.0f} updates/s"
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            note = f"{load}; goal: under 1,000 ms" if name == "p95" else load
            report.row(SECTION, f"from the writer's telling to the page, {name}", 1_000 * _quantile(late, share), "ms", note)
        report.row(SECTION, "frames heard", found["frames"], "", f"in {lasted:.0f} s; {found['merged']:,} of them merged for a slow page")
        report.row(SECTION, "web process, of one core", 100 * web_s / lasted, "%", load)
        report.row(
            SECTION, "memory of the web process, grown", middle - memory, "MiB", f"from {memory:.0f} MiB, with {SLOW} pages that never read"
        )


def _tell(devices: list[tuple[int, int]], seconds: float) -> int:
    """So many updates a second over all devices in turn, ten commits a second."""
    from iot.written import Batch, Teller

    teller, size = Teller(), RATE_PER_S // BATCHES_A_SECOND
    began, told, place = time.monotonic(), 0, 0
    while (gone := time.monotonic() - began) < seconds:
        some = sorted(devices[(place + offset) % len(devices)] for offset in range(size))
        place += size
        now = time.time()
        ids = np.array(some, np.int64)
        us = np.full(size, int(now * 1e6), np.int64)
        teller.tell(Batch(ids[:, 1].copy(), ids[:, 0].copy(), us, np.full(size, now), np.zeros(size, np.int16), us))
        told += size
        time.sleep(max(0.0, told / RATE_PER_S - gone))
    return told


def _rss_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1_024


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


async def _follow(url: str, key: str, room: str, ready: asyncio.Semaphore, found: dict[str, Any], *, is_slow: bool) -> None:
    import websockets

    where = f"ws{url.removeprefix('http')}/ws/iot?room={room}"
    headers = {"Cookie": f"sessionid={key}"}
    queue = 1 if is_slow else None
    async with websockets.connect(where, origin=url, additional_headers=headers, compression=None, max_queue=queue) as socket:  # type: ignore[arg-type]
        assert b'"joined"' in bytes(await socket.recv(decode=False))
        ready.release()
        if is_slow:
            await asyncio.sleep(86_400)
        while True:
            frame = bytes(await socket.recv(decode=False))
            if b'"readings"' in frame[:200]:
                now = time.time()
                values = _VALUE.findall(frame[-200:])
                found["late"].append(now - float(values[-1]))
                found["frames"] += 1
                found["merged"] += b'"skipped"' in frame


async def _pages() -> None:
    loop = asyncio.get_running_loop()
    asked = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    found: dict[str, Any] = {"late": [], "frames": 0, "merged": 0}
    ready = asyncio.Semaphore(0)
    following = []
    for number, room in enumerate(asked["rooms"] + asked["slow"]):
        key = asked["sessions"][number % len(asked["sessions"])]
        is_slow = number >= len(asked["rooms"])
        following.append(asyncio.create_task(_follow(asked["url"], key, room, ready, found, is_slow=is_slow)))
        if number % 10 == 9:
            for _each in range(10):
                await ready.acquire()
    print("open", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    for task in following:
        task.cancel()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(_pages())
