"""From the commit of an incident to its frame on an open page: two hundred sockets, twenty incidents a second, one web process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.own import cpu_seconds, until_alive, web_command
from benchmarks.report import Report
from deploy.local.layout import HOST, free_port

ROOT = Path(__file__).resolve().parents[1]
SECTION = "Live"
SOCKETS = int(os.environ.get("BENCH_SOCKETS") or "200")
RATE_PER_S = float(os.environ.get("BENCH_RATE") or "20")
SECONDS = float(os.environ.get("BENCH_SECONDS") or "30")
_WHO = re.compile(r'"id":(\d+)')


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    call_command("load_gazetteer", verbosity=0)
    source, type_, points = _world()
    sessions = _sessions(SOCKETS)
    report.row(
        SECTION,
        "load of the machine before measuring",
        os.getloadavg()[0],
        "",
        "others' work on the same cores shows in every figure below",
    )

    def reporting(seconds: float) -> dict[int, float]:
        return _report_incidents(source, type_, points, seconds)

    _two_hundred_sockets(report, sessions, reporting)
    _a_real_page(report, sessions[0], reporting)
    connection.close()


def _two_hundred_sockets(report: Report, sessions: list[str], reporting: Callable[[float], dict[int, float]]) -> None:
    with _product() as (url, web, relay), _program("-m", "benchmarks.live", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pages:
        assert pages.stdin is not None and pages.stdout is not None
        pages.stdin.write(json.dumps({"url": url, "sessions": sessions}).encode() + b"\n")
        pages.stdin.flush()
        assert pages.stdout.readline() == b"open\n"
        reporting(1)  # the first card compiles its template
        before, started = (cpu_seconds(web.pid), cpu_seconds(relay.pid)), time.monotonic()
        committed = reporting(SECONDS)
        lasted = time.monotonic() - started
        web_s, relay_s = cpu_seconds(web.pid) - before[0], cpu_seconds(relay.pid) - before[1]
        time.sleep(3)
        pages.stdin.write(b"done\n")
        pages.stdin.flush()
        heard: list[list[tuple[int, float]]] = json.loads(pages.stdout.readline())

    late = sorted(at - committed[pk] for socket in heard for pk, at in socket if pk in committed)
    lost = sum(len(committed.keys() - {pk for pk, _at in socket}) for socket in heard)
    repeated = sum(len(socket) - len({pk for pk, _at in socket}) for socket in heard)
    load = f"{len(sessions)} sockets, {len(committed) / lasted:.1f} incidents/s for {lasted:.0f} s"
    for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
        note = f"{load}; goal: under 500 ms" if name == "p95" else load
        report.row(SECTION, f"commit of an incident to its frame on a page, {name}", 1000 * _quantile(late, share), "ms", note)
    report.row(SECTION, "the slowest frame of all", 1000 * late[-1], "ms", f"of {len(late):,} frames")
    report.row(SECTION, "frames lost", lost, "", f"of {len(committed) * len(sessions):,}")
    report.row(SECTION, "frames repeated", repeated)
    report.row(SECTION, "web process (all sockets), of one core", 100 * web_s / lasted, "%", load)
    report.row(SECTION, "relay, of one core", 100 * relay_s / lasted, "%", load)


def _a_real_page(report: Report, session: str, reporting: Callable[[float], dict[int, float]]) -> None:
    """The board with its map, drawn in software on the same two cores that serve it."""
    with _product() as (url, _web, _relay), _browser(url, session) as appeared:
        committed = reporting(SECONDS / 2)
        time.sleep(3)
        drawn = sorted(at - committed[pk] for pk, at in appeared().items() if pk in committed)
    if drawn:
        note = f"the board with its map in headless Chromium, {RATE_PER_S:.0f} incidents/s"
        for name, share in (("p50", 0.50), ("p95", 0.95)):
            report.row(SECTION, f"commit of an incident to its row on the board, {name}", 1000 * _quantile(drawn, share), "ms", note)
        report.row(SECTION, "rows that did not appear on the board", len(committed) - len(drawn), "", f"of {len(committed)}")


@contextlib.contextmanager
def _product() -> Iterator[tuple[str, subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    port = free_port()
    url = f"http://{HOST}:{port}"
    with _program(*web_command(port)) as web, _program("manage.py", "relay") as relay:
        until_alive(url, web)
        yield url, web, relay


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextlib.contextmanager
def _program(*arguments: str, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    program = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=os.environ | {"LOG_LEVEL": "WARNING"}, **pipes)
    try:
        yield program
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(20)


def _world() -> tuple[Any, Any, list[Any]]:
    from geography.models import Region, Zone
    from incidents.models import IncidentType, Source
    from incidents.services.vocabulary import ensure_vocabulary

    ensure_vocabulary()
    type_ = IncidentType.objects.exclude(agency=None).first()
    assert type_ is not None and type_.agency is not None
    source, _made = Source.objects.get_or_create(
        slug="bench-live", defaults={"name": "Benchmark", "agency": type_.agency, "region": Region.objects.get(is_default=True)}
    )
    points = [zone.label_point for zone in Zone.objects.filter(level="area", is_active=True)[:200]]
    return source, type_, points


def _sessions(count: int) -> list[str]:
    """Sessions of people who see everything, half of them in Arabic: each push goes to each socket."""
    from django.test import Client

    from accounts.models import User
    from accounts.roles import Role

    keys = []
    for number in range(count):
        language = "ar" if number % 2 else "en"
        user, _made = User.objects.get_or_create(
            username=f"bench-{number}",
            defaults={"role": Role.SUPERVISOR, "sees_all_agencies": True, "sees_all_governorates": True, "language": language},
        )
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        keys.append(str(client.session.session_key))
    return keys


def _report_incidents(source: Any, type_: Any, points: list[Any], seconds: float) -> dict[int, float]:
    """Open incidents at an even pace, four at a time when one is slow; for each the time just before its COMMIT."""
    from django.db import connection, transaction

    from incidents.services import open_incident

    rng, this_run = Random(1), f"{time.time():.3f}"  # the database may hold another run's
    jobs = [(number, rng.choice(points), timedelta(minutes=rng.randint(1, 30))) for number in range(round(RATE_PER_S * seconds))]
    start = time.monotonic()

    def report_one(number: int, point: Any, ago: timedelta) -> tuple[int, float]:
        time.sleep(max(0.0, start + number / RATE_PER_S - time.monotonic()))
        with transaction.atomic():
            opened = open_incident(
                source=source,
                type=type_,
                occurred_at=datetime.now(UTC) - ago,
                kind="bench",
                raw={"run": this_run, "n": number},
                by=None,
                external_id=f"{this_run}-{number}",
                location=point,
                description="Smoke seen from the third floor of a residential building, two people at the window.",
                address="Block 10, Street 7, Building 12",
            )
            at = time.time()
        return opened.incident.pk, at

    with ThreadPoolExecutor(4) as threads:
        committed = dict(threads.map(lambda job: report_one(*job), jobs))
        for _ in range(4):
            threads.submit(connection.close)
    return committed


# When each row of the board appeared.
_ROWS = """
window.appeared = {};
new MutationObserver((changes) => {
    const now = (performance.timeOrigin + performance.now()) / 1000;
    for (const change of changes) for (const node of change.addedNodes)
        if (node.id?.startsWith("incident-")) window.appeared[node.id.slice(9)] ??= now;
}).observe(document, {childList: true, subtree: true});
"""


@contextlib.contextmanager
def _browser(url: str, session: str, *, seen: str = _ROWS) -> Iterator[Any]:
    """The board in Chromium; yields what tells when each row (or what ``seen`` looks for) appeared. Without Chromium: nothing."""
    try:
        from playwright.sync_api import sync_playwright

        from tests.live_server import CHROMIUM, CHROMIUM_ARGUMENTS
    except ImportError:
        CHROMIUM = ""
    if os.environ.get("BENCH_BROWSER") == "0" or not Path(CHROMIUM).exists():
        yield dict
        return
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        context = chromium.new_context(base_url=url, viewport={"width": 1400, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
        page = context.new_page()
        page.add_init_script(seen)
        page.goto("/")
        page.wait_for_timeout(3000)
        yield lambda: {int(pk): at for pk, at in page.evaluate("() => window.appeared").items()}
        chromium.close()


# --- the pages: a process of their own -------------------------------------------------------------------------------


async def _follow(url: str, key: str, ready: asyncio.Semaphore, heard: list[tuple[int, float]]) -> None:
    import websockets

    headers = {"Cookie": f"sessionid={key}"}
    where = f"ws{url.removeprefix('http')}/ws/live?room=all"
    async with websockets.connect(where, origin=url, additional_headers=headers, compression=None, max_queue=None) as socket:  # type: ignore[arg-type]
        assert "hello" in str(await socket.recv())
        ready.release()
        async for frame in socket:
            now = time.time()
            if str(frame).startswith('{"t":"event"'):
                found = _WHO.search(str(frame))
                assert found is not None
                heard.append((int(found[1]), now))


async def _pages() -> None:
    loop = asyncio.get_running_loop()
    asked = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    heard: list[list[tuple[int, float]]] = [[] for _ in asked["sessions"]]
    ready = asyncio.Semaphore(0)
    following = []
    for key, mine in zip(asked["sessions"], heard, strict=True):
        following.append(asyncio.create_task(_follow(asked["url"], key, ready, mine)))
        await ready.acquire()
    print("open", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    for task in following:
        task.cancel()
    print(json.dumps(heard), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(_pages())
