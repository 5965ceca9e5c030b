"""From a committed event to the alert's row, and on to the message in the channel's hands: a hundred rules, fifty alerts a second, one
relay, one pager, a real mail server at the other end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Max
from django.db.models.functions import Now

from benchmarks.live import _program, _quantile
from benchmarks.report import Report

SECTION = "Alerts"
RULES = 100
RATE_PER_S = float(os.environ.get("BENCH_RATE") or "50")
SECONDS = float(os.environ.get("BENCH_SECONDS") or "20")
EVENT = "bench.happened"


def run(report: Report) -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    call_command("load_gazetteer", verbosity=0)
    forget_alerts()
    agency, governorate = _world()
    report.row(
        SECTION, "load of the machine before measuring", os.getloadavg()[0], "", "others' work on the same cores shows in every figure"
    )
    with ExitStack() as stack:
        os.environ["EMAIL_URL"] = stack.enter_context(_mail_server()).url
        os.environ["PUBLIC_URL"] = "https://alerts.example"
        stack.enter_context(_program("manage.py", "relay"))
        stack.enter_context(_program("manage.py", "pager"))
        time.sleep(8)
        _happen(agency, governorate, seconds=2, first=1_000_000)  # what is compiled and cached at the first time
        time.sleep(5)
        with _watching() as seen:
            committed, lasted = _happen(agency, governorate, seconds=SECONDS, first=1)
            _wait_for(committed)
        _rows(report, committed, seen, lasted)
    connection.close()


def forget_alerts() -> None:
    """An earlier run's alerts would be joined by this one's events, and its rules would fire too: both are over."""
    from alerts.models import Alert, AlertRule, AlertState, EscalationRun

    EscalationRun.objects.filter(state=EscalationRun.State.RUNNING).update(state=EscalationRun.State.STOPPED, next_at=None, ended_at=Now())
    Alert.objects.exclude(state=AlertState.RESOLVED).update(state=AlertState.RESOLVED, resolved_at=Now())
    AlertRule.objects.update(state=AlertRule.State.OFF)


@contextmanager
def _mail_server() -> Iterator[Any]:
    import logging

    from alerts.tests.servers import SmtpServer

    logging.getLogger("mail.log").setLevel(logging.WARNING)
    with SmtpServer() as server:
        yield server


def _world() -> tuple[Any, Any]:
    """An agency, its people with addresses, a policy, and a hundred rules of which one fires for each event."""
    from accounts.models import Agency, User
    from accounts.roles import Role
    from alerts.models import AlertRule, ChannelHealth, ContactMethod, EscalationPolicy, PolicyStep
    from geography.models import Zone

    agency, _made = Agency.objects.get_or_create(slug="bench", defaults={"kind": "police", "name_en": "Bench", "name_ar": "قياس"})
    governorate = Zone.objects.filter(level="governorate", is_active=True).order_by("code").first()
    names = {"name_en": "Bench", "name_ar": "قياس", "agency": agency}
    policy, is_new = EscalationPolicy.objects.get_or_create(code="bench", defaults=names)
    if is_new:
        user = User.objects.create(username="bench-told", role=Role.SUPERVISOR, agency=agency, sees_all_governorates=True)
        ContactMethod.objects.create(user=user, channel="email", address="told@example.org", verified_at=datetime.now(UTC))
        PolicyStep.objects.create(policy=policy, position=1, kind="person", user=user, channels=["email"], also_off_duty=True, wait_s=3600)
        ChannelHealth.objects.update_or_create(channel="email", defaults={"per_minute": 1_000_000, "per_recipient_hour": 1_000_000})
    usual = {"source": "event", "agency": agency, "group_by": ["subject"], "cooldown_zone_min": 0, "cooldown_type_min": 0,
             "most_per_hour": 10_000_000, "policy": policy, "level": "high", "state": "active"}  # fmt: skip
    for number in range(RULES):
        # Half of them hear the very event and are turned down by a filter; the rest hear others.
        types = [EVENT] if number % 2 == 0 else [f"bench.other{number}"]
        only = {} if number == 0 else {"least_severity": 5}
        AlertRule.objects.get_or_create(
            code=f"bench-{number}", defaults={**usual, **only, "name_en": "Bench", "name_ar": "قياس", "condition": {"types": types}}
        )
    AlertRule.objects.filter(policy=policy).update(state=AlertRule.State.ACTIVE)
    return agency, governorate


@contextmanager
def _watching() -> Iterator[dict[int, datetime]]:
    """When each event's alert could be read by another session: looked at forty times a second, so each is up to 25 ms late."""
    from django.db import connection

    from alerts.models import Occurrence

    seen: dict[int, datetime] = {}
    over = threading.Event()
    since = Occurrence.objects.aggregate(last=Max("pk"))["last"] or 0

    def watch(last: int) -> None:
        while not over.wait(0.025):
            found = list(Occurrence.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "event_id"))
            now = datetime.now(UTC)
            seen.update({event: now for _pk, event in found if event is not None})
            last = found[-1][0] if found else last
        connection.close()

    thread = threading.Thread(target=watch, args=(since,))
    thread.start()
    yield seen
    over.set()
    thread.join()


