"""The risk surface of a bare incident file: no database, no services."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from core.text_files import whole_file
from incidents.services.bare_risk import risk_of_file, write_risk


class Command(BaseCommand):
    help = (
        "Expected incidents per cell over the next days, from a CSV file with the columns occurred_at, lon, lat, category "
        "(plain or compressed). Nothing at or after the day looked from is read. Writes lon, lat (cell centre) and score "
        "for every cell that has had an incident, highest first."
    )
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--as-of", type=date.fromisoformat, required=True, metavar="D", help="look from the start of this day")
        parser.add_argument("--horizon-days", type=float, default=7, help="how far ahead (default 7)")
        parser.add_argument("--cell-m", type=float, default=250, help="the side of a cell in metres (default 250)")
        parser.add_argument("--category", help="only this category (default: all)")
        parser.add_argument("--out", default="-", help="where to write (default: standard output)")

    def handle(self, **options: Any) -> None:
        try:
            risk, to_lonlat = risk_of_file(
                options["file"],
                as_of=options["as_of"],
                horizon_days=options["horizon_days"],
                cell_m=options["cell_m"],
                category=options["category"],
            )
            with whole_file(options["out"]) as out:
                count = write_risk(risk, to_lonlat, out)
        except DomainError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{options['out']}: {error.strerror}") from error
        self.stderr.write(
            f"{count} cells, {risk.expected.sum():.1f} incidents expected; "
            f"learnt from {risk.model.incidents} incidents in {risk.model.origins} weeks"
        )
