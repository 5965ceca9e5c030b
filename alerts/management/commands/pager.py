from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from alerts.pager import SEND_THREADS, Pager


class Command(BaseCommand):
    help = "Run escalation steps that are due, climb rungs, hand messages over. Any number may run, each may be killed at any time."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--send-threads", type=int, default=SEND_THREADS, help="Messages handed over at once, for each channel.")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Pager(send_threads=options["send_threads"]).run(stop)
