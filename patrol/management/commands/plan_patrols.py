"""A day's patrol plans from the command line."""

from __future__ import annotations

import argparse
import json
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date

from core import audit
from core.errors import DomainError
from geography.models import Region
from patrol.models import Plan, Shift
from patrol.services.plans import ask_for_plan, execute_plan
from patrol.services.plans.words import say_shortfall, say_travel, say_violation

SHOWN = 10


def day(text: str) -> date:
    try:
        found = parse_date(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no day (2026-11-22)")
    return found


class Command(BaseCommand):
    help = "Plan the patrols of a day: each shift that has crews on its roster gets a new draft."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--date", type=day, required=True, metavar="D", help="the day the shifts begin on, by the region's clock")
        parser.add_argument("--shift", metavar="S", help="only this shift: its id, or its pattern's code")
        parser.add_argument("--agency", metavar="SLUG", help="only this agency's")
        parser.add_argument("--governorate", metavar="CODE", help="only this governorate's")
        parser.add_argument("--units", type=int, metavar="N", help="plan for the first N units of the roster")
        parser.add_argument("--stops", type=int, metavar="N", help="so many places at most")
        parser.add_argument("--seed", type=int, help="the same seed and input give the same plan")
        parser.add_argument("--json", action="store_true", help="print one JSON line at the end and nothing else on standard output")

    def handle(self, **options: Any) -> None:
        shifts = _shifts(options)
        if not shifts:
            raise CommandError(f"no shift begins on {options['date']} with these choices: put crews on the roster first")
        told = []
        with audit.acting(door="cli"):
            for shift in shifts:
                told.append(self._plan(shift, options))
                if not options["json"]:
                    self.stdout.write(_in_words(told[-1]))
        if options["json"]:
            self.stdout.write(json.dumps({"date": str(options["date"]), "plans": told}, ensure_ascii=False))
        if all(one["error"] for one in told):
            raise CommandError(told[0]["error"])

    def _plan(self, shift: Shift, options: dict[str, Any]) -> dict[str, Any]:
        base = {"shift": shift.pk, "agency": shift.agency.slug, "governorate": shift.governorate.code, "pattern": shift.pattern.code,
                "from": shift.starts_at.isoformat(), "to": shift.ends_at.isoformat()}  # fmt: skip
        try:
            plan = ask_for_plan(shift=shift, by=None, seed=options["seed"], units=options["units"], stops=options["stops"])
            plan = execute_plan(plan=plan)
        except DomainError as error:
            return {**base, "plan": None, "error": " ".join([error.message, *error.fields.values()])}
        return {**base, **_told(plan)}


def _shifts(options: dict[str, Any]) -> list[Shift]:
    region = Region.objects.order_by("-is_default", "code").first()
    if region is None:
        return []
    start = datetime.combine(options["date"], time(), region.zone_info)
    rows = Shift.objects.filter(starts_at__gte=start, starts_at__lt=start + timedelta(days=1))
    rows = rows.select_related("agency", "governorate__region", "pattern").defer("governorate__boundary")
    if options["agency"]:
        rows = rows.filter(agency__slug=options["agency"])
    if options["governorate"]:
        rows = rows.filter(governorate__code=options["governorate"])
    wanted = options["shift"]
    if wanted:
        rows = rows.filter(pk=int(wanted)) if wanted.isdecimal() and len(wanted) < 19 else rows.filter(pattern__code=wanted)
    return list(rows.order_by("agency__slug", "governorate__code", "starts_at"))


def _told(plan: Plan) -> dict[str, Any]:
    names = {int(key): unit["call_sign"] for key, unit in plan.parameters.get("units", {}).items()}
    clock = plan.governorate.region.zone_info
    return {
        "plan": plan.pk,
        "version": plan.version,
        "error": plan.failure,
        "seed": plan.seed,
        "provider": say_travel(plan),
        "figures": plan.figures,
        "violations": [say_violation(one, names, clock) for one in plan.verdict],
        "unserved": len(plan.unserved),
        "shortfalls": [say_shortfall(one["code"], one["unit"], one["short_by_s"], names) for one in plan.unserved if "from" not in one],
        "demand": {name: round(sum(map(sum, table)), 3) for name, table in plan.demand.get("parts", {}).items()},
        "notes": plan.demand.get("notes", []),
        "left_out": plan.parameters.get("left_out", {}),
        "is_synthetic": plan.is_synthetic,
    }


def _in_words(one: dict[str, Any]) -> str:
    head = f"{one['agency']} {one['governorate']} {one['pattern']} {one['from'][:16]}"
    if one["error"]:
        return f"{head}: {one['error']}"
    figures = one["figures"]
    lines = [
        f"{head}: plan {one['plan']} version {one['version']}, {figures['units']} units, "
        f"{figures['visits']} stops at {figures['places']} places, "
        f"{figures['km']} km, {figures['dosage_per_km']} per km (cutting the list: {figures['plain']['dosage_per_km']}), "
        f"{figures['seconds']} s, travel times: {one['provider']}, seed {one['seed']}",
        *(f"  ! {text}" for text in one["violations"][:SHOWN]),
        *(f"  - {text}" for text in one["shortfalls"][:SHOWN]),
    ]
    return "\n".join(lines)
