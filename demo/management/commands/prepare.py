"""Makes an installation ready to serve: tables, vocabulary, geography and, for the demo, accounts and two synthetic years."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from alerts.services.delivery import ensure_default_templates
from alerts.services.escalation.seeds import seed_policies
from alerts.services.rules.seeds import ensure_periods, ensure_rules
from core.errors import DomainError
from core.relay import enlist_readers
from demo.services.accounts import create_demo_accounts, create_simulator_desk
from demo.services.alerting import create_demo_alerting, switch_on_demo_rules
from demo.services.devices import create_demo_devices
from demo.services.force import create_demo_force
from demo.services.history import seed_history
from demo.services.weeks import WEEKS, look_back, tell_weeks
from geography.models import Region
from geography.services.gazetteer import load_gazetteer
from geography.services.official import import_official
from incidents.models import PipelineRun
from incidents.services.pipeline import run_pipeline
from incidents.services.vocabulary import ensure_vocabulary
from iot.services.partitions import keep_days_ready as keep_readings_ready
from iot.services.standard_profiles import ensure_profiles
from patrol.services.positions import keep_days_ready

# Any number of replicas may start at once; one prepares, the others wait for it.
LOCK = 5_317_204_118
WEEKS_BACK = 4  # of hot spots, so that their history can be looked at from the first day


class Command(BaseCommand):
    help = "Migrate, load the geography and the vocabulary, and seed the demo once. Quick when there is nothing to do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--zones", default="", help="official zones to put in place of the approximate ones (GeoJSON, GeoPackage, shapefile)"
        )
        parser.add_argument("--count", type=int, default=40_000, help="synthetic incidents to seed (default 40,000)")

    def handle(self, *args: Any, **options: Any) -> None:
        self._started = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            self._prepare(zones=options["zones"], count=options["count"])
            enlist_readers()  # what is reported before the relay's first start is heard all the same
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

    def _prepare(self, *, zones: str, count: int) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self._say("making the tables")
            call_command("migrate", verbosity=0)
        ensure_vocabulary()
        keep_days_ready(now=timezone.now())
        keep_readings_ready(now=timezone.now())
        ensure_profiles()
        if not Region.objects.exists():
            self._say("loading Kuwait: six governorates and their areas (approximate boundaries)")
            load_gazetteer()
        if zones:
            self._say(f"putting official zones in place from {zones}")
            try:
                for done in import_official(path=Path(zones)):
                    self._say(f"{done.level}: {done.read} zones read, {done.added} added, {done.changed} changed, {done.retired} retired")
            except DomainError as error:
                raise CommandError(f"{zones}: {error.message}") from error
        seed_policies()
        ensure_default_templates()
        ensure_periods()
        rules = ensure_rules()
        if rules:
            self._say(f"added {rules} alert rules, which wait for a person to switch them on")
        if not settings.DEMO:
            return
        if create_demo_accounts():
            self._say("made the demo's accounts")
        region = Region.objects.get(is_default=True)
        create_simulator_desk()
        units = create_demo_force(region=region)
        if units:
            self._say(f"put {units} units on duty, with crews for four weeks")
        devices = create_demo_devices(region=region)
        if devices:
            self._say(f"put up {devices} devices of all kinds, with a day of readings")
        is_alerting_new = create_demo_alerting(region=region)
        stored = seed_history(region=region, count=count)
        if stored:
            self._say(f"drew two synthetic years: {stored:,} incidents")
        told = tell_weeks()
        if told:
            self._say(f"gave the devices {WEEKS} weeks behind them: {told:,} hours of readings")
        if stored or told:
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
        if told:
            self._say(f"looked back on them: {look_back()}")
        if not PipelineRun.objects.filter(status=PipelineRun.Status.DONE, parameters__only=None).exists():
            self._say(f"following hot spots through {WEEKS_BACK} weeks")
            for week in range(WEEKS_BACK, 0, -1):  # in order: a track goes on from the run before
                run_pipeline(trigger="history", as_of=timezone.now() - timedelta(weeks=week), regions=[region.code], only=["hotspots"])
            self._say("finding hot spots, forecasting seven days")
            run = run_pipeline(trigger="first")
            self._say(f"the first analytics took {run.seconds or 0:.0f} s: {run.counts}")
        if is_alerting_new:  # afterwards: two years that are put in at once page nobody
            self._say(f"switched {switch_on_demo_rules()} alert rules on, each after its replay")

    def _say(self, text: str) -> None:
        self.stdout.write(f"prepare  {time.monotonic() - self._started:5.1f} s  {text}")
        self.stdout.flush()
