"""ING-1, ING-3, ING-2: ten kinds of message; batches of ten thousand become a job that survives what it is done to."""

from __future__ import annotations

import copy
import csv
import io
import threading

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from core.models import AuditEntry
from incidents.models import Incident, Report
from interop.models import BatchJob, BatchRow, InboxMessage
from interop.services import batches, forget_old_batches, inbox, issue_key, letters, revoke_key, work_on_batches

pytestmark = pytest.mark.django_db
BATCH = "ingest/moi-incident/batch"


@pytest.fixture
def rows(burglary_report):
    def made(count, broken=lambda number: False):
        return [
            {**burglary_report, "report_number": f"B-{number}", **({"occurred_at": "never"} if broken(number) else {})}
            for number in range(count)
        ]

    return made


def post(caller, body, **headers):
    return caller.post(BATCH, body, Prefer="respond-async", **headers)


def job_of(caller, answer):
    return caller.get(f"jobs/{answer.json()['id']}").json()


def test_a_batch_nobody_waits_for_is_kept_before_it_is_answered_and_taken_in_after(caller, rows):
    answer = post(caller, rows(3))
    assert (answer.status_code, answer["Preference-Applied"]) == (202, "respond-async")
    said = answer.json()
    assert answer["Location"].endswith(f"/api/v1/jobs/{said['id']}") and said["url"] == answer["Location"]
    assert (said["state"], said["total"], said["done"], said["progress"]) == ("queued", 3, 0, 0.0)
    assert BatchRow.objects.filter(outcome="").count() == 3 and not Incident.objects.exists()
    assert work_on_batches() == 3
    said = job_of(caller, answer)
    assert (said["state"], said["opened"], said["progress"]) == ("done", 3, 1.0) and said["finished_at"]
    results = caller.get(f"jobs/{said['id']}/results").json()["results"]
    assert [(row["index"], row["status"], row["outcome"], row["message_status"]) for row in results] == [
        (number, 201, "opened", "processed") for number in range(3)
    ]
    assert {row["ref"] for row in results} == {incident.ref for incident in Incident.objects.all()}
    assert not BatchRow.objects.filter(body__isnull=False).exists()
    assert AuditEntry.objects.filter(verb="batch.finish", object_id=str(said["id"])).exists()


def test_more_than_a_thousand_rows_become_a_job_by_themselves_and_ten_thousand_and_one_are_refused(caller, rows):
    body = rows(1_001)
    assert caller.post(BATCH, body).status_code == 202
    assert BatchRow.objects.count() == 1_001
    assert caller.post(BATCH, [{}] * 10_001).status_code == 422
    assert BatchJob.objects.count() == 1


def test_of_a_batch_with_every_second_row_broken_the_others_go_in(caller, rows):
    answer = post(caller, [*rows(20, broken=lambda number: number % 2), "no message", 7])
    work_on_batches()
    said = job_of(caller, answer)
    assert (said["opened"], said["rejected"], said["done"], said["state"]) == (10, 12, 22, "done")
    bad = caller.get(f"jobs/{said['id']}/results", {"outcome": "rejected"}).json()["results"]
    assert [row["index"] for row in bad] == [*range(1, 20, 2), 20, 21]
    assert {error["field"] for row in bad[:10] for error in row["errors"]} == {"occurred_at"}
    assert InboxMessage.objects.refused().count() == 10
    # What the inbox does not hold is still with its row, so that it can be looked at.
    assert list(BatchRow.objects.filter(body__isnull=False).values_list("body", flat=True)) == ["no message", 7]


def test_the_results_are_also_a_file_no_spreadsheet_runs(caller, rows):
    answer = post(caller, [*rows(2), {**rows(1)[0], "report_number": "=1+1"}])
    work_on_batches()
    file = caller.get(f"jobs/{answer.json()['id']}/results.csv")
    table = list(csv.DictReader(io.StringIO(file.getvalue().decode())))
    assert [row["outcome"] for row in table] == ["opened"] * 3
    assert [row["message_id"] for row in table] == ["B-0", "B-1", "'=1+1"]
    assert caller.get(f"jobs/{answer.json()['id']}/results", {"outcome": "lost"}).status_code == 422


