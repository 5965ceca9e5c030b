"""From an event that is committed to the alert's row: fifty incidents a second, a hundred active rules, the real relay between them.

PostgreSQL is a durable one. The way is watched from outside: a prober asks a hundred times a second which alerts there are, and the time
one could first be read is compared with the time its incident's transaction had ended. Nothing may be missing, nothing twice.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from benchmarks.alerts import forget_alerts
from benchmarks.live import _program, _quantile, _world
from benchmarks.report import Report

SECTION = "From fact to alert"
RATE = 50
SECONDS = int(os.environ.get("KHAREETATY_BENCH_SECONDS") or "40")
RULES = 100
HISTORY = 20_000
BACKLOG = 2_000


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection

    from core.relay import enlist_readers

    call_command("migrate", verbosity=0)
    call_command("load_gazetteer", verbosity=0)
    forget_alerts()
    world = _world()
    _history(world)
    each = _rules(world[1])
    report.row(
        SECTION, "load of the machine before measuring", os.getloadavg()[0], "", "others' work on the same cores shows in every figure"
    )
    enlist_readers()
    with _program("manage.py", "relay"):
        _until_it_reads()
        _open(world, RATE * 4)  # what is compiled and cached at the first time
        _until_it_reads()
        over = threading.Event()
        seen: dict[int, float] = {}
        prober = threading.Thread(target=_probe, args=(each.pk, seen, over))
        prober.start()
        committed, late_s = _open(world, RATE * SECONDS)
        deadline = time.time() + 60
        while committed.keys() - seen.keys() and time.time() < deadline:
            time.sleep(0.2)
        over.set()
        prober.join()
    late = sorted(seen[pk] - at for pk, at in committed.items() if pk in seen)
    note = f"{len(committed)} incidents, {RATE}/s, {RULES} rules, {HISTORY:,} incidents of history"
    for label, share, goal in (("p50", 0.5, note), ("p95", 0.95, "goal: under 500 ms"), ("p99", 0.99, "")):
        report.row(SECTION, f"event committed to alert row, {label}", 1000 * _quantile(late, share), "ms", goal)
    report.row(SECTION, "the slowest", 1000 * late[-1], "ms")
    report.row(SECTION, "how far the sender fell behind its rate", late_s, "s", "0 where the machine kept up")
    report.row(SECTION, "alerts missing", len(committed.keys() - seen.keys()), "", f"of {len(committed)}")
    report.row(SECTION, "alerts twice", _twice(each.pk), "", "of one incident by one rule")
    _backlog(report, world)
    connection.close()


def _until_it_reads() -> None:
    """The relay is up when its reader of rules has passed an event of ours."""
    from alerts.services.escalation.auditor import RULES_CURSOR
    from core.events import publish
    from core.models import Event, EventCursor

    mark = publish("bench.begun")
    for _n in range(1_000):
        seq = Event.objects.filter(pk=mark.pk).values_list("seq", flat=True).get()
        if seq is not None and EventCursor.objects.filter(name=RULES_CURSOR, seq__gte=seq).exists():
            return
        time.sleep(0.05)
    raise RuntimeError("the relay did not start")


def _history(world: Any) -> None:
    """Incidents of the last month, as an import leaves them: the counts have something to count."""
    from django.db import connection

    from geography.models import Zone
    from incidents.models import Incident, IncidentType

    source, _type, points = world
    if Incident.objects.count() >= HISTORY:
        return
    rng, now = Random(7), datetime.now(UTC)
    types = list(IncidentType.objects.all())
    areas = list(Zone.objects.filter(level="area", is_active=True, region=source.region).select_related("parent"))
    rows = []
    for _n in range(HISTORY):
        area, type_ = rng.choice(areas), rng.choice(types)
        at = now - timedelta(minutes=rng.random() * 60 * 24 * 30)
        rows.append(
            Incident(
                region=source.region,
                source=source,
                agency=source.agency,
                type=type_,
                priority=3,
                severity=rng.randint(1, 4),
                location=rng.choice(points),
                governorate_id=area.parent_id,
                area=area,
                occurred_at=at,
                reported_at=at,
                is_synthetic=True,
            )
        )
    Incident.objects.bulk_create(rows, batch_size=2_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incident")  # what autovacuum would have done within the minute


def _rules(type_: Any) -> Any:
    """A hundred: one that makes an alert of every incident, and counts and events of many types, windows and zones."""
    from alerts.models import AlertRule, EscalationPolicy, PolicyStep
    from incidents.models import IncidentType

    policy, is_new = EscalationPolicy.objects.get_or_create(code="engine", defaults={"name_en": "Bench", "name_ar": "قياس"})
    if not is_new:  # a second run on the same database
        AlertRule.objects.filter(policy=policy).update(state=AlertRule.State.ACTIVE)
        return AlertRule.objects.get(code="each")
    PolicyStep.objects.create(policy=policy, position=1, kind=PolicyStep.Kind.COMMAND_CENTRE, wait_s=60)
    own: dict[str, Any] = {"policy": policy, "state": AlertRule.State.ACTIVE, "name_ar": "قياس"}
    rng, types = Random(3), list(IncidentType.objects.values_list("code", flat=True))
    for number in range(RULES - 1):
        if number % 4 == 0:
            AlertRule.objects.create(
                code=f"event-{number}", name_en=f"Event {number}", source="event", condition={"types": ["incident.opened"]},
                types=rng.sample(types, 3), least_severity=4, group_by=["zone"], **own,
            )  # fmt: skip
        else:
            AlertRule.objects.create(
                code=f"count-{number}", name_en=f"Count {number}", source="count",
                condition={"window_h": rng.choice([6, 24, 72, 168]), "per": rng.choice(["area", "area", "governorate"])},
                types=rng.sample(types, rng.randint(1, 4)) if number % 3 else [], levels={"medium": 25, "high": 60}, trend_at_least=1.5,
                modifiers=[{"when": {"from": "22:00", "to": "05:00"}, "threshold_percent": -20}], group_by=["zone", "type"], **own,
            )  # fmt: skip
    return AlertRule.objects.create(
        code="each", name_en="Each", source="event", condition={"types": ["incident.opened"]}, group_by=["subject"],
        cooldown_zone_min=0, cooldown_type_min=0, most_per_hour=1_000_000, **own,
    )  # fmt: skip


def _open(world: Any, count: int, *, rate: int = RATE) -> tuple[dict[int, float], float]:
    """Incidents at the rate asked for: when each one's transaction had ended, and how far behind the sender was at the end."""
    from incidents.models import IncidentType
    from incidents.services import open_incident

    source, _type, points = world
    rng, committed = Random(11), {}
    types = list(IncidentType.objects.all())
    begin = time.time()
    for number in range(count):
        time.sleep(max(0.0, begin + number / rate - time.time()))
        incident = open_incident(
            source=source, type=rng.choice(types), occurred_at=datetime.now(UTC), kind="bench", raw={"n": number}, by=None,
            external_id=f"alert-bench-{begin}-{number}", location=rng.choice(points), is_synthetic=True,
        ).incident  # fmt: skip
        committed[incident.pk] = time.time()
    return committed, max(0.0, time.time() - begin - count / rate)


