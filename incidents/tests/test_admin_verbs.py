"""CMD-1, ING-5: what people do to incidents and types in the command centre goes through the services, or not at all."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry, Event
from incidents.lifecycle import State
from incidents.models import Incident, IncidentLog, IncidentType, Source, TypeMapping
from incidents.services import close_incident
from incidents.services.types import merge_type, review_type

LIST = "admin:incidents_incident_changelist"


def enter(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def act(client, action, rows, **answers):
    return client.post(reverse(LIST), {"action": action, "_selected_action": [row.pk for row in rows], **answers}, follow=True)


def whole(answer) -> bytes:
    return b"".join(answer.streaming_content)


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def correction(incident, **given):
    return {
        "type": incident.type_id,
        "priority": incident.priority,
        "severity": incident.severity,
        "description": incident.description,
        "reason": "",
        "log-TOTAL_FORMS": 0,
        "log-INITIAL_FORMS": 0,
        "reports-TOTAL_FORMS": 0,
        "reports-INITIAL_FORMS": 0,
        **given,
    }


def test_closing_in_bulk_asks_for_the_disposition_and_logs_who_and_why(cast, report):
    rows = [report(), report()]
    client = enter(cast.supervisor)
    assert act(client, "close", rows, index="0").status_code == 200
    assert Incident.objects.open().count() == 2
    done = act(client, "close", rows, apply="1", disposition="resolved", reason="storm over")
    assert said(done) == ["2 incidents were closed."]
    entry = IncidentLog.objects.filter(to_state="closed")[0]
    assert (entry.author_name, entry.reason) == ("supervisor", "storm over")
    assert AuditEntry.objects.filter(door="admin", actor_name="supervisor").exists()


def test_a_row_that_cannot_be_closed_is_named_and_the_others_are_closed(cast, report):
    done, left = report(), report()
    close_incident(incident=done, by=None, disposition="resolved")
    texts = said(act(enter(cast.supervisor), "close", [done, left], apply="1", disposition="no_action"))
    assert texts[0] == "1 incident was closed." and done.ref in texts[1]


def test_an_analyst_and_an_auditor_move_nothing(cast, report):
    incident = report()
    for person in (cast.analyst, cast.auditor):
        act(enter(person), "close", [incident], apply="1", disposition="resolved")
        assert enter(person).post(reverse("admin:incidents_incident_change", args=[incident.pk]), correction(incident)).status_code == 403
    incident.refresh_from_db()
    assert incident.state == State.RECEIVED


def test_an_incident_outside_the_jurisdiction_is_not_touched_by_its_id(cast, report, places):
    theirs = report(location=places.in_sharq)
    act(enter(cast.supervisor), "close", [theirs], apply="1", disposition="resolved")
    theirs.refresh_from_db()
    assert theirs.state == State.RECEIVED


def test_the_state_is_no_field_of_the_form(cast, report):
    incident = report()
    answer = enter(cast.supervisor).post(
        reverse("admin:incidents_incident_change", args=[incident.pk]), correction(incident, state="closed", severity=4)
    )
    incident.refresh_from_db()
    assert answer.status_code == 302 and incident.severity == 4
    assert incident.state == State.CLASSIFIED and incident.log.filter(kind="changed").get().changes["severity"] == [2, 4]


def test_a_change_of_priority_without_a_reason_is_refused_beside_the_field(cast, report):
    incident = report()
    client = enter(cast.supervisor)
    address = reverse("admin:incidents_incident_change", args=[incident.pk])
    answer = client.post(address, correction(incident, priority=1, description="typed and kept"))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors["reason"] and b"typed and kept" in answer.content
    assert client.post(address, correction(incident, priority=1, reason="shots heard")).status_code == 302
    incident.refresh_from_db()
    assert incident.priority == 1


def test_an_incident_taken_down_by_hand(cast, places, burglary):
    client = enter(cast.supervisor)
    form = {
        "agency": cast.police.pk,
        "type": burglary.pk,
        "occurred_at_0": "2026-11-01",
        "occurred_at_1": "10:00",
        "location_lon": "47.92",
        "location_lat": "29.35",
        "address": "Block 3",
        "priority": "",
        "severity": "4",
        "origin": "reported",
        "description": "بلاغ هاتفي",
    }
    assert client.post(reverse("admin:incidents_incident_add"), form).status_code == 302
    incident = Incident.objects.get()
    assert (incident.area, incident.severity, incident.priority) == (places.salmiya, 4, burglary.default_priority)
    assert incident.reports.get().raw["by"] == "supervisor" and incident.source.slug == "desk-police-kw"
    for wrong in (
        {"location_lon": "48.9"},
        {"location_lon": "x"},
        {"location_lat": "95"},
        {"location_lon": "47.85"},
        {"agency": cast.fire.pk},
    ):
        answer = client.post(reverse("admin:incidents_incident_add"), {**form, **wrong})
        assert answer.status_code == 200 and answer.context["adminform"].form.errors, wrong
    assert Incident.objects.count() == 1


def test_marking_a_duplicate_names_the_original_by_its_reference(cast, report, places):
    first, second, foreign = report(), report(), report(location=places.in_sharq)
    client = enter(cast.supervisor)
    assert act(client, "duplicate", [second], apply="1", original=foreign.ref).status_code == 200
    assert Incident.objects.get(pk=second.pk).state == State.RECEIVED
    assert said(act(client, "duplicate", [second], apply="1", original=first.ref)) == ["1 incident was marked."]
    assert Incident.objects.get(pk=second.pk).duplicate_of == first


def test_the_date_hierarchy_leads_from_years_to_days(cast, report, settings):
    for moment in ("2024-12-31T22:30:00+00:00", "2026-02-03T08:00:00+00:00", "2026-02-05T08:00:00+00:00"):
        report(occurred_at=datetime.fromisoformat(moment))
    client = enter(cast.supervisor)

    def offered(**chosen):
        return client.get(reverse(LIST), chosen).content.decode()

    # The first lies in 2025 by Kuwait's clock.
    assert "occurred_at__year=2025" in offered() and "occurred_at__year=2024" not in offered() and "occurred_at__year=2026" in offered()
    assert "occurred_at__month=2&" in offered(occurred_at__year=2026) and "occurred_at__month=5" not in offered(occurred_at__year=2026)
    month = offered(occurred_at__year=2026, occurred_at__month=2)
    assert "occurred_at__day=3&" in month and "occurred_at__day=5&" in month and "occurred_at__day=6&" not in month
    day = client.get(reverse(LIST), {"occurred_at__year": 2026, "occurred_at__month": 2, "occurred_at__day": 3})
    assert len(day.context["cl"].result_list) == 1
    report(occurred_at=datetime.fromisoformat("1931-05-01T08:00:00+00:00"))
    assert "occurred_at__year=1931" in offered() and "occurred_at__year=1950" not in offered()


# -- types -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def unknown(police_112):
    kind = IncidentType.objects.create(code="test-112-break-in", name_en="break in", is_reviewed=False, agency=police_112.agency)
    TypeMapping.objects.create(source=police_112, word="break in", type=kind)
    return kind


def test_merging_an_unreviewed_type_maps_its_word_and_moves_its_incidents_in_their_logs(cast, unknown, burglary, report):
    incident = report(type=unknown)
    assert merge_type(type=unknown, into=burglary, by=cast.supervisor, reason="the same") == 1
    incident.refresh_from_db()
    assert incident.type == burglary and incident.log.last().changes == {"type": [unknown.code, "burglary"]}
    assert TypeMapping.objects.get(word="break in").type == burglary
    unknown.refresh_from_db()
    assert not unknown.is_active
    assert Event.objects.get(type="incident_type.merged").data["count"] == 1
    assert AuditEntry.objects.get(verb="incidenttype.merge", after__incidents=1)


def test_a_merge_is_refused_where_incidents_are_out_of_sight_or_types_are_not_fit(cast, unknown, burglary, report, places):
    with pytest.raises(Invalid):
        merge_type(type=unknown, into=unknown, by=cast.supervisor)
    with pytest.raises(Conflict):
        merge_type(type=burglary, into=unknown, by=cast.supervisor)
    with pytest.raises(NotAllowed):
        merge_type(type=unknown, into=burglary, by=cast.analyst)
    report(type=unknown, location=places.in_sharq)
    with pytest.raises(NotAllowed):
        merge_type(type=unknown, into=burglary, by=cast.supervisor)
    assert merge_type(type=unknown, into=burglary, by=cast.superadmin) == 1


def test_reviewing_twice_is_a_conflict(cast, unknown):
    assert review_type(type=unknown, by=cast.supervisor).is_reviewed
    with pytest.raises(Conflict):
        review_type(type=unknown, by=cast.supervisor)


# -- out and in ----------------------------------------------------------------------------------------------------------


def test_the_filtered_list_is_exported_whole_with_formulas_made_harmless(cast, report, places):
    report(description="=HYPERLINK(1)", severity=4)
    report(description="calm", severity=1)
    report(description="theirs", location=places.in_sharq)
    client = enter(cast.supervisor)
    body = whole(client.get(reverse("admin:incidents_incident_export", args=["csv"]), {"severity__exact": 4}))
    rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
    assert [row["description"] for row in rows] == ["'=HYPERLINK(1)"]
    answer = client.get(reverse("admin:incidents_incident_export", args=["json"]))
    assert {row["description"] for row in json.loads(whole(answer))} == {"=HYPERLINK(1)", "calm"}
    sheet = openpyxl.load_workbook(io.BytesIO(whole(client.get(reverse("admin:incidents_incident_export", args=["xlsx"])))))
    assert sheet.active.max_row == 3
    assert AuditEntry.objects.filter(verb="incident.export").count() == 3
    assert client.get(reverse("admin:incidents_incident_export", args=["exe"])).status_code == 404


def test_an_export_beyond_the_cap_says_so_and_sends_nothing(cast, report, monkeypatch):
    monkeypatch.setattr("incidents.admin.exporting.LIMIT", 1)
    report(), report()
    answer = enter(cast.supervisor).get(reverse("admin:incidents_incident_export", args=["csv"]), follow=True)
    assert "More than 1 incidents match" in said(answer)[0]


def test_a_small_table_goes_out_and_comes_back(cast, police_112, burglary):
    client = enter(cast.superadmin)
    sent = client.post(
        reverse("admin:incidents_typemapping_import"),
        {"format": "0", "resource": "", "import_file": _csv("source,word,type\ntest-112,سطو,burglary\n")},
    )
    assert sent.status_code == 200 and sent.context["confirm_form"] is not None
    client.post(reverse("admin:incidents_typemapping_process_import"), sent.context["confirm_form"].initial)
    assert TypeMapping.objects.get(word="سطو").type == burglary
    assert AuditEntry.objects.get(verb="typemapping.import", after__new=1)
    out = client.post(reverse("admin:incidents_typemapping_export"), {"format": "0", "resource": "", **_all_fields(client)})
    assert "سطو" in out.content.decode()


def test_a_table_is_not_imported_by_somebody_who_sees_one_agency(cast):
    assert enter(cast.supervisor).get(reverse("admin:incidents_typemapping_import")).status_code == 403


def _all_fields(client):
    page = client.get(reverse("admin:incidents_typemapping_export"))
    return {name: "on" for name in page.context["form"].fields if name not in {"format", "resource", "export_items"}}


def _csv(text):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile("words.csv", text.encode(), content_type="text/csv")


def test_deleting_what_others_lean_on_is_refused(cast, report, burglary):
    report()
    client = enter(cast.superadmin)
    page = client.post(reverse("admin:incidents_incidenttype_delete", args=[burglary.pk]), {"post": "yes"})
    assert page.status_code in {200, 403} and IncidentType.objects.filter(pk=burglary.pk).exists()
    assert client.get(reverse("admin:incidents_source_delete", args=[Source.objects.get().pk])).status_code == 403


def test_a_plain_change_is_audited_with_before_and_after(cast, burglary):
    client = enter(cast.supervisor)
    address = reverse("admin:incidents_incidenttype_change", args=[burglary.pk])
    form = client.get(address).context["adminform"].form
    given = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    assert client.post(address, {**given, "name_en": "House burglary"}).status_code == 302
    entry = AuditEntry.objects.get(verb="incidenttype.change")
    assert (entry.before, entry.after, entry.door) == ({"name_en": "Burglary"}, {"name_en": "House burglary"}, "admin")
    assert entry.request_id and entry.address
    history = client.get(reverse("admin:incidents_incidenttype_history", args=[burglary.pk])).content.decode()
    assert "House burglary" in history and entry.address not in history
