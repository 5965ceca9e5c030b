"""ALR-7: what is late is found by whoever still lives, and told by a path that needs neither pager nor Celery."""

from __future__ import annotations

import os
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from alerts.models import Alert, Delivery, Heartbeat, Page
from alerts.pager import Pager, Round
from alerts.services.escalation import auditor, heart, start_run
from alerts.services.escalation.auditor import count_late, look, look_if_due
from alerts.tests.servers import HttpServer, SmtpServer
from core.events import publish
from core.models import Event

pytestmark = pytest.mark.django_db


def late_run(fire, minutes=5) -> Alert:
    alert = fire()
    start_run(alert=alert, policy=None, now=datetime.now(UTC) - timedelta(minutes=minutes))
    return alert


def until(true, within_s: float = 20) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=within_s)
    while not true():
        assert datetime.now(UTC) < ends, "it never came true"
        threading.Event().wait(0.02)


def test_nothing_is_late_where_everything_is_done_or_not_due(fire):
    start_run(alert=fire(), policy=None)
    assert not count_late().is_late


def test_steps_pages_messages_and_unseen_events_are_counted(fire, cast):
    now = datetime.now(UTC)
    alert = late_run(fire)
    page = Page.objects.create(alert=alert, user=cast.officer, next_at=now - timedelta(minutes=1), code="1", code_expires_at=now)
    Delivery.objects.create(key="4d4b6d0e-7f7c-4a0c-8a54-2d2f0c1b7a11", alert=alert, page=page, channel="sms",
                            next_at=now - timedelta(minutes=2))  # fmt: skip
    Event.objects.filter(pk=publish("test.happened").pk).update(occurred_at=now - timedelta(minutes=3))
    late = count_late()
    assert (late.steps, late.pages, late.deliveries, late.unnumbered) == (1, 1, 1, 1)
    assert 299 < late.oldest_s < 330


def test_a_message_that_is_being_handed_over_is_not_late(fire):
    now = datetime.now(UTC)
    Delivery.objects.create(key="4d4b6d0e-7f7c-4a0c-8a54-2d2f0c1b7a11", alert=fire(), channel="sms", state="sending",
                            next_at=now - timedelta(minutes=2), lease_until=now + timedelta(seconds=20))  # fmt: skip
    assert count_late().deliveries == 0


def test_the_count_reads_the_partial_indexes_and_not_the_tables(fire):
    Event.objects.bulk_create(Event(type="test.happened", seq=seq) for seq in range(1_000_000, 1_003_000))
    for _ in range(3):
        publish("test.happened")
    with connection.cursor() as cursor:
        cursor.execute("REINDEX TABLE core_event")  # other tests' rows, rolled back, weigh on its indexes
        cursor.execute("ANALYZE core_event")  # what the planner believes of a log whose numbering keeps up
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN " + auditor._COUNTS, {"due": datetime.now(UTC), "now": datetime.now(UTC), "most": 10, "rules": "alerts.rules"}
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    for index in ("run_due", "page_due", "delivery_due", "event_unnumbered"):
        assert index in plan


@pytest.mark.django_db(transaction=True)
def test_the_alarm_is_an_event_and_a_mail_of_its_own_and_comes_once_in_ten_minutes(fire, settings):
    late_run(fire)
    with SmtpServer() as server:
        settings.EMAIL_URL, settings.ALERT_AUDIT_EMAIL = server.url, ["duty@ops.example"]
        now = datetime.now(UTC)
        look(now=now)
        look(now=now + timedelta(minutes=5))
        until(lambda: server.mails)
        assert server.mails[0].to == ("duty@ops.example",) and "late" in server.mails[0].subject
        assert Event.objects.filter(type="alerting.late").count() == 1
        look(now=now + timedelta(minutes=11))
        until(lambda: len(server.mails) == 2)


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_outside_is_sent_while_all_is_well_and_stays_away_when_not(fire, settings):
    with HttpServer() as server:
        settings.HEARTBEAT_URL = f"{server.url}/ping"
        now = datetime.now(UTC)
        look(now=now)
        look(now=now + timedelta(seconds=30))
        until(lambda: server.seen)
        late_run(fire)
        look(now=now + timedelta(minutes=2))
        assert [seen.path for seen in server.seen] == ["/ping"]


def test_a_mail_server_that_is_away_breaks_nothing(fire, settings):
    settings.EMAIL_URL, settings.ALERT_AUDIT_EMAIL = "smtp://127.0.0.1:1", ["duty@ops.example"]
    late_run(fire)
    assert look().steps == 1
    auditor._mail(count_late())


def test_open_pages_ask_often_and_the_database_is_asked_once(fire):
    look_if_due()
    late_run(fire)
    assert not look_if_due().is_late  # found a moment ago
    assert look_if_due(now=datetime.now(UTC) + timedelta(seconds=16)).is_late


def test_an_open_page_finds_out_though_everything_else_is_dead(client, cast, fire):
    late_run(fire)
    assert client.get("/alerts/late.json").status_code == 302
    client.force_login(cast.officer, backend="django.contrib.auth.backends.ModelBackend")
    told = client.get("/alerts/late.json").json()
    assert told["late"] and told["lines"] == ["Escalation steps overdue: 1"]
    assert Event.objects.filter(type="alerting.late").count() == 1


def test_a_watch_outside_is_answered_503_while_anything_is_late(client, fire):
    assert client.get("/healthz/alerts").status_code == 200
    late_run(fire)
    told = client.get("/healthz/alerts")
    assert told.status_code == 503 and told.json()["late"]["steps"] == 1


def test_what_a_dead_process_of_this_machine_held_is_free_and_what_a_living_one_holds_is_not(fire):
    ended = subprocess.Popen(["true"])
    ended.wait()
    later, alert = datetime.now(UTC) + timedelta(minutes=1), fire()
    host = heart.owner_here().rpartition(":")[0]
    rows = [
        Delivery.objects.create(key=f"4d4b6d0e-7f7c-4a0c-8a54-2d2f0c1b7a1{n}", alert=alert, channel="sms", next_at=later, lease_until=later,
                                lease_owner=owner)
        for n, owner in enumerate([f"{host}:{ended.pid}", f"{host}:{os.getpid()}", f"elsewhere:{ended.pid}"])
    ]  # fmt: skip
    assert heart.free_leases_of_the_dead() == 1
    assert Delivery.objects.filter(pk=rows[0].pk, lease_until__lt=later).exists()


@pytest.mark.django_db(transaction=True)
def test_the_pager_runs_steps_beats_and_leaves_when_asked(fire, cast):
    alert, stop = late_run(fire), threading.Event()
    thread = threading.Thread(target=Pager().run, args=(stop,))
    thread.start()
    try:
        until(lambda: Page.objects.filter(alert=alert).exists() and Heartbeat.objects.filter(name="pager").exists())
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_a_round_that_fails_is_tried_again_and_stops_no_other():
    tried: list[str] = []
    stop = threading.Event()

    def bad() -> int:
        tried.append("bad")
        raise RuntimeError("no")

    def cut() -> int:
        tried.append("cut")
        if tried.count("cut") == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return 0

    thread = threading.Thread(target=Pager(rounds=[Round("bad", bad, 0.01), Round("cut", cut, 0.01)]).run, args=(stop,))
    thread.start()
    try:
        until(lambda: tried.count("bad") >= 2 and tried.count("cut") >= 3)
    finally:
        stop.set()
        thread.join(30)