def _happen(agency: Any, governorate: Any, *, seconds: float, first: int) -> tuple[dict[int, datetime], float]:
    """Events at an even pace; for each the time just before its COMMIT."""
    from django.db import transaction

    from core.events import wake_relay
    from core.models import Event

    committed: dict[int, datetime] = {}
    start = time.monotonic()
    for number in range(round(RATE_PER_S * seconds)):
        time.sleep(max(0.0, start + number / RATE_PER_S - time.monotonic()))
        with transaction.atomic():
            event = Event.objects.create(type=EVENT, subject_type="bench", subject_id=first + number, agency_id=agency.pk,
                                         governorate_id=governorate.pk)  # fmt: skip
            wake_relay()
            at = datetime.now(UTC)
        committed[event.pk] = at
    return committed, time.monotonic() - start


def _wait_for(committed: dict[int, datetime]) -> None:
    from alerts.models import Delivery, Occurrence

    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        done = Delivery.objects.exclude(sent_at=None).filter(channel="email", alert__occurrences__event_id__in=committed).count()
        if done >= len(committed) and Occurrence.objects.filter(event_id__in=committed).count() >= len(committed):
            return
        time.sleep(0.5)


def _rows(report: Report, committed: dict[int, datetime], opened: dict[int, datetime], lasted: float) -> None:
    from alerts.models import Delivery, DeliveryAttempt
    from core.models import Event

    of_event = "delivery__alert__occurrences__event_id"
    tries = DeliveryAttempt.objects.filter(number=1, **{f"{of_event}__in": committed})
    handed = dict(tries.values_list(of_event, "started_at"))
    deliveries = Delivery.objects.exclude(sent_at=None).filter(channel="email", alert__occurrences__event_id__in=committed)
    sent = dict(deliveries.values_list("alert__occurrences__event_id", "sent_at"))
    load = f"{RULES} rules, {len(committed) / lasted:.1f} events/s for {lasted:.0f} s, each an alert"
    for name, found, goal in (
        ("event committed to alert row", opened, "goal: p95 under 500 ms"),
        ("event committed to handed to the channel", handed, "goal: p95 under 1 s"),
        ("event committed to taken by the mail server", sent, ""),
    ):
        late = sorted((found[event] - at) / timedelta(seconds=1) for event, at in committed.items() if event in found)
        if not late:
            report.row(SECTION, name, 0, "", "nothing arrived")
            continue
        for label, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            report.row(
                SECTION, f"{name}, {label}", 1000 * _quantile(late, share), "ms", f"{load}; {goal}" if goal and label == "p95" else load
            )
    report.row(SECTION, f"alerts missing of {len(committed)}", len(committed.keys() - opened.keys()), "", "rows in the database")
    report.row(SECTION, f"messages missing of {len(committed)}", len(committed.keys() - sent.keys()), "", "marked as sent within a minute")
    report.row(SECTION, "events unread at the end", Event.objects.filter(seq=None).count(), "", "")
