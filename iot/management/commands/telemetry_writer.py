"""Readings from the streams into the database."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from iot.writer import Writer


class Command(BaseCommand):
    help = "Write what devices said. A second one shares the work, and takes over what a dead one had taken."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Writer().run(stop)
