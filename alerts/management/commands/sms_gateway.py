"""Receipts and replies from a short message centre, whose bind must stay: where ``SMS_GATEWAY_KIND`` is ``smpp``."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from alerts.channels.base import Failure, Message
from alerts.channels.registry import sender_of
from alerts.choices import Channel, Through

log = logging.getLogger(__name__)
AGAIN_S = 5.0
PROVIDER = "smpp"


class Command(BaseCommand):
    help = "Stay bound to the short message centre and hear its receipts and people's replies."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        if settings.SMS_GATEWAY_KIND != "smpp" or not settings.SMS_GATEWAY_URL:
            stop.wait()
            return
        follow(stop)


def follow(stop: threading.Event) -> None:
    from alerts.channels.gateway_smpp import listen

    while not stop.is_set():
        listen(settings.SMS_GATEWAY_URL, hear=hear_afresh, stop=stop)
        stop.wait(AGAIN_S)


def hear_afresh(told: Any) -> None:
    """A database that went away in the night must not deafen us in the morning."""
    close_old_connections()
    hear(told)


def hear(told: Any) -> None:
    from alerts.services import delivery, replies

    if told.provider_id:
        delivery.apply_receipt(provider=PROVIDER, provider_id=told.provider_id, status=told.status, code=told.code)
        return
    answer = replies.hear(number=told.sender, text=told.text, through=Through.SMS, provider=PROVIDER)
    sender = sender_of(Channel.GATEWAY)
    if answer and sender is not None:
        try:
            sender.send(Message(key=uuid4(), to=told.sender, language="", subject="", text=answer))
        except Failure as failure:
            log.warning("an answer could not be sent: %s", failure.message)
