"""Webhooks to a quick receiver: rows in the queue, one sender process, one receiver that answers 204 and keeps connections alive."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.live import _program
from benchmarks.own import cpu_seconds
from benchmarks.report import Report

SECTION = "Webhooks"
DELIVERIES = int(os.environ.get("BENCH_DELIVERIES") or "10000")
HOOKS = 4
PARTNER = "bench-hooks"


def run(report: Report) -> None:
    import subprocess

    from django.core.management import call_command
    from django.db import connection

    os.environ["WEBHOOK_ALLOW"] = "127.0.0.1"
    from django.conf import settings

    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    call_command("migrate", verbosity=0)
    call_command("load_gazetteer", verbosity=0)
    load = os.getloadavg()[0]
    with _program("-m", "benchmarks.webhooks", stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None
        port = int(receiver.stdout.readline())
        _end_earlier_runs()
        queued_s, ids = _queue(port)
        with _program("manage.py", "webhook_sender") as sender:
            _until(lambda: _delivered(ids) > 0)
            first, began, cpu = _delivered(ids), time.monotonic(), cpu_seconds(sender.pid)
            receiver_cpu = cpu_seconds(receiver.pid)
            _until(lambda: _delivered(ids) >= DELIVERIES)
            took, sent = time.monotonic() - began, DELIVERIES - first
            cpu, receiver_cpu = cpu_seconds(sender.pid) - cpu, cpu_seconds(receiver.pid) - receiver_cpu
    note = f"{DELIVERIES:,} deliveries to {HOOKS} addresses; load of the machine before: {load:.1f}"
    report.row(SECTION, "deliveries by one sender to a quick receiver", sent / took, "/s", f"{note}; goal: 500")
    report.row(SECTION, "the sender's processor time a delivery", 1000 * cpu / sent, "ms")
    report.row(SECTION, "the sender, of one core", 100 * cpu / took, "%")
    report.row(SECTION, "the receiver, of one core", 100 * receiver_cpu / took, "%")
    report.row(SECTION, "events fanned out into rows", DELIVERIES / queued_s, "/s", f"one reader of the log, {HOOKS} webhooks hear each")
    connection.close()


def _end_earlier_runs() -> None:
    """What an earlier run on this database left: its addresses answer no more, and their rows would be tried in between."""
    from interop.models import WebhookSubscription
    from interop.services.webhooks import remove_webhook

    for webhook in WebhookSubscription.objects.filter(partner__slug=PARTNER).exclude(state="removed"):
        remove_webhook(webhook=webhook, by=None)


def _queue(port: int) -> tuple[float, list[int]]:
    """Rows for new webhooks, as a reader of the log makes them; the seconds it took, and the webhooks."""
    from django.db.models import Max

    from accounts.models import Agency
    from core.models import Event
    from geography.models import Region, Zone
    from interop.models import Partner
    from interop.services import issue_key
    from interop.services.webhooks import fan_out, make_webhook

    agency, _made = Agency.objects.get_or_create(slug="bench", defaults={"kind": "police", "name_en": "Bench", "name_ar": "قياس"})
    given = {"name": "Bench", "agency": agency, "region": Region.objects.get(is_default=True)}
    partner, _made = Partner.objects.get_or_create(slug=PARTNER, defaults=given)
    key = issue_key(partner=partner, name="k", scopes=["incidents:read", "webhooks:manage"], by=None, all_governorates=True)[0]
    url = f"http://127.0.0.1:{port}/in"
    ids = [make_webhook(key=key, url=url, types=["incident.*"], by=key, concurrency=10)[0].pk for _number in range(HOOKS)]
    governorate = Zone.objects.filter(level="governorate", is_active=True).order_by("code").values_list("pk", flat=True).first()
    start = Event.objects.aggregate(last=Max("seq"))["last"] or 0
    took = 0.0
    for first in range(0, DELIVERIES // HOOKS, 500):
        rows = [
            Event(seq=start + number + 1, type="incident.moved", subject_type="incident", subject_id=number + 1, agency_id=agency.pk,
                  governorate_id=governorate, data={"from": "received", "to": "queued"}, occurred_at=datetime.now(UTC))
            for number in range(first, min(first + 500, DELIVERIES // HOOKS))
        ]  # fmt: skip
        events = Event.objects.bulk_create(rows)
        began = time.monotonic()
        fan_out(events)
        took += time.monotonic() - began
    return took, ids


def _delivered(ids: list[int]) -> int:
    from interop.models import WebhookDelivery

    return WebhookDelivery.objects.filter(subscription__in=ids, state="delivered").count()


def _until(true: Any) -> None:
    ends = time.monotonic() + 300
    while not true():
        if time.monotonic() > ends:
            raise RuntimeError("the deliveries never came to an end")
        time.sleep(0.05)


class _Quick(asyncio.Protocol):
    """Reads requests with a Content-Length, answers each with 204."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            named = self.buffer[:head].lower()
            at = named.find(b"content-length:")
            length = int(named[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < head + 4 + length:
                return
            self.buffer = self.buffer[head + 4 + length :]
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Quick, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
