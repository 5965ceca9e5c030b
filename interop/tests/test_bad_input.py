"""INT-5, "Bad input": whatever arrives is answered with a clear problem in JSON; nothing is half-written."""

from __future__ import annotations

import gzip

import orjson
import pytest
from django.test import Client, override_settings

from core.models import Event
from incidents.models import Incident, Report
from interop.models import InboxMessage
from interop.services import inbox, issue_key, letters
from interop.tests.conftest import Caller

pytestmark = pytest.mark.django_db
MOI = "ingest/moi-incident"


def is_problem(answer, status, word=""):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id", "errors"} <= set(said)
    assert said["status"] == status and said["request_id"] == answer["X-Request-ID"]
    assert word in said["detail"], said["detail"]
    assert not Incident.objects.exists() and not Report.objects.exists() and not Event.objects.exists()
    return True


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "line 1"),
        (b"{'a': 1}", "not JSON"),
        (b"<xml/>", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": [1, -Infinity]}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": 123456789012345678901234567890}', "64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too long"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"a": {"b": 1, "b": 1}}', "“b”"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"[" * 500 + b"]" * 500 + b"}", "nested too deeply"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "x\\u0000y"}', "NUL"),
        ('{"a": "سالمية"}'.encode("cp1256"), "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
    ],
)
def test_a_body_that_cannot_be_read_says_what_is_wrong(caller, body, word):
    assert is_problem(caller.post(MOI, body, raw=True), 400, word)
    assert not InboxMessage.objects.exists()


def test_an_empty_body_lacks_every_field_that_must_be_there(caller):
    answer = caller.post(MOI, b"", raw=True)
    assert is_problem(answer, 422)
    assert {error["field"] for error in answer.json()["errors"]} == {"incident_type", "occurred_at"}


def test_a_backslash_before_u0000_is_text_like_any_other(caller, burglary_report):
    assert caller.post(MOI, {**burglary_report, "description": "C:\\u0000"}).status_code == 201


@pytest.mark.parametrize("body", [[], "text", 7, True, [{}]])
def test_a_body_that_is_no_object_is_no_message(caller, body):
    assert is_problem(caller.post(MOI, body), 422)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/json,application/json",
    ],
)
def test_another_form_than_json_is_415(caller, burglary_report, content_type):
    assert is_problem(caller.post(MOI, orjson.dumps(burglary_report), raw=True, content_type=content_type), 415)


def test_a_body_may_come_compressed_with_gzip_and_is_the_same_message(caller, burglary_report):
    packed = gzip.compress(orjson.dumps(burglary_report))
    assert caller.post(MOI, packed, raw=True, Content_Encoding="gzip").status_code == 201
    assert caller.post(MOI, packed, raw=True, Content_Encoding="GZIP").status_code == 200
    assert caller.post(MOI, burglary_report, Content_Encoding="identity").status_code == 200
    assert caller.post(f"{MOI}/batch", gzip.compress(orjson.dumps([burglary_report])), raw=True, Content_Encoding="gzip").status_code == 200


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "x"])
def test_another_compression_and_another_charset_are_415(caller, burglary_report, encoding):
    packed = gzip.compress(orjson.dumps(burglary_report))
    answer = caller.post(MOI, packed, raw=True, Content_Encoding=encoding)
    assert is_problem(answer, 415, "gzip") and answer["Accept-Encoding"] == "gzip, identity"
    assert is_problem(caller.post(MOI, b"{}", raw=True, content_type="application/json; charset=utf-16"), 415)


def test_a_broken_gzip_body_is_400_and_says_how_it_is_broken(caller, burglary_report):
    packed = gzip.compress(orjson.dumps(burglary_report))
    for body, word in (
        (packed[:40], "breaks off"),
        (orjson.dumps(burglary_report), "is not"),
        (packed + packed, "behind the end"),
        (packed[:-8] + b"\0" * 8, "is not"),
        (gzip.compress(b'{"a": NaN}'), "NaN"),
        (gzip.compress(b"[" * 100_000), "nested too deeply"),
    ):
        assert is_problem(caller.post(MOI, body, raw=True, Content_Encoding="gzip"), 400, word)


