"""``manage.py import_roster FILE --agency SLUG --governorate CODE``: who works when, from CSV or XLSX. Running it twice adds nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from accounts.models import Agency
from core import audit
from core.errors import DomainError
from core.models import AuditEntry
from geography.models import Zone
from patrol.services.roster_import import import_roster


class Command(BaseCommand):
    help = "Import a roster from CSV or XLSX: date, shift (pattern code), service_number; unit, part and rest_override_reason as wanted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--agency", default="police", help="short name of the agency (police)")
        parser.add_argument("--governorate", required=True, help="code of the governorate, as KW-HA")
        parser.add_argument("--dry-run", action="store_true", help="judge every row, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="answer with one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        agency = Agency.objects.filter(slug=options["agency"]).first()
        zones = Zone.objects.level(Zone.Level.GOVERNORATE).filter(code=options["governorate"]).select_related("region")
        governorate = zones.order_by("-region__is_default").first()
        if agency is None:
            raise CommandError(_("There is no agency %(name)s.") % {"name": options["agency"]})
        if governorate is None:
            raise CommandError(_("There is no governorate %(name)s.") % {"name": options["governorate"]})
        if not options["file"].is_file():
            raise CommandError(_("There is no file %(file)s.") % {"file": options["file"]})
        try:
            with audit.acting(door=AuditEntry.Door.CLI), options["file"].open("rb") as file:
                report = import_roster(
                    file=file, name=options["file"].name, agency=agency, governorate=governorate, by=None, dry_run=options["dry_run"]
                )
        except DomainError as error:
            raise CommandError(error.message) from error
        counts = {"made": report.made, "unchanged": report.unchanged, "refused": report.refused}
        if options["as_json"]:
            refused = [{"row": fate.row, "why": fate.why} for fate in report.refused_rows]
            self.stdout.write(json.dumps({**counts, "dry_run": report.is_dry_run, "rows": refused, "broke_off": report.broke_off or None}))
            return
        for fate in report.refused_rows:
            self.stdout.write(f"row {fate.row}: {fate.why} ({fate.text})")
        if report.broke_off:
            self.stdout.write(report.broke_off)
        note = "; dry run, nothing was written" if report.is_dry_run else ""
        self.stdout.write(f"{counts['made']} made, {counts['unchanged']} unchanged, {counts['refused']} refused{note}")
