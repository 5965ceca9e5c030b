"""Keeps the demo's units moving."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from demo.patrols import EVERY_S, Patrols


class Command(BaseCommand):
    help = "Drive the synthetic units: positions through the API, crews that answer, a desk that sends them. Runs until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between positions (default 5)")
        parser.add_argument("--url", default=f"http://127.0.0.1:{os.environ.get('KHAREETATY_PORT') or 8000}")

    def handle(self, *args: Any, **options: Any) -> None:
        Patrols(base_url=options["url"], every_s=options["every"]).run()
