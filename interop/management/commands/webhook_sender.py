from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from interop.sender.probing import keep_looking
from interop.sender.process import WebhookSender


class Command(BaseCommand):
    help = "Send webhooks that are due, and look at the systems whose turn it is. Any number may run, each may be killed at any time."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        looks = threading.Thread(target=keep_looking, args=[stop], name="looks at systems", daemon=True)
        looks.start()
        WebhookSender().run(stop)
        looks.join(1)  # one that is under way is claimed again when its time is over
