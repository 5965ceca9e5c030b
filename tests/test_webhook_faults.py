"""INT-4: a receiver that fails, hangs, drops, redirects and comes back; senders that are killed meanwhile. Each delivery is accepted at
least once, none is lost, and whatever came twice came under the same id, after a kill or after an answer that was lost on its way.

The receiver keeps a ledger of its own of what it accepted, and the two are compared in the end.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.tests.servers.http import HttpServer, Reply, Seen
from core.models import Event
from interop.models import Kind, Partner, WebhookAttempt, WebhookDelivery
from interop.sender.process import WebhookSender
from interop.services import issue_key
from interop.services.webhooks import fan_out, make_webhook
from tests.live_server import ROOT, quiet_flush, test_database_environment

SENDERS = 2
KILL_EVERY_S = 4.0
MOMENTS_S = 3.0
BAD = 0.35  # of the calls while it is ill


class Moody(HttpServer):
    """Ill until ``ill_for`` calls have come, then well. Keeps when it accepted which id."""

    def __init__(self, ill_for: int, seed: int) -> None:
        super().__init__()
        self.rng, self.ill_for, self.calls = random.Random(seed), ill_for, 0
        self.accepted: defaultdict[str, list[float]] = defaultdict(list)
        self.secret = ""
        self.forged = 0
        self._mood = threading.Lock()

    def answer(self, seen: Seen) -> Reply:
        with self._mood:
            self.calls += 1
            ill = self.calls <= self.ill_for and self.rng.random() < BAD
            how = self.rng.randrange(20)
        self.seen.clear()  # ten thousand bodies are not kept
        if ill:
            if how == 0:
                return Reply.hang(3)
            return (Reply(500), Reply(302, headers={"Location": "http://127.0.0.1:1/"}), Reply.dropped(), Reply(429))[how % 4]
        if len(seen.body) < int(seen.headers["content-length"]):
            return Reply.dropped()  # its sender was killed in the middle of it
        try:
            Webhook(self.secret).verify(seen.body, seen.headers)
        except WebhookVerificationError:
            self.forged += 1
            return Reply(400)
        return Reply(204, b"")

    def after(self, seen: Seen, reply: Reply) -> None:
        if reply.status == 204:
            with self._mood:
                self.accepted[seen.headers["webhook-id"]].append(time.time())


def told_of(count: int, cast: Any, places: Any, receiver: Moody) -> None:
    """``count`` events of four hundred incidents in the log, queued for the receiver."""
    partner = Partner.objects.create(slug="moody", name="Moody", agency=cast.police, region=places.region, kinds=Kind.values)
    key = issue_key(partner=partner, name="k", scopes=["incidents:read", "webhooks:manage"], by=None, all_governorates=True)[0]
    webhook, receiver.secret = make_webhook(key=key, url=f"{receiver.url}/in", types=["incident.*"], by=key, concurrency=20)
    start = Event.objects.order_by("-seq").exclude(seq=None).values_list("seq", flat=True).first() or 0
    for first in range(0, count, 1000):
        rows = [
            Event(seq=start + number + 1, type="incident.moved", subject_type="incident", subject_id=1 + number % max(400, count // 10),
                  agency_id=cast.police.pk, governorate_id=places.hawalli.pk, data={"to": "queued"}, occurred_at=datetime.now(UTC))
            for number in range(first, min(first + 1000, count))
        ]  # fmt: skip
        fan_out(Event.objects.bulk_create(rows))
    assert WebhookDelivery.objects.filter(subscription=webhook).count() == count


def make_due() -> None:
    """What waits for a retry is due now; what somebody has claimed, or writes at this moment, is left to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE interop_webhookdelivery SET next_at = now() WHERE id IN (SELECT id FROM interop_webhookdelivery"
            " WHERE state = 'pending' AND lease_owner = '' AND next_at > now() FOR UPDATE SKIP LOCKED)"
        )


