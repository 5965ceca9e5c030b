"""``manage.py import_incidents FILE --source SLUG``: a file of incidents, from any source, of any size."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from core import audit
from core.errors import DomainError
from core.models import AuditEntry
from incidents.models import ImportRun, Source
from incidents.services.importing import (
    TARGETS,
    archive_path,
    archive_upload,
    complete_mapping,
    ensure_source,
    execute_import,
    forget_source,
    open_table,
    start_import,
)

# A plain log gets a line this often.
LINE_EVERY_S = 5.0


class Command(BaseCommand):
    help = "Import incidents from CSV(.gz), JSON Lines(.gz), GeoJSON, Parquet or XLSX. Running it twice adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", required=True, help="the source's short name; an unknown one is added")
        parser.add_argument("--map", action="append", default=[], metavar="TARGET=COLUMN", help=f"targets: {', '.join(TARGETS)}")
        parser.add_argument("--tz", default="", help="zone of times without offset; the source's, else its region's")
        parser.add_argument("--srid", type=int, default=None, help="EPSG number of the coordinates (4326)")
        parser.add_argument("--agency", default="police", help="agency of a source that is added (police)")
        parser.add_argument("--synthetic", action="store_true", help="mark the incidents as synthetic")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="the last line is a JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with audit.acting(door=AuditEntry.Door.CLI):
            self._import(**options)

    def _import(self, *, file: Path, source: str, as_json: bool, dry_run: bool, **options: Any) -> None:
        # With --json the answer alone goes to standard output.
        console = Console(stderr=as_json, highlight=False, soft_wrap=True)
        began = time.monotonic()
        given = dict(_pair(text) for text in options["map"])
        if not file.is_file():
            raise CommandError(_("There is no file %(file)s.") % {"file": file})
        try:
            run = archive_upload(file=file, name=file.name, by=None)
            known, is_new = self._source(run, source, given, options, console)
            run = start_import(
                run=run,
                source=known,
                mapping=given,
                tz=options["tz"],
                srid=options["srid"],
                dry_run=dry_run,
                by=None,
                synthetic=options["synthetic"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        shown = ", ".join(f"{target} ← {column}" for target, column in run.options["mapping"].items())
        console.print(f"{run.file_name}: {run.format}, {run.size_bytes:,} bytes; {shown}; {run.options['tz']}", markup=False)
        run = _Watched(console).execute(run)
        if dry_run and is_new:
            forget_source(source=known)
        seconds = time.monotonic() - began
        answer = {
            "read": run.read,
            "accepted": run.accepted,
            "duplicates": run.duplicates,
            "rejected": run.rejected,
            "seconds": round(seconds, 3),
            "rejects_file": run.rejects_file or None,
        }
        if as_json:
            self.stdout.write(json.dumps(answer))
        else:
            self._say(run, seconds, console)
        if run.status != ImportRun.Status.DONE:
            self.stdout.flush()
            raise CommandError(run.error or _("The import was stopped: %(status)s.") % {"status": run.get_status_display()})

    def _source(self, run: ImportRun, slug: str, given: dict[str, str], options: dict[str, Any], console: Console) -> tuple[Source, bool]:
        path = archive_path(run)
        with open_table(path) as table:
            saved = Source.objects.filter(slug=slug).values_list("column_mapping", flat=True).first()
            mapping = complete_mapping(columns=table.columns, repeated=table.repeated, given=given, saved=saved)
        source, is_new = ensure_source(slug=slug, path=path, mapping=mapping, srid=options["srid"] or 4326, agency=options["agency"])
        if is_new:
            notice = _("New source “%(source)s”: agency %(agency)s, region %(region)s.")
            console.print(
                notice % {"source": slug, "agency": source.agency.slug, "region": source.region.code}, style="yellow", markup=False
            )
        return source, is_new

    def _say(self, run: ImportRun, seconds: float, console: Console) -> None:
        rate = run.read / seconds if seconds else 0
        console.print(
            f"{run.read:,} read, {run.accepted:,} accepted, {run.duplicates:,} duplicates, {run.rejected:,} rejected "
            f"in {seconds:.1f} s ({rate:,.0f} rows/s)" + ("; dry run, nothing was written" if run.is_dry_run else "")
        )
        quality = {key: count for key, count in run.quality.items() if key != "codes"} | run.quality.get("codes", {})
        for name, count in quality.items():
            console.print(f"  {name}: {count:,}", markup=False)
        if run.rejects_file:
            console.print(f"  {run.rejects_file}", markup=False)


class _Watched:
    """A progress bar on a terminal, plain lines anywhere else."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = time.monotonic()
        self.said = self.began

    def execute(self, run: ImportRun) -> ImportRun:
        if not self.console.is_terminal:
            return execute_import(run=run, on_progress=self._line)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[read]:,} rows"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]:,.0f} rows/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task("", total=1.0, read=0, rate=0.0)

            def show(run: ImportRun, share: float) -> None:
                bar.update(task, completed=share, read=run.read, rate=self._rate(run))

            return execute_import(run=run, on_progress=show)

    def _rate(self, run: ImportRun) -> float:
        return run.read / max(time.monotonic() - self.began, 1e-6)

    def _line(self, run: ImportRun, share: float) -> None:
        now = time.monotonic()
        if now - self.said < LINE_EVERY_S:
            return
        self.said = now
        left = (now - self.began) * (1 - share) / share if share else 0
        self.console.print(f"{run.read:,} rows, {share:.0%}, {self._rate(run):,.0f} rows/s, about {left:.0f} s left")
        sys.stdout.flush()


def _pair(text: str) -> tuple[str, str]:
    target, equals, column = text.partition("=")
    if not equals:
        raise CommandError(_("--map takes TARGET=COLUMN, not “%(text)s”.") % {"text": text})
    return target.strip(), column.strip()
