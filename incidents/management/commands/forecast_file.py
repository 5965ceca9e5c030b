"""Forecast a bare incident file: no database, no settings of a site."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from incidents.analytics.calendar import COUNTRIES


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a day (2017-06-01)") from error


class Command(BaseCommand):
    help = (
        "Forecast daily counts from a bare incident file (CSV, plain or compressed, with a column occurred_at). Nothing at or after "
        "--as-of is read. Writes unique_id,ds,mean,lo80,hi80,lo95,hi95: one row a series and day, sorted. Without --by there is one "
        "series, called 'all'; with --by one for each value of that column, and with --total their sum, called 'total', to which they add "
        "up. A series with too little history gets no row, and a line on standard error."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", help="the incident file")
        parser.add_argument("--as-of", type=day, required=True, metavar="D", help="the first day forecast; nothing at or after it is read")
        parser.add_argument("--horizon-days", type=int, default=7, metavar="N", help="days ahead (7)")
        parser.add_argument("--by", metavar="COLUMN", help="one series for each value of this column, such as district")
        parser.add_argument("--category", metavar="C", help="only incidents of this category")
        parser.add_argument("--total", action="store_true", help="with --by: their sum as well, as 'total'")
        parser.add_argument(
            "--country",
            default="auto",
            choices=["auto", "none", *COUNTRIES],
            help="whose holidays; auto goes by the incidents' coordinates, none knows only the first of the month",
        )
        parser.add_argument(
            "--all-candidates",
            action="store_true",
            help="let Prophet, exponential smoothing and Theta compete too (they take a fit a series)",
        )
        parser.add_argument("--out", required=True, metavar="OUT", help="the file to write, whole or not at all; - is standard output")

    def handle(self, **options: Any) -> None:
        from incidents.services.bare_files import write_rows
        from incidents.services.bare_forecasts import COLUMNS, forecast_file

        try:
            found = forecast_file(
                path=options["file"],
                as_of=options["as_of"],
                horizon_days=options["horizon_days"],
                by=options["by"],
                category=options["category"],
                country=options["country"],
                with_total=options["total"],
                every_candidate=options["all_candidates"],
            )
            write_rows(options["out"], COLUMNS, found.rows)
        except DomainError as error:
            raise CommandError(error.message) from error
        for note in found.notes:
            self.stderr.write(note)