def test_a_gzip_bomb_is_413_at_the_limit_of_what_it_becomes(caller):
    bomb = gzip.compress(b" " * (64 * 2**20))
    assert len(bomb) < 100_000
    assert is_problem(caller.post(MOI, bomb, raw=True, Content_Encoding="gzip"), 413, "2097152")
    assert is_problem(caller.post(f"{MOI}/batch", bomb, raw=True, Content_Encoding="gzip"), 413, str(20 * 2**20))


def test_a_body_of_50_mb_is_413_compressed_or_not(caller):
    for encoding in ("identity", "gzip"):
        assert is_problem(caller.post(f"{MOI}/batch", bytes(50 * 2**20), raw=True, Content_Encoding=encoding), 413)


def test_a_body_too_large_for_the_address_is_413(caller, burglary_report):
    assert is_problem(caller.post(MOI, {**burglary_report, "description": "x" * (2 * 2**20)}), 413, "2097152")
    assert is_problem(caller.post(f"{MOI}/batch", b"[" + b" " * (11 * 2**20) + b"]", raw=True), 413)


def test_a_description_of_a_megabyte_is_named_and_not_kept(caller, burglary_report):
    answer = caller.post(MOI, {**burglary_report, "description": "ن" * 500_000})
    assert is_problem(answer, 422)
    assert [error["field"] for error in answer.json()["errors"]] == ["description"]
    assert not InboxMessage.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("occurred_at", "2026-02-30T10:00:00Z"),
        ("occurred_at", "2026-03-14"),
        ("occurred_at", 1_700_000_000),
        ("occurred_at", "0001-01-01T00:00:00+14:00"),
        ("occurred_at", "9999-12-31T23:59:59-14:00"),
        ("occurred_at", "2026-03-14T25:00:00Z"),
        ("occurred_at", "1899-03-14T20:00:00Z"),
        ("location", [47.9, 29.3]),
        ("location", {"longitude": "47.9", "latitude": 29.3}),
        ("location", {"longitude": True, "latitude": 29.3}),
        ("location", {"latitude": 29.3}),
        ("priority", 0),
        ("priority", "1"),
        ("priority", 1.5),
        ("severity", 5),
        ("severity", []),
        ("severity", "x" * 65),
        ("incident_type", ""),
        ("incident_type", {}),
        ("incident_type", "x" * 121),
        ("report_number", "x" * 129),
        ("report_number", 7),
        ("discovered_by_officer", "maybe"),
        ("address_parts", {"block": "x" * 13}),
        ("address_parts", "block 4"),
    ],
)
def test_a_wrong_value_is_answered_under_its_fields_name(caller, burglary_report, field, value):
    answer = caller.post(MOI, {**burglary_report, field: value})
    assert is_problem(answer, 422)
    assert {error["field"].split(".")[0] for error in answer.json()["errors"]} == {field}


@pytest.mark.parametrize("key", ["a,b", "", " ", "x" * 101, 'a"b', "é"])
def test_an_idempotency_key_is_given_once_and_legible(caller, burglary_report, key):
    assert is_problem(caller.post(MOI, burglary_report, Idempotency_Key=key), 400, "Idempotency-Key")


def test_an_address_that_leads_nowhere_is_a_problem_and_says_so_about_slashes(db):
    for path in ("/api/", "/api/v2/incidents", "/api/v1/ingest/rumour", "/api/v1/ingest", "/api/%00"):
        assert is_problem(Client().get(path), 404)
    assert is_problem(Client().post("/api/v1/ingest/moi-incident/", {}), 404, "without a slash")


def test_another_method_is_405_and_another_form_of_answer_406(caller):
    assert is_problem(caller.get(MOI), 405)
    answer = Client().get("/api/v1/incidents", headers={"X-API-Key": caller.secret, "Accept": "application/xml"})
    assert is_problem(answer, 406)


