"""A receiver on this machine, a webhook that leads to it, and a sender to be run by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models import Max
from standardwebhooks import Webhook

from alerts.tests.servers import HttpServer
from alerts.tests.servers.http import Seen
from core.models import Event
from core.relay import connect, number_pending
from core.subscribers import advance, enlist, find_subscribers
from interop.models import PartnerKey, WebhookDelivery, WebhookSubscription
from interop.sender.process import WebhookSender
from interop.services import issue_key
from interop.services.webhooks import fan_out, make_webhook
from interop.tests.conftest import Caller

SCOPES = ["incidents:read", "hotspots:read", "webhooks:manage"]


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings: Any) -> None:
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    settings.WEBHOOK_TIMEOUT_S = 5
    settings.PUBLIC_URL = "https://map.example"


@pytest.fixture
def receiver() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
def owner(police_system: Any) -> Caller:
    """The police's key that manages webhooks, in every governorate."""
    key, secret = issue_key(partner=police_system, name="hooks", scopes=SCOPES, by=None, all_governorates=True)
    return Caller(key, secret)


@dataclass
class Hook:
    webhook: WebhookSubscription
    secret: str
    key: PartnerKey

    def opens(self, seen: Seen) -> Any:
        """What the receiver makes of it, by the library of Standard Webhooks."""
        return Webhook(self.secret).verify(seen.body, seen.headers)

    def rows(self) -> list[WebhookDelivery]:
        return list(WebhookDelivery.objects.filter(subscription=self.webhook).order_by("event_id"))

    def now(self) -> WebhookSubscription:
        return WebhookSubscription.objects.get(pk=self.webhook.pk)


@pytest.fixture
def hook(owner: Caller, receiver: HttpServer) -> Hook:
    """``incident.*`` to the receiver."""
    webhook, secret = make_webhook(key=owner.key, url=f"{receiver.url}/in", types=["incident.*"], by=owner.key)
    return Hook(webhook, secret, owner.key)


@pytest.fixture
def happen(cast: Any, places: Any) -> Callable[..., Event]:
    """An event of the log, numbered and handed to the webhooks' reader as the relay would."""

    def make(type: str = "incident.moved", *, subject: int | None = 1, tell: bool = True, **given: Any) -> Event:
        seq = (Event.objects.order_by("-seq").values_list("seq", flat=True).exclude(seq=None).first() or 0) + 1
        usual = {"agency_id": cast.police.pk, "governorate_id": places.hawalli.pk, "data": {"from": "received", "to": "queued"}}
        event = Event.objects.create(
            seq=seq, type=type, subject_type="incident", subject_id=subject, occurred_at=datetime.now(UTC), **{**usual, **given}
        )
        if tell:
            fan_out([event])
        return event

    return make


@pytest.fixture
def relayed(db: None) -> Callable[[], None]:
    """The real log: what was announced is numbered, and handed to the webhooks' reader, cursor and all."""
    (reader,) = [one for one in find_subscribers() if one.name == "interop.webhooks"]
    enlist(reader, head=Event.objects.aggregate(head=Max("seq"))["head"] or 0)

    def run() -> None:
        with connect() as log:
            number_pending(log)
        while advance(reader):
            pass

    return run


@pytest.fixture
def sender() -> Iterator[Callable[..., WebhookSender]]:
    """``sender().until_idle()``: what is due is sent. Each is closed in the end."""
    made: list[WebhookSender] = []

    def make(**given: Any) -> WebhookSender:
        made.append(WebhookSender(**given))
        return made[-1]

    yield make
    for one in made:
        one.courier.close(1)


def due_now() -> None:
    """What waits for its next attempt is due."""
    WebhookDelivery.objects.filter(state="pending").update(next_at=datetime.now(UTC))
