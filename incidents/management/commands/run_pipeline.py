"""The analytics from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rich.console import Console

from core import audit
from core.errors import DomainError
from incidents.models import PipelineRun
from incidents.services.pipeline import Parameters, run_pipeline
from incidents.services.pipeline.kinds import KINDS
from incidents.services.pipeline.runs import Progress

SHOWN = ("incidents", "hot_spots", "series", "forecasts", "empty_because", "newest_incident")


def moment(text: str) -> date | datetime:
    """A day (its start, on each region's clock) or an instant; without an offset, on the nation's clock."""
    try:
        instant, day = parse_datetime(text), parse_date(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error
    if day is not None:
        return day
    if instant is None:
        raise argparse.ArgumentTypeError(f"{text} is neither a day (2017-12-31) nor an instant (2017-12-31T02:00+03:00)")
    return instant if timezone.is_aware(instant) else timezone.make_aware(instant)


class Command(BaseCommand):
    help = "Find hot spots and make forecasts now. A night's own run is started by beat."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--as-of", type=moment, metavar="D", help="look from the start of this day, not from now")
        parser.add_argument("--region", nargs="+", metavar="CODE", help="these regions only")
        parser.add_argument("--only", nargs="+", choices=sorted(KINDS), help="these kinds of results only")
        parser.add_argument("--eps-m", type=float, help="hot spots: the radius in metres")
        parser.add_argument("--min-points", type=int, help="hot spots: incidents within the radius")
        parser.add_argument("--window-days", type=int, help="hot spots: days looked back")
        parser.add_argument("--json", action="store_true", help="print one JSON line at the end and nothing else on standard output")

    def handle(self, **options: Any) -> None:
        given = {name: options[name] for name in ("eps_m", "min_points", "window_days") if options[name] is not None}
        console = Console(stderr=options["json"], highlight=False, markup=False)
        status = console.status("…") if console.is_terminal else None

        def on_progress(progress: Progress) -> None:
            if progress.status == PipelineRun.Status.RUNNING:
                if status is not None:
                    status.update(f"{progress.number}/{progress.of}  {progress.step}")
                return
            shown = [f"{name} {progress.counts[name]}" for name in SHOWN if progress.counts.get(name) is not None]
            line = f"{progress.number}/{progress.of}  {progress.step}  {progress.status}  {', '.join(shown)}"
            console.print(line, soft_wrap=True)

        try:
            with audit.acting(door="cli"):
                if status is not None:
                    status.start()
                run = run_pipeline(
                    trigger="manual",
                    as_of=options["as_of"],
                    regions=options["region"],
                    only=options["only"],
                    parameters=Parameters(**given),
                    on_progress=on_progress,
                )
        except DomainError as error:
            raise CommandError("; ".join([error.message, *(f"{name}: {why}" for name, why in error.fields.items())])) from error
        finally:
            if status is not None:
                status.stop()
        self._report(run, as_json=options["json"])
        if run.status != PipelineRun.Status.DONE:
            sys.exit(1)

    def _report(self, run: PipelineRun, *, as_json: bool) -> None:
        steps = [
            {"step": step.name, "status": step.status, "seconds": step.seconds, "counts": step.counts, "error": step.error}
            for step in run.steps.all()
        ]
        if as_json:
            summary = {"run": run.pk, "key": run.key, "status": run.status, "seconds": run.seconds, "counts": run.counts, "steps": steps}
            self.stdout.write(json.dumps(summary, ensure_ascii=False))
            return
        self.stdout.write(f"{run.key}: {run.status} in {run.seconds or 0:.1f} s, {run.counts}")
        if run.error:
            self.stderr.write(run.error)