@override_settings(ALLOWED_HOSTS=["khareetaty.example"])
def test_a_refused_host_is_a_problem_too():
    answer = Client().get("/api/v1/incidents", headers={"Host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_fault_of_ours_shows_no_stack(caller, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("interop.api.incidents.IncidentList.visible", fail)
    answer = caller.get("incidents")
    assert is_problem(answer, 500)
    assert b"secret" not in answer.content and b"Traceback" not in answer.content


def test_what_fails_on_our_side_is_kept_answered_202_and_taken_up_by_the_sweep(caller, burglary_report, monkeypatch):
    real = letters.open_incident

    def fail(**given):
        raise RuntimeError("the database has a bad day")

    monkeypatch.setattr(letters, "open_incident", fail)
    answer = caller.post(MOI, burglary_report)
    assert (answer.status_code, answer.json()["outcome"], answer.json()["message"]["status"]) == (202, "kept", "received")
    assert caller.post(MOI, burglary_report).status_code == 202
    monkeypatch.setattr(letters, "open_incident", real)
    assert inbox.sweep_inbox(older_than_s=0).opened == 1
    again = caller.post(MOI, burglary_report)
    assert (again.status_code, Incident.objects.count()) == (200, 1)


def test_a_message_that_always_fails_is_dead_after_five_attempts(caller, burglary_report, monkeypatch):
    def fail(**given):
        raise RuntimeError("always")

    monkeypatch.setattr(letters, "open_incident", fail)
    caller.post(MOI, burglary_report)
    for _ in range(6):
        inbox.sweep_inbox(older_than_s=0)
    message = InboxMessage.objects.get()
    assert (message.status, message.attempts) == ("dead", 5)


@pytest.mark.parametrize("path", ["webhooks", "auth/token"])
@pytest.mark.parametrize(
    ("body", "word"),
    [(b'{"a": NaN}', "NaN"), (b'{"a": 1, "a": 2}', "stands twice"), (b"[" * 10_000, "nested too deeply"), (b"<a/>", "not JSON")],
)
def test_every_door_that_takes_json_reads_it_as_strictly(police_system, path, body, word):
    key, secret = issue_key(partner=police_system, name="hooks", scopes=["webhooks:manage"], by=None, all_governorates=True)
    assert is_problem(Caller(key, secret).post(path, body, raw=True), 400, word)


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00Z", "0290-07-08T12:36:49Z", "1969-12-31T00:00:00Z", "9999-12-25T00:00:00Z"])
@pytest.mark.parametrize(("path", "name"), [("gaps", "start"), ("gaps", "end"), ("spans", "start")])
def test_times_at_the_ends_of_the_calendar_are_refused_by_name(alerting, police_system, when, path, name):
    caller = Caller(*issue_key(partner=police_system, name="k", scopes=["alerts:read"], by=None, all_governorates=True))
    answer = caller.get(f"oncall/schedules/{alerting.schedule.pk}/{path}", {name: when})
    assert answer.status_code == 422, answer.content
    assert [error["field"] for error in answer.json()["errors"]] == [name]
    assert caller.get(f"oncall/schedules/{alerting.schedule.pk}/{path}", {"start": "2026-03-01T00:00:00Z"}).status_code == 200


@pytest.mark.parametrize("asked", [{"to": "0001-01-01T00:00:00Z"}, {"from": "9999-12-31T23:59:59-14:00"}, {"from": "1969-12-31T00:00:00Z"}])
def test_a_track_at_the_ends_of_the_calendar_is_refused_by_name(force, police_system, asked):
    caller = Caller(*issue_key(partner=police_system, name="k", scopes=["patrol:read"], by=None, all_governorates=True))
    answer = caller.get(f"patrol/units/{force.p1.pk}/track", asked)
    assert answer.status_code == 422, answer.content
    assert {error["field"] for error in answer.json()["errors"]} >= set(asked)