def judge(receiver: Moody, count: int, kills: list[float]) -> int:
    """The two ledgers agree. Returns how many came more than once."""
    rows = {row.webhook_id: row for row in WebhookDelivery.objects.filter(subscription__partner__slug="moody")}
    assert len(rows) == count and {row.state for row in rows.values()} == {"delivered"}
    assert rows.keys() == receiver.accepted.keys() and not receiver.forged
    lost_answers = set(WebhookAttempt.objects.filter(error__in=["timeout", "protocol", "connect"]).values_list("delivery_id", flat=True))
    twice = {one: times for one, times in receiver.accepted.items() if len(times) > 1}
    for one, times in twice.items():
        # A kill loses what was accepted in the last moments before it; and the receiver may read what was written a moment after it.
        by_a_kill = any(abs(times[0] - at) <= MOMENTS_S for at in kills)
        attempts = list(rows[one].attempts.values_list("number", "started_at", "code", "error", "ms"))
        assert by_a_kill or rows[one].pk in lost_answers, (one, times, [round(at - times[0], 1) for at in kills], attempts)
    return len(twice)


@pytest.mark.django_db
def test_a_few_hundred_through_a_moody_receiver_and_senders_that_forget_what_they_did(cast, places, settings):
    settings.WEBHOOK_ALLOW, settings.WEBHOOK_TIMEOUT_S = ["127.0.0.1"], 2
    count = 200
    kills: list[float] = []
    with Moody(ill_for=150, seed=7) as receiver:
        told_of(count, cast, places, receiver)
        sender = WebhookSender(owner="first")
        for number in range(2_000):
            sender.round()
            sender._collect(0.02)
            make_due()
            if number == 15:  # it dies with answers in its hands: nobody writes them down, and its claims wait for their lease
                kills.append(time.time())
                sender.courier.close(0.0)
                sender = WebhookSender(owner="second")
                WebhookDelivery.objects.filter(lease_owner="first").update(next_at=datetime.now(UTC))
            if not WebhookDelivery.objects.filter(state="pending").exists():
                break
        sender.courier.close(1)
        judge(receiver, count, kills)


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_ten_thousand_while_senders_are_killed(cast, places, settings, tmp_path: Path):
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    count = int(os.environ.get("WEBHOOK_FAULTS") or "10000")
    rng = random.Random(11)
    kills: list[float] = []
    environment = test_database_environment() | {"WEBHOOK_ALLOW": "127.0.0.1", "WEBHOOK_TIMEOUT_S": "2", "LOG_LEVEL": "WARNING"}
    log = (tmp_path / "senders.log").open("ab")

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", "webhook_sender"]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    with Moody(ill_for=count, seed=3) as receiver, quiet_flush():
        told_of(count, cast, places, receiver)
        senders = [start() for _ in range(SENDERS)]
        began = killed_at = time.monotonic()
        try:
            while WebhookDelivery.objects.filter(state="pending").exists():
                assert time.monotonic() - began < 1_200, "it never came to an end"
                time.sleep(0.5)
                make_due()
                is_going = WebhookDelivery.objects.filter(state="delivered").exists()
                if is_going and len(kills) < 20 and time.monotonic() - killed_at > KILL_EVERY_S * rng.uniform(0.7, 1.5):
                    killed_at = time.monotonic()
                    victim = senders.pop(rng.randrange(len(senders)))
                    kills.append(time.time())
                    os.kill(victim.pid, signal.SIGKILL)
                    victim.wait()
                    senders.append(start())
        finally:
            for sender in senders:
                sender.terminate()
            for sender in senders:
                sender.wait(20)
        twice = judge(receiver, count, kills)
        tries = WebhookAttempt.objects.count()
    connection.close()
    print(
        f"\n{count:,} deliveries, {receiver.calls:,} calls, {tries:,} attempts written down, {len(kills)} kills, {twice} accepted twice, "
        f"none lost, {time.monotonic() - began:.0f} s"
    )
    assert kills
