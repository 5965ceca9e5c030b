"""The risk model beside every baseline, walked forward through a bare incident file."""

from __future__ import annotations

import argparse
import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import DomainError
from incidents.services.bare_risk import as_report, backtest_of_file


class Command(BaseCommand):
    help = (
        "Walk forward week by week: PAI, PEI*, hit rate and RRI at 1, 3 and 5 % of the area (every cell that ever had an "
        "incident of the kind), for the model and each baseline, with 95 % bootstrap intervals over the weeks."
    )
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--test-from", type=date.fromisoformat, required=True, metavar="D", help="the first day looked from")
        parser.add_argument("--test-to", type=date.fromisoformat, required=True, metavar="D", help="the last day of the last horizon")
        parser.add_argument("--horizon-days", type=float, default=7)
        parser.add_argument("--cell-m", type=float, default=250)
        parser.add_argument("--category", help="only this category (default: all)")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, **options: Any) -> None:
        try:
            found = backtest_of_file(
                options["file"],
                test_from=options["test_from"],
                test_to=options["test_to"],
                horizon_days=options["horizon_days"],
                cell_m=options["cell_m"],
                category=options["category"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        report = as_report(found, category=options["category"])
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=1))
            return
        self.stdout.write(f"{report['category']}: {report['origins']} origins, {report['cells']} cells, {report['incidents']} incidents")
        for name, by_share in report["scores"].items():
            figures = "   ".join(
                f"{float(share):.0%}: {one['pai']['value']:.2f} ({one['pai']['low']:.2f}–{one['pai']['high']:.2f})"
                for share, one in by_share.items()
            )
            self.stdout.write(f"{name:18} PAI  {figures}")
