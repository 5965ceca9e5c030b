"""``manage.py import_zones``: official polygons in the place of approximate ones."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import audit
from core.errors import DomainError
from core.models import AuditEntry
from geography.models import Zone
from geography.services import NewRegion, ZoneImport, import_official, import_zones
from geography.zonefiles import ZoneFields


class Command(BaseCommand):
    help = (
        "Import zones from GeoJSON, GeoPackage or a shapefile in any projection. Everything or nothing; the same file again changes "
        "nothing. Without field names, a national file of areas or governorates is taken by the usual names of its fields."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--level", choices=Zone.Level.values)
        parser.add_argument("--code-field", default="")
        parser.add_argument("--name-en-field", default="")
        parser.add_argument("--name-ar-field", default="")
        parser.add_argument("--parent-field", default="", help="the code of the zone above; else the zone above that covers most of it")
        parser.add_argument("--population-field", default="")
        parser.add_argument("--region", default="", help="code; the default region unless given. A country file makes its region")
        parser.add_argument("--time-zone", default="", help="of a new region, such as America/Chicago; else the file's field tz")
        parser.add_argument("--srid-metric", type=int, help="a new region's projection in metres (EPSG); else its UTM zone")
        parser.add_argument("--srid", type=int, help="the file's projection (EPSG) where the file does not say it")
        parser.add_argument("--encoding", default="", help="of the texts, such as cp1256; else UTF-8 or what the file says")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--json", action="store_true", help="the result as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        named = {name: options[name] for name in ("code_field", "name_en_field", "name_ar_field")}
        with audit.acting(door=AuditEntry.Door.CLI):
            try:
                if options["level"] is None and not any(named.values()):
                    if options["dry_run"] or options["region"]:
                        raise CommandError("With --dry-run or --region, say --level and the fields as well.")
                    done = import_official(path=options["file"])
                else:
                    missing = [f"--{name.replace('_', '-')}" for name in ("level", *named) if not options[name]]
                    if missing:
                        raise CommandError(f"Say {', '.join(missing)} as well.")
                    done = [self._import(options)]
            except DomainError as error:
                raise CommandError(error.message) from error
        for result in done:
            if options["json"]:
                self.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False))
            else:
                self.stdout.write("\n".join(in_words(result)))

    def _import(self, options: dict[str, Any]) -> ZoneImport:
        return import_zones(
            path=options["file"],
            level=options["level"],
            fields=ZoneFields(
                options["code_field"],
                options["name_en_field"],
                options["name_ar_field"],
                parent=options["parent_field"],
                population=options["population_field"],
            ),
            region=options["region"],
            new_region=NewRegion(options["time_zone"], options["srid_metric"]),
            encoding=options["encoding"],
            srid=options["srid"],
            dry_run=options["dry_run"],
        )


def in_words(done: ZoneImport) -> list[str]:
    """The result as sentences, the surprising ones last, where they are read."""
    would = "would be " if done.is_dry_run else ""
    lines = [f"{done.file}: {done.read} features read as {done.level} zones of region {done.region}, in {done.seconds:.1f} s."]
    if done.is_new_region:
        lines.append(f"Region {done.region} {would}made.")
    if done.changed_anything:
        lines.append(f"{done.added} {would}added, {done.changed} {would}changed, {done.unchanged} as they were.")
    else:
        lines.append("Everything is as it was: nothing to change.")
    if done.retired:
        lines.append(f"{done.retired} {would}put out of use, being covered by this file: {_some(done.retired_zones)}.")
    if done.redrawn_zones:
        lines.append(f"Approximate zones {would}redrawn from their parts: {_some(done.redrawn_zones)}.")
    if done.without_parent:
        lines.append(f"{done.without_parent} lie in no zone above.")
    if done.repaired:
        some = _some([f"{row['code']} ({row['reason']})" for row in done.repaired])
        lines.append(f"{len(done.repaired)} shapes {would}repaired: {some}.")
    fit = done.topology
    if fit.overlaps:
        worst = "; ".join(f"{' and '.join(row['zones'])} by {row['m2']:,.0f} m²" for row in fit.worst_overlaps[:5])
        lines.append(f"{fit.overlaps} pairs overlap, {fit.overlap_m2:,.0f} m² in all; worst: {worst}.")
    if fit.gaps:
        worst = "; ".join(f"{row['m2']:,.0f} m² within {_some(row['zones'])}" for row in fit.worst_gaps[:5])
        lines.append(f"{fit.gaps} gaps are left between zones, {fit.gap_m2:,.0f} m² in all; largest: {worst}.")
    if not fit.overlaps and not fit.gaps:
        lines.append("No overlaps and no gaps.")
    if done.is_dry_run:
        lines.append("This was a dry run: nothing was written.")
    return lines


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
