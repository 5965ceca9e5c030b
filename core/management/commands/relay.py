from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from core.relay import Relay


class Command(BaseCommand):
    help = "Number what happens, feed the log's readers, ring the web processes. A second one stands by."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Relay().run(stop)
