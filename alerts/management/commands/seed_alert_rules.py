"""Adds the rules and special periods that come with the product; what is there already stays as it is."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from alerts.services.rules.seeds import ensure_periods, ensure_rules


class Command(BaseCommand):
    help = "Add the alert rules and special periods that come with the product. Each rule waits for a person to switch it on."

    def handle(self, *args: Any, **options: Any) -> None:
        periods, rules = ensure_periods(), ensure_rules()
        self.stdout.write(f"{rules} rules and {periods} special periods added")