def test_the_same_key_and_body_give_the_same_job_and_another_body_is_409(caller, rows):
    first, second = (post(caller, rows(3), Idempotency_Key="night-1") for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"] and BatchRow.objects.count() == 3
    other = post(caller, rows(2), Idempotency_Key="night-1")
    assert (other.status_code, other.json()["type"]) == (409, "urn:khareetaty:problem:idempotency_key_reused")
    assert post(caller, rows(3)).json()["id"] != first.json()["id"]
    work_on_batches()
    assert Incident.objects.count() == 3
    assert post(caller, rows(3), Idempotency_Key="night-1").json()["opened"] == 3


def test_rows_without_an_id_are_told_apart_by_the_batchs_key_in_every_chunk(caller, burglary_report, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 2)
    del burglary_report["report_number"]
    post(caller, [burglary_report] * 5, Idempotency_Key="b-1")
    work_on_batches()
    assert Incident.objects.count() == 5
    assert caller.post(BATCH, [burglary_report] * 5, Idempotency_Key="b-1").json()["repeated"] == 5


def test_a_worker_killed_half_way_leaves_its_chunk_untouched_and_the_next_goes_on(caller, rows, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 4)
    answer = post(caller, rows(10))
    real, calls = batches._count, []

    def die(job, some):
        calls.append(len(some))
        if len(calls) == 2:
            raise SystemExit("killed")  # between taking a chunk in and committing it
        real(job, some)

    monkeypatch.setattr(batches, "_count", die)
    with pytest.raises(SystemExit):
        work_on_batches()
    assert (Incident.objects.count(), BatchRow.objects.filter(outcome="").count()) == (4, 6)
    assert job_of(caller, answer)["state"] == "running"
    monkeypatch.setattr(batches, "_count", real)
    assert work_on_batches() == 6
    assert (Incident.objects.count(), Report.objects.count(), job_of(caller, answer)["opened"]) == (10, 10, 10)


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_take_nothing_twice(caller, rows, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 5)
    answer = post(caller, rows(60, broken=lambda number: number % 2))

    def work():
        try:
            work_on_batches()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    work_on_batches()  # whoever comes last says that it is over
    said = job_of(caller, answer)
    assert (said["state"], said["opened"], said["rejected"], said["repeated"]) == ("done", 30, 30, 0)
    assert Incident.objects.count() == 30


def test_what_fails_on_our_side_is_kept_and_the_results_follow_the_inbox(caller, rows, monkeypatch):
    real = letters.open_incident

    def fail(**given):
        raise RuntimeError("a bad day")

    monkeypatch.setattr(letters, "open_incident", fail)
    answer = post(caller, rows(2))
    work_on_batches()
    said = job_of(caller, answer)
    assert (said["kept"], said["state"]) == (2, "done")
    monkeypatch.setattr(letters, "open_incident", real)
    inbox.sweep_inbox(older_than_s=0)
    row = caller.get(f"jobs/{said['id']}/results").json()["results"][0]
    assert (row["outcome"], row["status"], row["message_status"]) == ("kept", 202, "processed") and row["ref"]


def test_a_row_that_breaks_its_chunk_is_given_up_and_its_companions_go_in(caller, rows, monkeypatch):
    real = batches._mark

    def trip(row, answer):
        if row.index == 1:
            raise RuntimeError("this row")
        real(row, answer)

    monkeypatch.setattr(batches, "_mark", trip)
    answer = post(caller, rows(3))
    work_on_batches()
    said = job_of(caller, answer)
    assert (said["opened"], said["rejected"], said["state"]) == (2, 1, "done")
    bad = caller.get(f"jobs/{said['id']}/results", {"outcome": "rejected"}).json()["results"]
    assert [(row["status"], row["errors"][0]["code"]) for row in bad] == [(500, "failed")]
    assert Incident.objects.count() == 2


def test_a_long_batch_does_not_hold_up_a_short_one(caller, rows, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 2)
    long, short = post(caller, rows(6)), post(caller, [{**rows(1)[0], "report_number": "short"}])
    work_on_batches(seconds=0)  # one chunk of one job
    work_on_batches(seconds=0)
    assert (job_of(caller, long)["done"], job_of(caller, short)["done"]) == (2, 1)


def test_a_cancelled_job_takes_nothing_more_in_and_ends_once(caller, rows, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK", 2)
    answer = post(caller, rows(6))
    work_on_batches(seconds=0)
    path = f"jobs/{answer.json()['id']}/cancel"
    said = caller.post(path, {}).json()
    assert (said["state"], said["opened"], said["cancelled"], said["progress"]) == ("cancelled", 2, 4, 1.0)
    assert caller.post(path, {}).status_code == 409
    assert work_on_batches() == 0 and Incident.objects.count() == 2


def test_a_key_revoked_meanwhile_brings_nothing_more_in(caller, rows):
    answer = post(caller, rows(2))
    revoke_key(key=caller.key, by=None)
    work_on_batches()
    job = BatchJob.objects.get(pk=answer.json()["id"])
    assert (job.state, job.rejected) == ("done", 2) and not Incident.objects.exists()
    assert {row.errors[0]["code"] for row in job.rows.all()} == {"not_allowed"}
    assert job.rows.filter(body__isnull=False).count() == 2


def test_a_job_is_seen_by_its_key_alone(caller, rows, police_system):
    number = post(caller, rows(1)).json()["id"]
    key, secret = issue_key(partner=police_system, name="other", scopes=["incidents:write"], by=None, all_governorates=True)
    other = copy.copy(caller)
    other.key, other.secret = key, secret
    for path in (f"jobs/{number}", f"jobs/{number}/results", f"jobs/{number}/results.csv", "jobs/999999999999999999999"):
        assert other.get(path).status_code == 404, path
    assert other.post(f"jobs/{number}/cancel", {}).status_code == 404
    assert other.get("jobs").json()["results"] == [] and len(caller.get("jobs").json()["results"]) == 1
    assert Client().get(f"/api/v1/jobs/{number}").status_code == 401
    _key, secret = issue_key(partner=police_system, name="reader", scopes=["incidents:read"], by=None, all_governorates=True)
    other.secret = secret
    assert other.get(f"jobs/{number}").status_code == 403


def test_a_partner_with_too_much_waiting_waits(caller, rows, monkeypatch):
    monkeypatch.setattr(batches, "MAX_WAITING_ROWS", 4)
    assert post(caller, rows(3)).status_code == 202
    assert post(caller, rows(3)).status_code == 429
    work_on_batches()
    assert post(caller, rows(3)).status_code == 202


def test_finished_jobs_go_after_a_month_and_their_messages_stay(caller, rows):
    post(caller, rows(2))
    assert forget_old_batches(older_than=batches.timedelta(0)) == 0
    work_on_batches()
    assert forget_old_batches() == 0
    assert forget_old_batches(older_than=batches.timedelta(0)) == 3
    assert InboxMessage.objects.count() == 2


def test_a_supervisor_sees_and_stops_a_job_in_the_command_centre(caller, rows, cast):
    number = post(caller, rows(2)).json()["id"]
    client = Client()
    client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    listing = reverse("admin:interop_batchjob_changelist")
    assert f"/{number}/".encode() in client.get(listing).content
    client.post(listing, {"action": "stop", "_selected_action": [number], "apply": "1", "reason": "wrong file"})
    assert BatchJob.objects.get(pk=number).state == "cancelled"
    assert AuditEntry.objects.get(verb="batch.cancel").reason == "wrong file"
