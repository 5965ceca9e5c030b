"""The detectors, beside the writer of readings."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from iot.watcher import Watcher


class Command(BaseCommand):
    help = "Judge readings as they are written, and raise anomalies. A second one stands by."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Watcher().run(stop)
