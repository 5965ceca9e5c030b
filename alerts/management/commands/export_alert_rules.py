"""Writes alert rules as the YAML file that ``import_alert_rules`` reads."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts.models import AlertRule
from alerts.services.rules.files import export_rules


class Command(BaseCommand):
    help = "Export alert rules (their newest version) as YAML, to the standard output or a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("codes", nargs="*", help="only these rules")
        parser.add_argument("--output", default="", help="the file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        rules = AlertRule.objects.select_related("agency", "policy").order_by("code")
        if options["codes"]:
            rules = rules.filter(code__in=options["codes"])
            missing = sorted(set(options["codes"]) - {rule.code for rule in rules})
            if missing:
                raise CommandError(f"there is no rule {', '.join(missing)}")
        text = export_rules(rules)
        if options["output"]:
            Path(options["output"]).write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")
