from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from interop.sender.process import WebhookSender


class Command(BaseCommand):
    help = "Send webhooks that are due. Any number may run, each may be killed at any time."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        WebhookSender().run(stop)
