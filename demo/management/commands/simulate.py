"""Keeps the demo's board moving."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from demo.simulation import Simulator


class Command(BaseCommand):
    help = "Report a few synthetic incidents a minute through the API, and work the open ones off. Runs until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--per-minute", type=float, default=float(os.environ.get("SIMULATOR_PER_MINUTE") or 4))
        parser.add_argument("--url", default=f"http://127.0.0.1:{os.environ.get('KHAREETATY_PORT') or 8000}")

    def handle(self, *args: Any, **options: Any) -> None:
        Simulator(base_url=options["url"], per_minute=options["per_minute"]).run()
