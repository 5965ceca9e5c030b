"""Reads alert rules from a YAML file: new ones become drafts, changed ones wait for their two people; nothing is switched on."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts.services.rules.files import MOST_BYTES, import_rules
from core import audit
from core.errors import DomainError
from core.models import AuditEntry


class Command(BaseCommand):
    help = "Import alert rules from a YAML file. Importing the same file again changes nothing; an import never switches a rule on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the YAML file")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            with path.open("rb") as file:
                text = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        try:
            with audit.acting(door=AuditEntry.Door.CLI):
                done = import_rules(text, by=None, is_dry_run=options["dry_run"], reason=path.name)
        except DomainError as error:
            raise CommandError(f"{path}, nothing was imported:\n{error.message}") from error
        for warning in done.warnings:
            self.stderr.write(f"! {warning}")
        would = "would be " if options["dry_run"] else ""
        for word, codes in (("added", done.added), ("changed", done.changed), ("unchanged", done.unchanged)):
            if codes:
                self.stdout.write(f"{would}{word}: {', '.join(codes)}")
        self.stdout.write(f"{len(done.added)} {would}added, {len(done.changed)} {would}changed, {len(done.unchanged)} unchanged")
