"""A run from upload to end: who may, cancel, kill and rerun, quarantine by hand, quality (ING-3, ING-4, ING-8, first ING-7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry
from geography.models import Zone
from incidents import tasks
from incidents.models import ImportRun, Incident, IncidentLog, IncidentType, RejectedRow, Report, Source
from incidents.services import importing
from incidents.services.importing import quarantine, running
from incidents.services.importing.running import LostClaim
from incidents.services.quality import feed_health
from incidents.tests.importing.conftest import HEAD
from incidents.tests.importing.test_bad_input import GOOD, row

pytestmark = pytest.mark.django_db


def many(count: int, start: int = 0) -> str:
    return "".join(row(incident_id=f"M-{n}") for n in range(start, start + count))


# --- who may ------------------------------------------------------------------------------------------------------------


def test_only_those_who_may_import_upload(write, cast):
    path = write(HEAD + GOOD)
    for person in (cast.officer, cast.dispatcher, cast.auditor):
        with pytest.raises(NotAllowed):
            importing.archive_upload(file=path, name="x.csv", by=person)
    run = importing.archive_upload(file=path, name="../../x.csv", by=cast.supervisor)
    assert (run.status, run.file_name, run.requested_by, run.format) == ("uploaded", "x.csv", cast.supervisor, "csv")
    assert len(run.sha256) == 64 and importing.archive_path(run).read_text() == HEAD + GOOD
    assert AuditEntry.objects.filter(verb="import.upload").count() == 1


def test_a_source_of_another_agency_is_not_there(write, cast, places, feed):
    fire = Source.objects.create(slug="fire-cad", name="CAD", agency=cast.fire, region=places.region)
    run = importing.archive_upload(file=write(HEAD + GOOD), name="x.csv", by=cast.supervisor)
    with pytest.raises(NotFound):
        importing.start_import(run=run, source=fire, by=cast.supervisor)
    queued = importing.start_import(run=run, source=fire, by=cast.analyst)  # sees every agency
    assert queued.status == "queued"
    with pytest.raises(NotFound):
        importing.cancel_import(run=run, by=cast.supervisor)


def test_a_file_is_started_once(write, feed):
    run = importing.archive_upload(file=write(HEAD + GOOD), name="x.csv", by=None)
    importing.start_import(run=run, source=feed, by=None)
    with pytest.raises(Conflict):
        importing.start_import(run=run, source=feed, by=None)


def test_the_log_names_the_person_who_imported(write, feed, cast):
    run = importing.archive_upload(file=write(HEAD + GOOD), name="x.csv", by=cast.supervisor)
    importing.execute_import(run=importing.start_import(run=run, source=feed, by=cast.supervisor))
    entry = IncidentLog.objects.get()
    assert (entry.author_kind, entry.author_id, entry.author_name) == ("user", cast.supervisor.pk, "supervisor")


# --- preview ------------------------------------------------------------------------------------------------------------


def test_a_preview_shows_each_rows_outcome_and_writes_nothing(bring, write, feed):
    bring(write(HEAD + GOOD))
    text = HEAD + GOOD + row(type="ghost ship") + row(incident_id="3", occurred_at="soon") + row(incident_id="4", lon="48.9")
    run = importing.archive_upload(file=write(text), name="x.csv", by=None)
    seen = importing.preview(run=run, source=feed)
    assert [r.outcome for r in seen.rows] == ["duplicate", "accepted", "rejected", "quarantined"]
    assert seen.new_types == ["ghost ship"] and seen.problem == "" and seen.suggested["external_id"] == "incident_id"
    assert seen.rows[2].problems[0].field == "occurred_at" and seen.rows[0].values["lon"] == "47.92"
    assert not IncidentType.objects.filter(is_reviewed=False).exists() and Incident.objects.count() == 1
    without = importing.preview(run=run, mapping={"type": "", "occurred_at": "nowhere"}, source=feed, rows=2)
    assert without.fields and without.problem and len(without.rows) == 2


# --- runs ---------------------------------------------------------------------------------------------------------------


def test_a_waiting_run_is_cancelled_at_once_and_a_running_one_after_its_batch(write, feed, monkeypatch):
    monkeypatch.setattr("incidents.services.importing.readers.delimited.BATCH_ROWS", 10)
    waiting = importing.archive_upload(file=write(HEAD + GOOD), name="x.csv", by=None)
    importing.start_import(run=waiting, source=feed, by=None)
    assert importing.cancel_import(run=waiting, by=None).status == "cancelled"
    assert importing.execute_import(run=waiting).status == "cancelled" and not Incident.objects.exists()
    with pytest.raises(Conflict):
        importing.cancel_import(run=waiting, by=None)

    long = importing.archive_upload(file=write(HEAD + many(24_000)), name="x.csv", by=None)
    importing.start_import(run=long, source=feed, by=None)

    def stop(run: ImportRun, share: float) -> None:
        importing.cancel_import(run=run, by=None)

    done = importing.execute_import(run=long, on_progress=stop)
    assert done.status == "cancelled" and done.accepted == Incident.objects.count() and 0 < done.accepted < 24_000


def test_a_run_is_worked_on_by_one_and_taken_from_the_dead(write, feed):
    run = importing.archive_upload(file=write(HEAD + GOOD), name="x.csv", by=None)
    importing.start_import(run=run, source=feed, by=None)
    first, second = ImportRun.objects.get(pk=run.pk), ImportRun.objects.get(pk=run.pk)
    assert running.claim(first) and not running.claim(second)
    assert importing.waiting_imports() == []
    ImportRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=3))
    assert importing.waiting_imports() == [run.pk]
    tasks.importing.execute_import(run.pk)
    run.refresh_from_db()
    assert (run.status, run.accepted) == ("done", 1)
    tasks.importing.execute_import(run.pk)
    assert Incident.objects.count() == 1


def test_a_run_cut_between_two_batches_goes_on_behind_the_last_whole_one(write, feed, monkeypatch):
    monkeypatch.setattr("incidents.services.importing.readers.base.BATCH_CHARACTERS", 30_000)
    text = HEAD + row(incident_id="bad-1", lat="95") + many(900) + row(incident_id="bad-2", lat="95") + many(900, 900)
    run = importing.archive_upload(file=write(text), name="x.csv", by=None)
    importing.start_import(run=run, source=feed, by=None)

    def die(run: ImportRun, share: float) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        importing.execute_import(run=run, on_progress=die)
    run.refresh_from_db()
    assert run.status == "running" and 0 < run.accepted < 1800 and run.accepted == Incident.objects.count()
    ImportRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=3))
    run.refresh_from_db()
    done = importing.execute_import(run=run)
    assert (done.status, done.read, done.accepted, done.duplicates, done.rejected) == ("done", 1802, 1800, 0, 2)
    assert Incident.objects.count() == 1800 == IncidentLog.objects.count() == Report.objects.count()
    rejects = Path(done.rejects_file).read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in rejects[1:]] == ["2", "903"]


def test_a_worker_that_lost_its_claim_writes_nothing(write, feed, monkeypatch):
    run = importing.archive_upload(file=write(HEAD + GOOD), name="x.csv", by=None)
    importing.start_import(run=run, source=feed, by=None)
    whole = running._Work.store

    def slow(self: running._Work, batch: object) -> None:
        ImportRun.objects.filter(pk=run.pk).update(position=99)  # another worker went on meanwhile
        with pytest.raises(LostClaim):
            whole(self, batch)  # type: ignore[arg-type]
        raise LostClaim

    monkeypatch.setattr(running._Work, "store", slow)
    importing.execute_import(run=run)
    assert not Incident.objects.exists() and not Report.objects.exists()


def test_a_run_that_kills_its_workers_is_given_up(write, feed):
    run = importing.archive_upload(file=write(HEAD + GOOD), name="x.csv", by=None)
    importing.start_import(run=run, source=feed, by=None)
    run.options["attempts"] = running.MAX_ATTEMPTS
    run.save(update_fields=["options"])
    assert importing.execute_import(run=run).status == "failed"


@pytest.mark.django_db(transaction=True)
def test_kill_in_mid_run_and_run_again(write, feed, tmp_path):
    """A real process, really killed: whole batches stay, the second run completes, nothing is there twice."""
    total = 24_000
    path = write(HEAD + many(total))
    database = connection.settings_dict
    url = f"postgis://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    environment = os.environ | {"DATABASE_URL": url, "KHAREETATY_VAR": str(tmp_path / "var")}
    command = [sys.executable, "manage.py", "import_incidents", str(path), "--source", feed.slug, "--json"]
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and not Incident.objects.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = Incident.objects.count()
    assert left == Report.objects.count() == IncidentLog.objects.count() and 0 < left <= total
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    assert Incident.objects.count() == Report.objects.count() == IncidentLog.objects.count() == total
    last = ImportRun.objects.order_by("-id")[0]
    assert (last.accepted, last.duplicates) == (total - left, left)


# --- by hand ------------------------------------------------------------------------------------------------------------


def test_a_quarantined_row_is_corrected_and_opens_its_incident(bring, write, cast, places):
    text = HEAD + row(incident_id="", lon="48.9", priority="1", address="Salmiya block 10")
    bring(write(text))
    bad = RejectedRow.objects.get()
    assert quarantine.values_of(bad)["lon"] == "48.9"
    with pytest.raises(Invalid) as wrong:
        importing.resubmit_row(row=bad, values={"lon": "48.8"}, by=cast.supervisor)
    assert wrong.value.fields
    bad.refresh_from_db()
    assert bad.status == "quarantined"
    incident = importing.resubmit_row(row=bad, values={"lon": "47.92"}, by=cast.supervisor)
    bad.refresh_from_db()
    assert (bad.status, bad.incident) == ("corrected", incident) and incident.area == places.salmiya
    assert incident.priority == 1 and incident.address_block == "10"
    assert AuditEntry.objects.get(verb="rejected_row.resubmit").actor_name == "supervisor"
    with pytest.raises(Conflict):
        importing.resubmit_row(row=bad, values={"lon": "47.92"}, by=cast.supervisor)
    again = bring(write(text))
    assert (again.accepted, again.rejected) == (0, 1) and RejectedRow.objects.count() == 1 and Incident.objects.count() == 1


def test_a_rejected_row_is_named_by_its_fields_until_it_is_right(bring, write, cast):
    bring(write(HEAD + row(occurred_at="soon", type="")))
    bad = RejectedRow.objects.get()
    with pytest.raises(Invalid) as wrong:
        importing.resubmit_row(row=bad, values={"type": "burglary"}, by=cast.supervisor)
    assert set(wrong.value.fields) == {"occurred_at"}
    with pytest.raises(Invalid):
        importing.resubmit_row(row=bad, values={"colour": "red"}, by=cast.supervisor)
    with pytest.raises(NotAllowed):
        importing.resubmit_row(row=bad, values={}, by=cast.dispatcher)
    with pytest.raises(NotFound):
        importing.resubmit_row(row=bad, values={}, by=cast.firefighter)
    assert importing.resubmit_row(row=bad, values={"type": "burglary", "occurred_at": "05/01/2026 10:00"}, by=cast.supervisor).pk


def test_a_dismissed_row_stays_dismissed(bring, write, cast):
    text = HEAD + row(occurred_at="soon")
    bring(write(text))
    bad = RejectedRow.objects.get()
    with pytest.raises(Invalid):
        importing.dismiss_row(row=bad, by=cast.supervisor, reason=" ")
    importing.dismiss_row(row=bad, by=cast.supervisor, reason="a test call")
    with pytest.raises(Conflict):
        importing.dismiss_row(row=bad, by=cast.supervisor, reason="again")
    bring(write(text))
    bad.refresh_from_db()
    assert bad.status == "dismissed" and RejectedRow.objects.count() == 1


# --- quality ------------------------------------------------------------------------------------------------------------


def test_feed_health_counts_what_came_and_what_waits(bring, write, cast, feed, django_assert_max_num_queries):
    now = timezone.now().isoformat()
    recent = row(incident_id="n1", occurred_at=now) + row(incident_id="n2", occurred_at=now, lon="", lat="", type="ghost ship")
    bring(write(HEAD + GOOD + GOOD + recent + row(occurred_at="soon") + row(incident_id="q", lon="48.9")))
    with CaptureQueriesContext(connection) as queries:
        found = {health.source.slug: health for health in feed_health(cast.supervisor)}
    assert len(queries) <= 8
    mine = found[feed.slug]
    assert (mine.read, mine.accepted, mine.duplicates, mine.rejected) == (6, 3, 1, 2)
    assert (mine.window_incidents, mine.unlocated_share, mine.unreviewed_types) == (2, 0.5, 1)
    assert (mine.waiting_rejected, mine.waiting_quarantined) == (1, 1)
    assert mine.waiting_by_code == {"unreadable_time": 1, "out_of_area": 1}
    assert mine.last_received_at is not None and mine.silent_for is not None
    assert feed.slug not in {health.source.slug for health in feed_health(cast.firefighter)}
    assert feed_health(object()) == []


# --- what guards the codes in place of foreign keys -----------------------------------------------------------------------


def test_an_incident_cannot_refer_to_what_is_not_there(report, places):
    incident = report()
    for column in ("region_id", "source_id", "agency_id", "type_id", "governorate_id", "area_id", "block_id", "sector_id"):
        with pytest.raises(IntegrityError, match=f"{column} 987654"), transaction.atomic():
            Incident.objects.filter(pk=incident.pk).update(**{column: 987654})
    incident.pk, incident.area_id = None, 987654
    with pytest.raises(IntegrityError, match="area_id 987654"), transaction.atomic():
        incident.save(force_insert=True)
    with pytest.raises(IntegrityError, match="source_id 987654"), transaction.atomic():
        Report.objects.create(source_id=987654, external_id="x", kind="x", raw={})


def test_what_an_incident_refers_to_cannot_be_deleted(report, places, feed, burglary, cast):
    report()
    for table, pk in (
        ("geography_zone", places.salmiya.pk),
        ("geography_zone", places.hawalli.pk),
        ("incidents_incidenttype", burglary.pk),
        ("incidents_source", feed.pk),
    ):
        with pytest.raises(IntegrityError, match="still referred to"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [pk])
    Zone.objects.filter(pk=places.jabriya.pk).delete()
