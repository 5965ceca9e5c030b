"""``manage.py load_gazetteer``: Kuwait's approximate zones, from our own gazetteer."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import audit
from core.errors import DomainError
from core.models import AuditEntry
from geography.services import load_gazetteer


class Command(BaseCommand):
    help = "Draw Kuwait's governorates and areas from the built-in gazetteer. Official zones, once imported, are never touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="draw again even though this edition is in place")
        parser.add_argument("--json", action="store_true", help="the result as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        with audit.acting(door=AuditEntry.Door.CLI):
            try:
                done = load_gazetteer(force=options["force"])
            except DomainError as error:
                raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(done.as_dict()))
        elif done.left_alone:
            self.stdout.write("Official zones are in use: the gazetteer leaves them as they are.")
        elif done.did_something:
            self.stdout.write(f"Kuwait: {done.added} zones added, {done.changed} changed, {done.retired} put out of use.")
        else:
            self.stdout.write("Kuwait is drawn already: nothing to change.")
