"""ING-1, ING-2, ING-3, ING-9: each agency's message becomes an incident, once, in its own words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.models import AuditEntry, Event
from incidents.models import Incident, IncidentType, Report, Source
from incidents.services.vocabulary import ensure_vocabulary
from interop.messages import OF_INCIDENTS
from interop.models import InboxMessage, Kind, Partner
from interop.services import issue_key
from interop.tests.conftest import Caller, message

pytestmark = pytest.mark.django_db
MOI = "ingest/moi-incident"


def error_fields(answer):
    assert answer["Content-Type"] == "application/problem+json", answer.content
    return {error["field"]: error["code"] for error in answer.json()["errors"]}


def test_a_report_is_answered_201_with_the_address_of_its_incident(caller, burglary_report, places):
    answer = caller.post(MOI, burglary_report)
    assert answer.status_code == 201
    said = answer.json()
    assert answer["Location"] == said["url"] and said["url"].endswith(f"/api/v1/incidents/{said['ref']}")
    assert (said["outcome"], said["state"], said["message"]["status"]) == ("opened", "received", "processed")
    assert said["message"]["message_id"] == burglary_report["report_number"]
    incident = Incident.objects.by_ref(said["ref"]).get()
    assert (incident.agency.slug, incident.area, incident.origin) == ("police", places.salmiya, "reported")
    assert caller.get(f"incidents/{said['ref']}").json()["ref"] == said["ref"]


def test_a_report_leaves_its_words_its_log_its_audit_its_event_and_its_message(caller, burglary_report):
    incident = Incident.objects.by_ref(caller.post(MOI, burglary_report, X_Request_ID="request-4711").json()["ref"]).get()
    assert Report.objects.get(incident=incident).raw == burglary_report
    assert incident.log.get().author_name == "police-cad/test"
    audit = AuditEntry.objects.about("incidents.incident", incident.pk).get()
    assert (audit.actor_kind, audit.actor_id, audit.door, audit.request_id) == ("key", caller.key.pk, "api", "request-4711")
    assert Event.objects.get(type="incident.opened").subject_id == incident.pk
    kept = InboxMessage.objects.get()
    assert (kept.status, kept.incident, kept.body, kept.attempts) == ("processed", incident, burglary_report, 1)
    assert (kept.agency_id, kept.governorate_id) == (incident.agency_id, incident.governorate_id)


@pytest.mark.parametrize("kind", [kind.value for kind in OF_INCIDENTS])
def test_the_documented_example_of_each_kind_opens_an_incident(caller, places, kind):
    ensure_vocabulary()
    answer = caller.post(f"ingest/{kind}", message(kind, places))
    assert answer.status_code == 201, answer.content
    incident = Incident.objects.get()
    assert incident.type.is_reviewed
    assert incident.source == Source.objects.get(slug=f"police-cad-{kind}")
    assert incident.area == places.salmiya


def test_patrol_logs_are_discovered_and_112_calls_are_reported(caller, places):
    caller.post("ingest/patrol-log", message(Kind.PATROL_LOG, places))
    caller.post("ingest/emergency-call", message(Kind.EMERGENCY_CALL, places))
    caller.post(MOI, message(Kind.MOI_INCIDENT, places, discovered_by_officer=True))
    assert list(Incident.objects.order_by("id").values_list("origin", flat=True)) == ["discovered", "reported", "discovered"]


@pytest.mark.parametrize(
    ("kind", "facts", "severity"),
    [
        (Kind.TRAFFIC_ACCIDENT, {"killed": 1}, 4),
        (Kind.TRAFFIC_ACCIDENT, {"injured": 2}, 3),
        (Kind.TRAFFIC_ACCIDENT, {"injured": 2, "severity": "low"}, 1),
        (Kind.FIRE_INCIDENT, {"alarm_level": 1, "injured": 0}, 2),
        (Kind.FIRE_INCIDENT, {"alarm_level": 1, "injured": 1}, 3),
        (Kind.FIRE_INCIDENT, {"alarm_level": 1, "trapped": 1}, 4),
        (Kind.EMS_CALL, {"triage": "green"}, 1),
        (Kind.CONGESTION, {"level": "standstill"}, 3),
        (Kind.MOI_INCIDENT, {"severity": "critical"}, 4),
        (Kind.MOI_INCIDENT, {"severity": 2}, 2),
    ],
)
def test_severity_follows_from_what_the_agency_says(caller, places, kind, facts, severity):
    ensure_vocabulary()
    assert caller.post(f"ingest/{kind}", message(kind, places, **facts)).status_code == 201
    assert Incident.objects.get().severity == severity


def test_the_address_is_kept_in_its_parts(caller, burglary_report):
    caller.post(MOI, burglary_report)
    incident = Incident.objects.get()
    assert (incident.address_block, incident.address_street, incident.address_building) == ("10", "4", "17")


def test_a_repeat_is_answered_200_with_the_same_address(caller, burglary_report):
    first, second = caller.post(MOI, burglary_report), caller.post(MOI, dict(reversed(burglary_report.items())))
    assert (second.status_code, second["Location"], second.json()["outcome"]) == (200, first["Location"], "repeated")
    assert Incident.objects.count() == Report.objects.count() == InboxMessage.objects.count() == Event.objects.count() == 1


def test_an_idempotency_key_makes_a_repeat_of_what_has_no_id(caller, burglary_report):
    del burglary_report["report_number"]
    first = caller.post(MOI, burglary_report, Idempotency_Key="a-1")
    second = caller.post(MOI, burglary_report, Idempotency_Key='"a-1"')
    other = caller.post(MOI, burglary_report, Idempotency_Key="a-2")
    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 201)
    assert first["Location"] == second["Location"] != other["Location"]


def test_the_same_words_without_any_id_are_the_same_message(caller, burglary_report):
    del burglary_report["report_number"]
    assert [caller.post(MOI, burglary_report).status_code for _ in range(2)] == [201, 200]


def test_an_idempotency_key_stands_for_one_content(caller, burglary_report):
    caller.post(MOI, burglary_report, Idempotency_Key="a-1")
    answer = caller.post(MOI, {**burglary_report, "report_number": "HAW-2"}, Idempotency_Key="a-1")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:khareetaty:problem:idempotency_key_reused")
    assert Incident.objects.count() == 1


def test_an_id_stands_for_one_content(caller, burglary_report):
    caller.post(MOI, burglary_report)
    answer = caller.post(MOI, {**burglary_report, "description": "Something else."})
    assert answer.status_code == 409
    assert error_fields(answer) == {"report_number": "message_id_reused"}
    assert InboxMessage.objects.get().body == burglary_report


def test_two_partners_may_use_the_same_id(caller, burglary_report, cast, places):
    other = Partner.objects.create(slug="other", name="Other", agency=cast.police, region=places.region, kinds=[Kind.MOI_INCIDENT])
    key, secret = issue_key(partner=other, name="k", scopes=["incidents:write"], by=None, all_governorates=True)
    assert caller.post(MOI, burglary_report).status_code == Caller(key, secret).post(MOI, burglary_report).status_code == 201


def test_a_point_at_sea_is_refused_by_name_and_kept_and_goes_in_when_corrected(caller, burglary_report, places):
    wrong = {**burglary_report, "location": {"longitude": places.at_sea.x, "latitude": places.at_sea.y}}
    answer = caller.post(MOI, wrong)
    assert answer.status_code == 422 and error_fields(answer) == {"location": "out_of_area"}
    kept = InboxMessage.objects.get()
    assert (kept.status, kept.body, kept.incident, kept.errors[0]["field"]) == ("rejected", wrong, None, "location")
    assert not Incident.objects.exists() and not Event.objects.exists()
    assert caller.post(MOI, wrong).status_code == 422
    assert caller.post(MOI, burglary_report).status_code == 201
    kept.refresh_from_db()
    assert (kept.status, kept.body, kept.attempts, kept.errors) == ("processed", burglary_report, 3, [])


def test_swapped_coordinates_are_recognised(caller, burglary_report, places):
    swapped = {"longitude": places.in_salmiya.y, "latitude": places.in_salmiya.x}
    answer = caller.post(MOI, {**burglary_report, "location": swapped})
    assert "swapped" in answer.json()["errors"][0]["detail"]


def test_each_wrong_field_is_named(caller, burglary_report):
    wrong = {**burglary_report, "occurred_at": "yesterday", "priority": 9, "location": {"longitude": 400}, "description": 7}
    del wrong["incident_type"]
    answer = caller.post(MOI, wrong)
    assert answer.status_code == 422
    assert set(error_fields(answer)) == {
        "occurred_at",
        "priority",
        "location.longitude",
        "location.latitude",
        "description",
        "incident_type",
    }
    assert InboxMessage.objects.get().status == "rejected"


def test_a_time_without_an_offset_is_refused(caller, burglary_report):
    answer = caller.post(MOI, {**burglary_report, "occurred_at": "2026-03-14T21:05:00"})
    assert answer.status_code == 422 and error_fields(answer) == {"occurred_at": "no_offset"}


def test_a_time_in_the_future_is_refused_under_the_senders_name_for_it(caller, places):
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    answer = caller.post("ingest/patrol-log", message(Kind.PATROL_LOG, places, observed_at=soon))
    assert answer.status_code == 422 and error_fields(answer) == {"observed_at": "in_the_future"}
    call = message(Kind.EMERGENCY_CALL, places, call_taken_at=soon)
    del call["happened_at"]
    assert error_fields(caller.post("ingest/emergency-call", call)) == {"call_taken_at": "in_the_future"}


def test_an_unknown_type_is_never_a_reason_to_refuse(caller, burglary_report):
    assert caller.post(MOI, {**burglary_report, "incident_type": "Zorbing without a licence"}).status_code == 201
    assert caller.post(MOI, {**burglary_report, "report_number": "-", "incident_type": "--"}).status_code == 422
    assert IncidentType.objects.get(name_en="Zorbing without a licence").is_reviewed is False
    assert caller.post(MOI, {**burglary_report, "report_number": "2", "incident_type": "zorbing  WITHOUT a licence"}).status_code == 201
    assert Incident.objects.values("type").distinct().count() == 1


def test_a_message_without_a_place_is_taken_as_unlocated(caller, burglary_report):
    del burglary_report["location"]
    assert caller.post(MOI, burglary_report).status_code == 201
    assert Incident.objects.get().location is None


def test_nulls_are_the_same_as_nothing(caller, burglary_report):
    nothing = dict.fromkeys(("reported_at", "location", "severity", "priority", "station", "address", "address_parts", "description"))
    assert caller.post(MOI, {**burglary_report, **nothing}).status_code == 201


def test_what_a_synthetic_partner_reports_is_labelled_so(caller, burglary_report, police_system):
    Partner.objects.filter(pk=police_system.pk).update(is_synthetic=True)
    caller.post(MOI, burglary_report)
    assert Incident.objects.get().is_synthetic


def test_a_batch_takes_the_good_rows_and_names_the_others_by_index_and_field(caller, burglary_report, places):
    rows = [
        burglary_report,
        {**burglary_report, "report_number": "2", "occurred_at": "2026-03-14T21:05:00"},
        {**burglary_report, "report_number": "3", "location": {"longitude": places.at_sea.x, "latitude": places.at_sea.y}},
        burglary_report,
        {**burglary_report, "description": "changed"},
        "not a message",
        {**burglary_report, "report_number": "4"},
    ]
    answer = caller.post(f"{MOI}/batch", rows)
    assert answer.status_code == 201
    said = answer.json()
    assert [row["status"] for row in said["results"]] == [201, 422, 422, 200, 409, 422, 201]
    assert [row["index"] for row in said["results"]] == list(range(7))
    named = [",".join(error["field"] for error in row["errors"]) for row in said["results"] if row["errors"]]
    assert named == ["occurred_at", "location", "report_number", ""]
    assert (said["opened"], said["repeated"], said["rejected"], said["kept"]) == (2, 1, 4, 0)
    assert said["results"][0]["url"] == said["results"][3]["url"]
    assert Incident.objects.count() == 2
    assert caller.post(f"{MOI}/batch", {"messages": [burglary_report]}).status_code == 200


def test_a_batch_of_which_no_row_is_right_is_a_problem_naming_each_row(caller, burglary_report):
    del burglary_report["incident_type"]
    answer = caller.post(f"{MOI}/batch", [burglary_report, 7])
    assert answer.status_code == 422
    assert error_fields(answer) == {"0.incident_type": "required", "1": "not_an_object"}
    assert [row["status"] for row in answer.json()["results"]] == [422, 422]


@pytest.mark.parametrize("body", [[], {}, {"messages": 3}, [{}] * 10_001, "x"])
def test_a_batch_is_a_list_of_1_to_10000(caller, body):
    assert caller.post(f"{MOI}/batch", body).status_code == 422


def test_an_idempotency_key_covers_every_row_of_a_batch(caller, burglary_report):
    del burglary_report["report_number"]
    rows = [burglary_report, burglary_report]
    first = caller.post(f"{MOI}/batch", rows, Idempotency_Key="b-1").json()
    second = caller.post(f"{MOI}/batch", rows, Idempotency_Key="b-1").json()
    assert (first["opened"], second["repeated"], Incident.objects.count()) == (2, 2, 2)
