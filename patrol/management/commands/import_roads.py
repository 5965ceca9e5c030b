"""``manage.py import_roads FILE.osm.pbf``: the roads that patrol plans are timed on."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import audit
from core.errors import DomainError
from core.models import AuditEntry
from patrol.services.travel import RoadImport, import_roads


class Command(BaseCommand):
    help = (
        "Take a region's roads from an OpenStreetMap extract (.osm.pbf). Cars only, one-way streets and speed limits kept, closed and "
        "private roads left out, and so is what cannot be reached from the rest. The same file again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--region", default="", help="code; the default region unless given")
        parser.add_argument("--json", action="store_true", help="the result as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        def tell(step: str, count: int) -> None:
            if not options["json"]:
                self.stderr.write(f"{count:,} {step} …")

        with audit.acting(door=AuditEntry.Door.CLI):
            try:
                done = import_roads(path=options["file"], region=options["region"], on_progress=tell)
            except DomainError as error:
                raise CommandError(error.message) from error
        self.stdout.write(json.dumps(done.as_dict(), ensure_ascii=False) if options["json"] else "\n".join(in_words(done)))


def in_words(done: RoadImport) -> list[str]:
    """The result as sentences, what was left out last."""
    if not done.is_new:
        return [f"{done.file} is there already ({done.edges:,} stretches): nothing to change."]
    facts = done.facts
    lines = [
        f"{done.file}: {facts.get('ways', 0):,} ways read for region {done.region} in {done.seconds:.1f} s.",
        f"{done.nodes:,} junctions, {done.edges:,} stretches, {done.kilometres:,.0f} km driven; {done.stored_bytes / 1e6:.1f} MB stored.",
    ]
    left = [
        (facts.get("not_for_cars", 0), "not for cars"),
        (facts.get("barred", 0), "closed or private"),
        (facts.get("outside", 0), "outside the region"),
        (facts.get("cut_off", 0), "cut off by the edge of the extract"),
    ]
    said = ", ".join(f"{count:,} {why}" for count, why in left if count)
    if said:
        lines.append(f"Ways left out or shortened: {said}.")
    if facts.get("edges_left_out"):
        islands = f"{facts['edges_left_out']:,} stretches in {facts['islands_left_out']:,} parts"
        lines.append(f"{islands} left out: they cannot be reached from the rest and back.")
    return lines
