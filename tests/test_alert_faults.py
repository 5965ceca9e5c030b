"""ALR-7: nothing lost, nothing sent twice. Real processes, killed with SIGKILL at random moments while events come in; a broker that is
emptied; a mail server and a server that speaks Twilio's API at the other end. The test keeps a ledger of its own of what it committed and
what came out, and compares.

What is compared (docs/decisions/0180): each committed event has one alert, an event whose transaction was undone has none; each alert
that nobody acknowledged has each step once, none that somebody did has a step after it; each (alert, step, person) has one page; the
other end was handed each page once, and what it did not get is said to be uncertain; nothing is a minute late.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.db.models import F, Max

from alerts.choices import Through
from alerts.models import (
    Alert,
    AlertRule,
    ChannelHealth,
    Delivery,
    DeliveryAttempt,
    EscalationPolicy,
    EscalationRun,
    Occurrence,
    Page,
    PolicyStep,
    StepRun,
)
from alerts.services.alerts import acknowledge
from alerts.services.escalation.auditor import count_late
from alerts.tests.servers import SmtpServer, TwilioServer
from core.errors import Conflict
from core.events import wake_relay
from core.models import Event, EventCursor
from tests.live_server import ROOT, quiet_flush, test_database_environment
from tests.test_live_faults import OwnRedis

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = "drill.happened"
LATE = timedelta(seconds=60)
PROGRAMS = {
    "relay": ["manage.py", "relay"],
    "pager": ["manage.py", "pager"],
    "pager two": ["manage.py", "pager"],
    "worker": ["-m", "celery", "-A", "khareetaty", "worker", "--queues", "critical,default", "-c", "1", "--loglevel", "error"],
    "beat": ["-m", "celery", "-A", "khareetaty", "beat", "--loglevel", "error", "--pidfile=",
             "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler"],
}  # fmt: skip


@dataclass
class Ledger:
    """What the test knows by itself."""

    committed: dict[int, datetime] = field(default_factory=dict)  # event id -> just after its commit
    undone: set[int] = field(default_factory=set)
    acknowledged: dict[int, datetime] = field(default_factory=dict)  # alert id -> just after its acknowledgement was committed
    killed: Counter[str] = field(default_factory=Counter)


class Processes:
    """The product's background programs, killed and started again as a supervisor would."""

    def __init__(self, names: list[str], environment: dict[str, str], log: Path) -> None:
        self.environment, self.log = environment, log
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.down: dict[str, float] = {}
        for name in names:
            self.start(name)

    def start(self, name: str) -> None:
        self.running[name] = subprocess.Popen(
            [sys.executable, *PROGRAMS[name]], cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def kill(self, name: str, *, back_after_s: float) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.down[name] = time.monotonic() + back_after_s

    def mend(self, *, all_of_them: bool = False) -> None:
        for name, at in list(self.down.items()):
            if all_of_them or time.monotonic() >= at:
                del self.down[name]
                self.start(name)

    def end(self) -> None:
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass
class Ends:
    """What stands at the other end, and the broker."""

    smtp: SmtpServer
    twilio: TwilioServer
    redis: OwnRedis
    environment: dict[str, str]
    log: Path


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    broker = OwnRedis(tmp_path)
    with SmtpServer() as smtp, TwilioServer() as twilio, quiet_flush():
        environment = test_database_environment() | {
            "REDIS_URL": broker.url, "EMAIL_URL": smtp.url, "ALERT_FROM_EMAIL": "alerts@alerts.example", "TWILIO_API_URL": twilio.url,
            "TWILIO_ACCOUNT_SID": twilio.account, "TWILIO_AUTH_TOKEN": twilio.token, "TWILIO_SMS_FROM": "+15005550006",
            "PUBLIC_URL": "https://alerts.example", "LOG_LEVEL": "WARNING",
        }  # fmt: skip
        yield Ends(smtp, twilio, broker, environment, tmp_path / "processes.log")
    broker.kill()


@pytest.fixture
def drill(cast: Any, places: Any, alerting: Any) -> AlertRule:
    """Each event is an alert of its own: the dispatcher by SMS at once, five seconds later the supervisor by e-mail."""
    policy = EscalationPolicy.objects.create(code="drill", name_en="Drill", name_ar="تمرين", agency=cast.police)
    first = {"kind": PolicyStep.Kind.PERSON, "user": cast.dispatcher, "channels": ["sms"], "also_off_duty": True, "wait_s": 5}
    second = {"kind": PolicyStep.Kind.PERSON, "user": cast.supervisor, "channels": ["email"], "also_off_duty": True, "wait_s": 3600}
    for position, step in enumerate((first, second), start=1):
        PolicyStep.objects.create(policy=policy, position=position, **step)
    for channel in ("sms", "email"):
        ChannelHealth.objects.create(channel=channel, per_minute=1_000_000, per_recipient_hour=1_000_000)
    return AlertRule.objects.create(
        code="drill", name_en="Drill", name_ar="تمرين", source=AlertRule.Source.EVENT, agency=cast.police, condition={"types": [EVENT]},
        group_by=["subject"], cooldown_zone_min=0, cooldown_type_min=0, most_per_hour=1_000_000, policy=policy, level="high",
        state=AlertRule.State.ACTIVE,
    )  # fmt: skip


def happen(ledger: Ledger, number: int, cast: Any, places: Any, rng: random.Random) -> None:
    """An event is committed, or (one in twenty) undone."""
    with transaction.atomic():
        event = Event.objects.create(type=EVENT, subject_type="drill", subject_id=number, agency_id=cast.police.pk,
                                     governorate_id=places.hawalli.pk, data={"n": number})  # fmt: skip
        wake_relay()
        if rng.random() < 0.05:
            ledger.undone.add(number)
            transaction.set_rollback(True)
    if number not in ledger.undone:
        ledger.committed[event.pk] = datetime.now(UTC)


def answer_one(ledger: Ledger, cast: Any) -> None:
    """Somebody acknowledges the newest alert that fires."""
    alert = Alert.objects.firing().order_by("-pk").first()
    if alert is None:
        return
    try:
        acknowledge(alert=alert, by=cast.supervisor, through=Through.SCREEN)
    except Conflict:
        return
    ledger.acknowledged[alert.pk] = datetime.now(UTC)


def waiting(ledger: Ledger) -> int:
    """Events that are no alert yet, steps that are due, and messages that are not handed over."""
    late_steps = EscalationRun.objects.filter(state="running", next_at__lt=datetime.now(UTC)).count()
    messages = Delivery.objects.filter(state__in=["pending", "sending"]).count()
    return len(ledger.committed) - Occurrence.objects.count() + late_steps + messages


def is_drained(ledger: Ledger) -> bool:
    if Occurrence.objects.values("event_id").distinct().count() < len(ledger.committed):
        return False
    now = datetime.now(UTC)
    if EscalationRun.objects.filter(state="running", next_at__lt=now + timedelta(minutes=10)).exists():
        return False  # every run that goes has had its last step, and waits the hour after it
    return not Delivery.objects.filter(state__in=["pending", "sending"]).exists()


def storm(ledger: Ledger, processes: Processes, ends: Ends, cast: Any, places: Any, *, events: int, every_s: tuple[float, float],
          most_waiting: int, seed: int, most_kills: int = 10_000) -> None:  # fmt: skip
    """Let events happen as fast as they can be borne, and kill something every so often; half-way the broker is emptied."""
    rng = random.Random(seed)
    next_kill, is_flushed, number = time.monotonic() + every_s[0], False, 0
    while number < events:
        processes.mend()
        if waiting(ledger) < most_waiting:
            for _n in range(20):
                number += 1
                happen(ledger, number, cast, places, rng)
                if rng.random() < 0.05:
                    answer_one(ledger, cast)
        else:
            time.sleep(0.05)
        if time.monotonic() >= next_kill and processes.running and sum(ledger.killed.values()) < most_kills:
            # A short drill kills each in turn; a long one whatever chance says.
            names = sorted(processes.running)
            name = rng.choice(names) if most_kills > 100 else min(names, key=lambda it: ledger.killed[it])
            ledger.killed[name] += 1
            processes.kill(name, back_after_s=rng.uniform(0.0, 1.5))
            next_kill = time.monotonic() + rng.uniform(*every_s)
        if not is_flushed and number >= events // 2:
            with redis.Redis.from_url(ends.redis.url) as client:
                client.flushall()
            ledger.killed["broker emptied"] += 1
            is_flushed = True
    processes.mend(all_of_them=True)


def drain(ledger: Ledger, processes: Processes, *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not is_drained(ledger):
        assert time.monotonic() < deadline, (
            f"not done: {len(ledger.committed) - Occurrence.objects.count()} events without an alert, {count_late()}, "
            f"{processes.log.read_text(errors='replace')[-3000:]}"
        )
        time.sleep(0.2)


def compare(ledger: Ledger, ends: Ends, cast: Any) -> dict[str, float]:
    """The ledger against the tables, and against what arrived at the other end. Returns the figures."""
    # 1. Events and alerts.
    seen = Counter(Occurrence.objects.values_list("event_id", flat=True))
    assert set(seen) == set(ledger.committed), "each committed event has an alert, and nothing else has"
    assert set(seen.values()) <= {1} and Alert.objects.filter(rule__code="drill").count() == len(ledger.committed)
    # 2. Steps.
    rows: dict[int, list[tuple[int, datetime, datetime]]] = {}
    ran_steps = StepRun.objects.filter(run__alert__rule__code="drill")
    for alert_id, step_no, due_at, ran_at in ran_steps.values_list("run__alert_id", "step_no", "due_at", "ran_at"):
        rows.setdefault(alert_id, []).append((step_no, due_at, ran_at))
    for alert_id in Alert.objects.filter(rule__code="drill").values_list("pk", flat=True):
        steps = sorted(step for step, _due, _ran in rows.get(alert_id, []))
        if alert_id in ledger.acknowledged:
            assert steps in ([], [0], [0, 1]), steps
            assert all(ran <= ledger.acknowledged[alert_id] for _step, _due, ran in rows.get(alert_id, [])), "no step after the answer"
        else:
            assert steps == [0, 1], f"alert {alert_id} has the steps {steps}"
    # 3. Pages: one for each (alert, step, person).
    pages = Counter(Page.objects.values_list("alert_id", "step_run__step_no", "user_id", "contact_id"))
    assert not [key for key, count in pages.items() if count > 1]
    wanted = {(alert_id, step) for alert_id, run in rows.items() for step, _due, _ran in run}
    assert {(alert_id, step) for alert_id, step, _user, _contact in pages if step is not None} >= wanted
    # 4. What arrived. SMS: by the reply code, which is a page's own. E-mail: by the Message-ID, which is the delivery's key.
    endings = [(re.findall(r"(\d{8})\s*$", taken.body), taken.body) for taken in list(ends.twilio.messages)]
    nameless = [body for code, body in endings if not code]
    assert not nameless, f"{len(nameless)} text messages end without a reply code: {nameless[:3]}"
    codes = Counter(code[0] for code, _body in endings)
    twice_by_sms = {code: count for code, count in codes.items() if count > 1}
    assert not twice_by_sms, "a text message arrived twice"
    keys = Counter(str(mail.message["Message-ID"]) for mail in list(ends.smtp.mails))
    open_tries = set(DeliveryAttempt.objects.filter(ended_at=None).values_list("delivery__key", flat=True))
    again = {key for key, count in keys.items() if count > 1}
    assert all(any(str(known) in key for known in open_tries) for key in again), "only what a crash left open may be handed over again"
    sent = Delivery.objects.filter(state__in=["sent", "delivered", "read"])
    assert set(Page.objects.filter(deliveries__in=sent.filter(channel="sms")).values_list("code", flat=True)) <= set(codes)
    arrived = "\n".join(keys)
    assert all(str(key) in arrived for key in sent.filter(channel="email").values_list("key", flat=True))
    # What is not known to have arrived was called back by an answer, or a process died in the middle of it and it says so.
    rest = Delivery.objects.exclude(pk__in=sent).exclude(channel="in_app")
    assert set(rest.values_list("error_code", flat=True)) <= {"called_back", "unknown"}, Counter(rest.values_list("error_code", "error"))
    # 5. Lateness.
    late_alert = max((opened - ledger.committed[event or 0] for event, opened in
                      Occurrence.objects.values_list("event_id", "alert__opened_at")), default=timedelta())  # fmt: skip
    late_step = max((ran - due for run in rows.values() for _step, due, ran in run), default=timedelta())
    handed = Delivery.objects.exclude(sent_at=None).exclude(channel="in_app").values_list("created_at", "sent_at")
    late_message = max((sent_at - made for made, sent_at in handed), default=timedelta())
    assert max(late_alert, late_step, late_message) <= LATE, (late_alert, late_step, late_message, latest_messages())
    return {
        "events": len(ledger.committed), "acknowledged": len(ledger.acknowledged), "kills": sum(ledger.killed.values()),
        "steps": sum(len(run) for run in rows.values()), "sms": sum(codes.values()), "mails": sum(keys.values()),
        "mails handed over again after a crash": len(again), "uncertain, not repeated": rest.filter(error_code="unknown").count(),
        "latest alert s": late_alert.total_seconds(), "latest step s": late_step.total_seconds(),
        "latest message s": late_message.total_seconds(),
    }  # fmt: skip


def latest_messages() -> list[Any]:
    """How the three that were handed over latest came to be so: made, tried, sent."""
    worst = Delivery.objects.exclude(sent_at=None).exclude(channel="in_app").order_by(F("created_at") - F("sent_at"))[:3]
    return [
        (row.channel, row.created_at, list(row.tries.order_by("number").values_list("started_at", "ended_at", "outcome")), row.sent_at)
        for row in worst
    ]


def enlist_rules() -> None:
    """The rules read from here on, though the first relay be killed before it has said so."""
    EventCursor.objects.get_or_create(name="alerts.rules", defaults={"seq": Event.objects.aggregate(head=Max("seq"))["head"] or 0})


def test_nothing_is_lost_or_doubled_while_relay_and_pager_are_killed(ends, drill, cast, places):
    PolicyStep.objects.filter(policy__code="drill", position=1).update(wait_s=2)
    ledger = Ledger()
    enlist_rules()
    processes = Processes(["relay", "pager"], ends.environment, ends.log)
    try:
        storm(ledger, processes, ends, cast, places, events=120, every_s=(2.5, 4.0), most_waiting=40, seed=7, most_kills=4)
        drain(ledger, processes, within_s=120)
    finally:
        processes.end()
    print(compare(ledger, ends, cast), dict(ledger.killed))


@pytest.mark.faults
def test_of_ten_thousand_events_nothing_is_lost_or_doubled_while_everything_is_killed(ends, drill, cast, places):
    ledger = Ledger()
    enlist_rules()
    processes = Processes(list(PROGRAMS), ends.environment, ends.log)
    try:
        events = int(os.environ.get("FAULT_EVENTS") or "10000")
        storm(ledger, processes, ends, cast, places, events=events, every_s=(5.0, 15.0), most_waiting=100, seed=2026)
        drain(ledger, processes, within_s=600)
    finally:
        processes.end()
        connection.close()
    print(compare(ledger, ends, cast), dict(ledger.killed))
