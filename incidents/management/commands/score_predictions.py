"""Score from the command line what beat scores each hour."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import ngettext

from core import audit
from core.models import AuditEntry
from incidents.services.trust.scoring import score_due


class Command(BaseCommand):
    help = "Score the predictions whose time has passed, the models and the baselines alike. Each is scored once."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON line")

    def handle(self, **options: Any) -> None:
        with audit.acting(door=AuditEntry.Door.CLI):
            done = score_due()
        if options["json"]:
            self.stdout.write(json.dumps(done.as_dict()))
            return
        count = done.surfaces + done.forecasts
        self.stdout.write(ngettext("%(n)d prediction was scored.", "%(n)d predictions were scored.", count) % {"n": count})
