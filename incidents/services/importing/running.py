"""An import from its start to its end: claimed by one worker, cut off at any point, gone on with from the last whole batch."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core import audit
from core.errors import Conflict, DomainError, Invalid
from core.events import publish
from core.text import searchable
from incidents import events
from incidents.models import ImportRun, Source
from incidents.normalise import Problem
from incidents.permissions import Actor
from incidents.services.importing import writing
from incidents.services.importing.archive import archive_path, rejects_path
from incidents.services.importing.mapping import complete_mapping
from incidents.services.importing.preparing import BadRow, Prepared, Preparer, transformer
from incidents.services.importing.readers import Batch, BrokenFile, Table, open_table
from incidents.services.importing.rejects import IDENTITY, OWN, RejectsFile, unguarded
from incidents.services.importing.sources import require_source
from incidents.services.importing.staging import stage
from incidents.services.vocabulary import Words

Status = ImportRun.Status
# A worker says it lives with every batch; one silent this long is dead.
STALE = timedelta(minutes=2)
MAX_ATTEMPTS = 5
# An incident older than this came with a file of past ones: it is stored closed, and swamps no board.
OPEN_FOR = timedelta(days=3)
# More new words than this are no types: the mapping is wrong.
MAX_NEW_TYPES = 500
_AHEAD = 2

Progress = Callable[[ImportRun, float], None]


class LostClaim(Exception):
    """Another worker has taken this run over."""


class Cancelled(Exception):
    """Somebody asked the run to stop."""


# --- verbs of the doors -------------------------------------------------------------------------------------------------


def start_import(
    *,
    run: ImportRun,
    source: Source,
    mapping: Mapping[str, str] | None = None,
    tz: str = "",
    srid: int | None = None,
    dry_run: bool = False,
    by: Actor | None,
    synthetic: bool = False,
) -> ImportRun:
    """Queue an uploaded file for ``source``: a worker takes it within seconds. Raises ``Invalid`` for a mapping that cannot work.

    The mapping is completed by the one the source used last and by the headings, and kept for the next time.
    """
    require_source(by, source)
    with open_table(archive_path(run)) as table:
        columns = readable_columns(table)
        whole = complete_mapping(columns=columns, repeated=table.repeated, given=mapping, saved=source.column_mapping)
        srid = srid or table.srid or 4326
    zone = zone_of(source, tz)
    transformer(srid)
    options = {"mapping": whole, "tz": zone.key, "srid": srid, "synthetic": synthetic, "attempts": 0}
    with transaction.atomic():
        moved = ImportRun.objects.filter(pk=run.pk, status=Status.UPLOADED).update(
            source=source,
            status=Status.QUEUED,
            options=options,
            is_dry_run=dry_run,
            requested_by=by if isinstance(by, User) else None,
        )
        if moved != 1:
            raise Conflict(_("This file is being imported already."))
        run.refresh_from_db()
        if not dry_run:
            Source.objects.filter(pk=source.pk).update(column_mapping=whole)
        audit.record(
            "incidents.import",
            obj=run,
            by=by,
            after={
                "source": source.slug,
                "file": run.file_name,
                "sha256": run.sha256,
                "mapping": whole,
                "tz": zone.key,
                "dry_run": dry_run,
            },
        )
    return run


def cancel_import(*, run: ImportRun, by: Actor | None) -> ImportRun:
    """Stop a run: at once while it waits, after the batch in hand while it runs. What went in stays in."""
    if run.source is not None:
        require_source(by, run.source)
    now = timezone.now()
    with transaction.atomic():
        waiting = ImportRun.objects.filter(pk=run.pk, status__in=[Status.UPLOADED, Status.QUEUED])
        running = ImportRun.objects.filter(pk=run.pk, status=Status.RUNNING)
        stopped = waiting.update(status=Status.CANCELLED, finished_at=now, cancel_requested=True)
        if not stopped and not running.update(cancel_requested=True):
            raise Conflict(_("This import has ended."))
        audit.record("import.cancel", obj=run, by=by)
    run.refresh_from_db()
    return run


def zone_of(source: Source, name: str = "") -> ZoneInfo:
    """The clock of a source's times: the one named, its own, its region's."""
    name = name or source.time_zone or source.region.time_zone
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        problem = _("There is no time zone %(name)s.") % {"name": name}
        raise Invalid(problem, fields={"tz": problem}) from error


# --- the worker's side --------------------------------------------------------------------------------------------------


def waiting_imports() -> list[int]:
    """Runs nobody works on: queued ones, and those whose worker fell silent."""
    stale = Q(status=Status.RUNNING, heartbeat_at__lt=timezone.now() - STALE)
    return list(ImportRun.objects.filter(Q(status=Status.QUEUED) | stale).order_by("id").values_list("pk", flat=True))


def claim(run: ImportRun) -> bool:
    """Take the run, if it waits or its worker is dead; of two who try, one gets it."""
    now = timezone.now()
    free = Q(status=Status.QUEUED) | Q(status=Status.RUNNING, heartbeat_at__lt=now - STALE)
    taken = ImportRun.objects.filter(free, pk=run.pk, heartbeat_at=run.heartbeat_at).update(
        status=Status.RUNNING, heartbeat_at=now, started_at=run.started_at or now
    )
    run.refresh_from_db()
    return taken == 1


def execute_import(*, run: ImportRun, on_progress: Progress | None = None) -> ImportRun:
    """Bring the run's file in, if nobody else does. Returns the run as it ended; a bad file ends it "failed" with the reason.

    Batches are whole: a kill leaves those that were committed, and the next call goes on behind them.
    """
    if not claim(run):
        return run
    attempts = int(run.options.get("attempts", 0)) + 1
    if attempts > MAX_ATTEMPTS:
        return _finish(run, Status.FAILED, _("Given up after %(count)d attempts.") % {"count": MAX_ATTEMPTS})
    run.options["attempts"] = attempts
    run.save(update_fields=["options"])
    rejects: RejectsFile | None = None
    try:
        with open_table(archive_path(run)) as table:
            work = _Work(run, table)
            rejects = work.rejects
            try:
                for batch in _read_ahead(work):
                    work.store(batch)
                    if on_progress is not None:
                        on_progress(run, batch.progress)
            finally:
                run.rejects_file = rejects.close()
    except LostClaim:
        run.refresh_from_db()
        return run
    except Cancelled:
        return _finish(run, Status.CANCELLED)
    except BrokenFile as error:
        return _finish(run, Status.FAILED, str(error))
    except DomainError as error:
        return _finish(run, Status.FAILED, error.message)
    except KeyboardInterrupt:
        _finish(run, Status.CANCELLED)
        raise
    return _finish(run, Status.DONE)


@transaction.atomic
def _finish(run: ImportRun, status: str, error: str = "") -> ImportRun:
    run.status, run.error, run.finished_at = status, error, timezone.now()
    run.total = run.read if status == Status.DONE else run.total
    run.save(update_fields=["status", "error", "finished_at", "total", "rejects_file"])
    if run.source_id and run.accepted and not run.is_dry_run:
        Source.objects.filter(pk=run.source_id).update(last_received_at=run.finished_at)
    publish(
        events.IMPORT_FINISHED,
        subject=run,
        agency_id=run.source.agency_id if run.source else None,
        data={"run": run.pk, "status": status, "accepted": run.accepted, "rejected": run.rejected},
    )
    return run


def readable_columns(table: Table) -> list[str]:
    """The columns that may be mapped; a rejects file's headings without their guard, its own columns left out."""
    if IDENTITY in table.columns:
        table.columns = [unguarded(name) for name in table.columns]
        return [name for name in table.columns if name not in OWN]
    return table.columns


