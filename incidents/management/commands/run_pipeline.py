"""The analytics from the command line."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rich.console import Console

from core import audit
from core.errors import DomainError
from incidents.models import PipelineRun
from incidents.services.pipeline import Parameters, Progress, create_run, execute_run, request_cancel
from incidents.services.pipeline.kinds import KINDS
from incidents.services.pipeline.lease import worker_name
from incidents.services.pipeline.planning import plan_run

MAX_WORKERS = 32


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
    help = "Find hot spots, draw surfaces and make forecasts now. A night's own run is started by beat."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--as-of", type=moment, metavar="D", help="look from the start of this day, not from now")
        parser.add_argument("--region", nargs="+", metavar="CODE", help="these regions only")
        parser.add_argument("--only", nargs="+", choices=sorted(KINDS), help="these kinds of results only")
        parser.add_argument("--eps-m", type=float, help="hot spots: the radius in metres")
        parser.add_argument("--min-points", type=int, help="hot spots: incidents within the radius")
        parser.add_argument("--window-days", type=int, help="hot spots: days looked back")
        parser.add_argument("--workers", type=int, default=1, metavar="N", help="so many processes share the steps (1 to 32)")
        parser.add_argument("--join", type=int, metavar="RUN", help="make no run: help with the steps of this one")
        parser.add_argument("--json", action="store_true", help="print one JSON line at the end and nothing else on standard output")

    def handle(self, **options: Any) -> None:
        if not 1 <= options["workers"] <= MAX_WORKERS:
            raise CommandError(f"workers: between 1 and {MAX_WORKERS}.")
        console = Console(stderr=options["json"], highlight=False, markup=False)
        show = _Shown(console)
        helpers: list[subprocess.Popen[str]] = []
        run = None
        try:
            with audit.acting(door="cli"):
                run = self._joined(options["join"]) if options["join"] is not None else self._created(options)
                if options["workers"] > 1:
                    plan_run(run)
                    helpers = [self._helper(run, options) for _n in range(options["workers"])]
                    for helper in helpers:
                        helper.wait()
                show.start()
                run = execute_run(run=run, on_progress=show, wait=options["join"] is None)
        except DomainError as error:
            raise CommandError("; ".join([error.message, *(f"{name}: {why}" for name, why in error.fields.items())])) from error
        except KeyboardInterrupt:
            self._cancel(run if options["join"] is None else None)
            sys.exit(130)
        finally:
            show.stop()
            workers = [_told(helper) for helper in helpers] or [_peak()]
        if options["join"] is not None:
            self.stdout.write(json.dumps(workers[0]))
            return
        self._report(run, workers, as_json=options["json"])
        if run.status != PipelineRun.Status.DONE:
            sys.exit(1)

    def _created(self, options: dict[str, Any]) -> PipelineRun:
        given = {name: options[name] for name in ("eps_m", "min_points", "window_days") if options[name] is not None}
        return create_run(
            trigger="manual", as_of=options["as_of"], regions=options["region"], only=options["only"], parameters=Parameters(**given)
        )

    def _joined(self, pk: int) -> PipelineRun:
        run = PipelineRun.objects.filter(pk=pk).first()
        if run is None:
            raise CommandError(f"There is no run {pk}.")
        return run

    def _helper(self, run: PipelineRun, options: dict[str, Any]) -> subprocess.Popen[str]:
        """A worker: a process of its own, with its share of the cores, so that the workers' threads do not wait for one another."""
        command = [sys.executable, "manage.py", "run_pipeline", "--join", str(run.pk), "--json"]
        threads = str(max(1, (os.cpu_count() or 1) // options["workers"]))
        env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
        return subprocess.Popen(command, cwd=settings.BASE_DIR, env=env, stdout=subprocess.PIPE, text=True)

    def _cancel(self, run: PipelineRun | None) -> None:
        if run is None:
            return
        with contextlib.suppress(DomainError), audit.acting(door="cli"):
            run = request_cancel(run=run, by=None, reason="Interrupted at the command line")
        self.stderr.write(f"{run.key}: {run.status}")

    def _report(self, run: PipelineRun, workers: list[dict[str, Any]], *, as_json: bool) -> None:
        steps = [
            {"step": step.name, **{name: getattr(step, name) for name in ("status", "seconds", "worker", "counts", "error")}}
            for step in run.steps.all()
        ]
        if as_json:
            summary = {
                "run": run.pk,
                "key": run.key,
                "status": run.status,
                "seconds": run.seconds,
                "counts": run.counts,
                "workers": workers,
                "steps": steps,
            }
            self.stdout.write(json.dumps(summary, ensure_ascii=False))
            return
        self.stdout.write(f"{run.key}: {run.status} in {run.seconds or 0:.1f} s, {run.counts}")
        if run.error:
            self.stderr.write(run.error)


class _Shown:
    """Progress on a terminal as one line that changes, elsewhere a line a step."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.status = console.status("…") if console.is_terminal else None

    def start(self) -> None:
        if self.status is not None:
            self.status.start()

    def stop(self) -> None:
        if self.status is not None:
            self.status.stop()

    def __call__(self, progress: Progress) -> None:
        if progress.status == PipelineRun.Status.RUNNING:
            if self.status is not None:
                self.status.update(f"{progress.number}/{progress.of}  {progress.step}")
            return
        shown = [
            f"{name} {value}" for name, value in progress.counts.items() if isinstance(value, int | str) and not isinstance(value, bool)
        ]
        self.console.print(f"{progress.number}/{progress.of}  {progress.step}  {progress.status}  {', '.join(shown)}", soft_wrap=True)


def _peak() -> dict[str, Any]:
    """This process, the most memory it has held, and what it has computed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"worker": worker_name(), "peak_mb": round(used.ru_maxrss / 1024), "cpu_seconds": round(used.ru_utime + used.ru_stime, 1)}


def _told(helper: subprocess.Popen[str]) -> dict[str, Any]:
    out, _err = helper.communicate()
    lines = out.strip().splitlines()
    return json.loads(lines[-1]) if helper.returncode == 0 and lines else {"worker": str(helper.pid), "failed": helper.returncode}