def _probe(rule_id: int, seen: dict[int, float], over: threading.Event) -> None:
    from core.relay import connect

    with connect() as db:
        last = 0
        while not over.wait(0.01):
            rows = db.execute(
                "SELECT id, incident_id FROM alerts_alert WHERE id > %s AND rule_id = %s ORDER BY id", [last, rule_id]
            ).fetchall()
            at = time.time()
            for pk, incident_id in rows:
                seen.setdefault(incident_id, at)
                last = pk


def _twice(rule_id: int) -> int:
    from alerts.models import Alert

    counted = Counter(Alert.objects.filter(rule_id=rule_id).values_list("incident_id", flat=True))
    return sum(count - 1 for count in counted.values())


def _backlog(report: Report, world: Any) -> None:
    """What was left while the relay was away, read in batches of 500 as fast as it goes."""
    from django.db import connection, transaction
    from django.test.utils import CaptureQueriesContext

    from alerts.services.engine import hear
    from core.models import Event

    last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    _open(world, BACKLOG, rate=100_000)
    events = list(Event.objects.filter(pk__gt=last, type="incident.opened").order_by("pk"))
    begin, asked, opened = time.monotonic(), 0, 0
    for number in range(0, len(events), 500):
        with transaction.atomic(), CaptureQueriesContext(connection) as questions:
            opened += hear(events[number : number + 500]).opened
        asked += len(questions)
    seconds = time.monotonic() - begin
    report.row(SECTION, "a backlog, events a second", len(events) / seconds, "/s", f"{len(events)} events, {opened} alerts opened")
    report.row(
        SECTION, "a backlog, statements an alert", asked / max(opened, 1), "", "the run, the log line and the event of each included"
    )