class _Work:
    """One run in hand: what is read, and where it is written."""

    def __init__(self, run: ImportRun, table: Table) -> None:
        assert run.source is not None
        source = Source.objects.select_related("region", "agency").get(pk=run.source.pk)
        options = run.options
        self.run, self.table, self.source = run, table, source
        mappable = readable_columns(table)
        mapping = complete_mapping(columns=mappable, repeated=table.repeated, given=options.get("mapping"), saved=source.column_mapping)
        self.is_rejects = IDENTITY in table.columns
        self.now: datetime = run.created_at
        self.words = Words(source)
        self.preparer = Preparer(
            columns=table.columns,
            mapping=mapping,
            zone=zone_of(source, options.get("tz", "")),
            srid=int(options.get("srid") or 4326),
            now=timezone.now(),
            is_text=table.format == "csv",
            own=[name for name in OWN if name in table.columns] if self.is_rejects else (),
            identity=IDENTITY if self.is_rejects else "",
            severity_of=self.words.severity_of,
        )
        self.rejects = RejectsFile(rejects_path(run), table.columns, after=run.position)
        self._types: dict[str, tuple[int, str]] = {}
        self._seen: set[int] = set()
        self.after = run.position
        person = run.requested_by
        self.target = writing.Target(
            run=run.pk,
            source=source.pk,
            region=source.region_id,
            agency=source.agency_id,
            recent=run.created_at - OPEN_FOR,
            synthetic=bool(options.get("synthetic")),
            author_kind="user" if person else "system",
            author_id=person.pk if person else None,
            author_name=person.audit_name if person else "",
            reason=f"{run.file_name} #{run.pk}"[:300],
        )

    # --- reading, in a thread of its own ---------------------------------------------------------------------------------

    def prepared(self) -> Iterator[Prepared]:
        for batch in self.table.batches():
            if self.after and not self._behind(batch):
                continue
            if self.is_rejects:
                batch.rows = [[unguarded(cell) if isinstance(cell, str) else cell for cell in row] for row in batch.rows]
            made = self.preparer.prepare(batch)
            stage(made)
            made.progress = self.table.progress()
            yield made

    def _behind(self, batch: Batch) -> bool:
        """Leave of ``batch`` what lies behind the last whole batch of the run that was cut off."""
        keep = [place for place, number in enumerate(batch.numbers) if number > self.after]
        batch.numbers = [batch.numbers[place] for place in keep]
        batch.rows = [batch.rows[place] for place in keep]
        batch.broken = [row for row in batch.broken if row[0] > self.after]
        return bool(len(batch))

    # --- writing ---------------------------------------------------------------------------------------------------------

    def store(self, batch: Prepared) -> None:
        """One transaction: the rows, the run's counters, one event."""
        run, before = self.run, self.run.position
        run.refresh_from_db(fields=["heartbeat_at", "cancel_requested"])
        if run.cancel_requested:
            raise Cancelled
        with transaction.atomic():
            writing.stage_rows(batch, types={word: self._type(word) for word in set(batch.types)})
            done = self._would_write(batch) if run.is_dry_run else writing.write_staged(self.target)
            bad = self._with_nowhere(batch, done.nowhere)
            if not run.is_dry_run:
                writing.write_bad(bad, source=self.source.pk, run=run.pk)
            self.rejects.write(bad)
            self._count(batch, done, bad)
            if done.accepted and not run.is_dry_run:
                publish(
                    events.INCIDENTS_IMPORTED,
                    subject=run,
                    agency_id=self.source.agency_id,
                    data={
                        "run": run.pk,
                        "source": self.source.slug,
                        "count": done.accepted,
                        "first_id": done.first_id,
                        "last_id": done.last_id,
                    },
                )
            moved = ImportRun.objects.filter(pk=run.pk, status=Status.RUNNING, position=before).update(
                read=run.read,
                accepted=run.accepted,
                duplicates=run.duplicates,
                rejected=run.rejected,
                position=run.position,
                total=run.total,
                quality=run.quality,
                heartbeat_at=timezone.now(),
            )
            if moved != 1:
                raise LostClaim

    def _count(self, batch: Prepared, done: writing.Written, bad: list[BadRow]) -> None:
        run = self.run
        run.read += batch.read
        run.accepted += done.accepted
        run.rejected += len(bad)
        run.duplicates += batch.read - done.accepted - len(bad)
        run.position = batch.last_number
        run.total = max(run.read, round(run.read / batch.progress)) if batch.progress else None
        quality = Counter({key: count for key, count in run.quality.items() if isinstance(count, int)})
        quality.update({key: count for key, count in batch.counts.items() if count})
        quality["quarantined"] += sum(row.is_quarantined for row in bad)
        quality["new_types"] = len(self.words.added)
        codes = Counter(run.quality.get("codes", {}))
        codes.update(row.problems[0].code for row in bad if row.problems)
        run.quality = {**{key: count for key, count in quality.items() if count}, "codes": dict(codes)}

    def _type(self, word: str) -> tuple[int, str]:
        known = self._types.get(word)
        if known is None:
            kind = self.words.known_type(word) if self.run.is_dry_run else self.words.type_of(word)
            if len(self.words.added) > MAX_NEW_TYPES:
                raise Invalid(
                    _("More than %(count)d kinds of incident nobody knows: is the column “%(column)s” really the type?")
                    % {"count": MAX_NEW_TYPES, "column": self.preparer.mapping["type"]}
                )
            known = (kind.pk, searchable(f"{kind.name_en} {kind.name_ar}")) if kind else (0, "")
            self._types[word] = known
        return known

    def _with_nowhere(self, batch: Prepared, nowhere: tuple[int, ...]) -> list[BadRow]:
        if not nowhere:
            return batch.bad
        place_of = {number: place for place, number in enumerate(batch.numbers)}
        assert batch.lon is not None and batch.lat is not None
        bad = list(batch.bad)
        for number in nowhere:
            place = place_of[number]
            where = f"{batch.lon[place]:g}, {batch.lat[place]:g}"
            bad.append(
                self.preparer.bad_row(
                    number, batch.external_ids[place], batch.rows[place], [Problem("lon", "out_of_area", where)], is_quarantined=True
                )
            )
        return sorted(bad, key=lambda row: row.number)

    def _would_write(self, batch: Prepared) -> writing.Written:
        """What a real run would do with the staged rows; the rows of earlier batches are remembered by hash."""
        outside = writing.nowhere()
        accepted = 0
        for _number, external_id in writing.count_fresh(self.source.pk):
            mark = hash(external_id)
            accepted += mark not in self._seen
            self._seen.add(mark)
        return writing.Written(accepted, nowhere=outside)


def _read_ahead(work: _Work) -> Iterator[Prepared]:
    """The file's batches, read and prepared by a thread while the caller writes the ones before."""
    ahead: queue.Queue[Prepared | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    stop = threading.Event()

    def put(item: Prepared | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                ahead.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for made in work.prepared():
                if not put(made):
                    return
        except BaseException as error:
            put(error)
        else:
            put(None)

    reader = threading.Thread(target=read, name="import-reader", daemon=True)
    reader.start()
    beat = time.monotonic()
    try:
        while True:
            try:
                item = ahead.get(timeout=5)
            except queue.Empty:
                if time.monotonic() - beat > 20:
                    beat = time.monotonic()
                    ImportRun.objects.filter(pk=work.run.pk, status=Status.RUNNING).update(heartbeat_at=timezone.now())
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        reader.join(timeout=30)
