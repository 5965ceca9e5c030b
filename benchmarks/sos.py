"""From an officer's press to a real command screen: over HTTP into one web process, through the relay, into Chromium; the Celery worker is
killed half-way, and at the end the relay too."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.live import _browser, _product, _program, _quantile, _sessions, _world
from benchmarks.report import Report

SECTION = "Calls for help"
PRESSES = int(os.environ.get("BENCH_PRESSES") or "120")
WITHOUT_RELAY = 20
PAUSE_S = 0.4
_SEEN = """
window.appeared = {};
new MutationObserver((changes) => {
    const now = (performance.timeOrigin + performance.now()) / 1000;
    for (const change of changes) for (const node of change.addedNodes)
        if (node.id?.startsWith("alarm-sos-")) window.appeared[node.id.slice(10)] ??= now;
}).observe(document, {childList: true, subtree: true});
"""


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    call_command("load_gazetteer", verbosity=0)
    _source, type_, points = _world()
    tokens = _officers(type_.agency)
    session = _sessions(1)[0]
    report.row(
        SECTION, "load of the machine before measuring", os.getloadavg()[0], "", "others' work on the same cores shows in every figure"
    )
    with ExitStack() as stack:
        url, _web, relay = stack.enter_context(_product())
        worker = stack.enter_context(_program("-m", "celery", "-A", "khareetaty", "worker", "--queues", "critical,default", "-c", "1"))
        appeared = stack.enter_context(_browser(url, session, seen=_SEEN))
        time.sleep(5)
        pressed, answered = _press(url, tokens, points, PRESSES, half_way=lambda: worker.send_signal(signal.SIGKILL))
        time.sleep(6)
        shown = appeared()
        _rows(report, "press to a command screen in Chromium", pressed, shown, goal="goal: p95 under 1 s")
        _rows(report, "press to the server's answer", pressed, answered)
        _lost(report, f"calls lost of {len(pressed)}, the Celery worker killed half-way", pressed, shown)
        relay.send_signal(signal.SIGKILL)
        relay.wait()
        pressed, _answered = _press(url, tokens, points, WITHOUT_RELAY, half_way=lambda: None)
        time.sleep(8)
        shown = appeared()
        _rows(report, "press to the screen with the relay dead: by asking alone", pressed, shown, goal="asked every 4 s")
        _lost(report, f"calls lost of {len(pressed)} with relay and worker dead", pressed, shown)
    connection.close()


def _officers(agency: Any) -> list[str]:
    from accounts.models import User
    from accounts.roles import Role
    from dashboard.sos_tokens import token_for

    found = []
    for number in range(20):
        user, _made = User.objects.get_or_create(
            username=f"bench-officer-{number}", defaults={"role": Role.OFFICER, "agency": agency, "sees_all_governorates": True}
        )
        found.append(token_for(user))
    return found


def _press(url: str, tokens: list[str], points: list[Any], count: int, *, half_way: Any) -> tuple[dict[int, float], dict[int, float]]:
    """One press after another; what was shown is ended, so that the screen is as in earnest. ``(pressed, answered)`` by the call's id."""
    from patrol.models import Sos

    rng = Random(4)
    pressed: dict[int, float] = {}
    answered: dict[int, float] = {}
    with httpx.Client(base_url=url, timeout=10) as phone:
        for number in range(count):
            if number == count // 2:
                half_way()
            point = rng.choice(points)
            body = {"token": rng.choice(tokens), "key": str(uuid4()), "pressed_at": datetime.now(UTC).isoformat()}
            at = time.time()
            told = phone.post("/sos/press/", json={**body, "lon": point.x, "lat": point.y, "accuracy_m": 8})
            pressed[told.json()["id"]], answered[told.json()["id"]] = at, time.time()
            time.sleep(PAUSE_S)
            old = list(pressed)[: -int(8 / PAUSE_S)]
            Sos.objects.open().filter(pk__in=old[-5:]).update(ended_at=datetime.now(UTC), outcome="Measured")
    return pressed, answered


def _rows(report: Report, name: str, since: dict[int, float], until: dict[int, float], goal: str = "") -> None:
    late = sorted(until[pk] - at for pk, at in since.items() if pk in until)
    if not late:
        return
    for label, share in (("p50", 0.5), ("p95", 0.95)):
        report.row(SECTION, f"{name}, {label}", 1000 * _quantile(late, share), "ms", goal if label == "p95" else f"{len(late)} presses")
    report.row(SECTION, f"{name}, the slowest", 1000 * late[-1], "ms")


def _lost(report: Report, name: str, pressed: dict[int, float], shown: dict[int, float]) -> None:
    from patrol.models import Sos

    there = set(Sos.objects.filter(pk__in=pressed).values_list("pk", flat=True))
    report.row(SECTION, name, len(pressed.keys() - there), "", "rows in the database")
    if shown:
        report.row(SECTION, f"{name}: not shown", len(pressed.keys() - shown.keys()), "", "on the command screen")
