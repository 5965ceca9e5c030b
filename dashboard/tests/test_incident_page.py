"""CMD-2, ING-9, ACC-1: one incident's page: who sees it, which buttons they have, each step and each refusal, with and without HTMX."""

from __future__ import annotations

import pytest

from core.models import AuditEntry
from incidents.lifecycle import State
from incidents.services import annotate_incident, classify_incident, close_incident, mark_duplicate, move_incident

HTMX = {"hx-request": "true"}
MAY_MOVE = {"superadmin", "supervisor", "dispatcher", "officer"}
MAY_CLOSE = {"superadmin", "supervisor", "dispatcher"}
MAY_REOPEN = {"superadmin", "supervisor"}
MAY_NOTE = {"superadmin", "supervisor", "dispatcher", "officer", "analyst"}
EVERYBODY = ["superadmin", "supervisor", "analyst", "dispatcher", "officer", "auditor"]


def address(incident, what=""):
    return f"/incidents/{incident.ref}/{what}"


def held(incident, **more):
    return {"expected": incident.state, "seen": incident.log.last().pk, **more}


@pytest.mark.parametrize("who", EVERYBODY)
def test_everybody_in_the_jurisdiction_reads_it_with_the_buttons_of_their_role(client, cast, report, who):
    incident = report(description="Back window broken", raw={"caller": "neighbour"})
    client.force_login(getattr(cast, who))
    html = client.get(address(incident)).content.decode()
    assert incident.ref in html and "Back window broken" in html and "neighbour" in html and "Salmiya" in html
    assert ('value="dispatched"' in html) == (who in MAY_MOVE)
    assert (address(incident, "close/") in html) == (who in MAY_CLOSE)
    assert (address(incident, "note/") in html) == (who in MAY_NOTE)
    assert (address(incident, "classify/") in html) == (who in MAY_CLOSE)
    close_incident(incident=incident, by=cast.superadmin, disposition="resolved")
    html = client.get(address(incident)).content.decode()
    assert (address(incident, "reopen/") in html) == (who in MAY_REOPEN)
    assert address(incident, "close/") not in html


@pytest.mark.parametrize("who", ["stranger", "firefighter"])
@pytest.mark.parametrize("method_and_path", [("get", ""), ("get", "panel/"), ("post", "move/"), ("post", "note/"), ("post", "close/")])
def test_a_foreign_incident_is_not_found_through_any_door(client, cast, report, who, method_and_path):
    incident = report()
    method, path = method_and_path
    client.force_login(getattr(cast, who))
    given = {"data": {"state": "dispatched", "text": "x", "disposition": "resolved"}} if method == "post" else {}
    assert getattr(client, method)(address(incident, path), **given).status_code == 404
    incident.refresh_from_db()
    assert incident.state == State.RECEIVED


@pytest.mark.parametrize("ref", ["KW-99-000001", "XX-26-000001", "KW-26-999999999999999999"])
def test_a_reference_nobody_has_is_not_found(client, cast, ref):
    client.force_login(cast.superadmin)
    assert client.get(f"/incidents/{ref}/").status_code == 404


def test_a_malformed_reference_is_not_found(client, cast):
    client.force_login(cast.superadmin)
    for ref in ("x", "KW-26-", "KW-26-1'--", "KW-26-" + "9" * 30, "../admin"):
        assert client.get(f"/incidents/{ref}/").status_code == 404


def test_one_tap_moves_it_on_without_javascript(client, cast, report):
    incident = report()
    client.force_login(cast.officer)
    response = client.post(address(incident, "move/"), held(incident, state="dispatched"), follow=True)
    assert response.redirect_chain == [(address(incident), 302)]
    assert "Now: Dispatched." in response.content.decode()
    incident.refresh_from_db()
    assert incident.state == State.DISPATCHED
    entry = AuditEntry.objects.about("incidents.incident", incident.pk).latest("id")
    assert (entry.actor_name, entry.door, entry.after) == ("officer", "web", {"state": "dispatched"})


def test_htmx_gets_the_panel_as_it_is_after_the_step(client, cast, report):
    incident = report()
    client.force_login(cast.officer)
    response = client.post(address(incident, "move/"), held(incident, state="dispatched"), headers=HTMX)
    html = response.content.decode()
    assert response.status_code == 200 and "<html" not in html and 'value="en_route"' in html


def test_a_step_on_a_state_that_moved_on_says_what_happened_meanwhile(client, cast, report):
    incident = report()
    form = held(incident, state="dispatched")
    move_incident(incident=incident, to=State.QUEUED, by=cast.dispatcher, reason="no unit free")
    client.force_login(cast.officer)
    for headers in ({}, HTMX):
        response = client.post(address(incident, "move/"), form, headers=headers)
        html = response.content.decode()
        assert response.status_code == 409
        assert "It is now “Queued”" in html and "no unit free" in html and html.count("is-new") == 1
    incident.refresh_from_db()
    assert incident.state == State.QUEUED


def test_pressing_twice_takes_one_step(client, cast, report):
    incident = report()
    client.force_login(cast.officer)
    form = held(incident, state="dispatched")
    answers = [client.post(address(incident, "move/"), form, headers=HTMX).status_code for _ in range(2)]
    assert answers == [200, 409]
    assert incident.log.filter(to_state="dispatched").count() == 1


def test_closing_asks_how_it_ended_and_keeps_what_was_written(client, cast, report):
    incident = report()
    client.force_login(cast.dispatcher)
    response = client.post(address(incident, "close/"), held(incident, disposition="", reason="all quiet"), headers=HTMX)
    html = response.content.decode()
    assert response.status_code == 422
    assert "all quiet" in html and 'class="error"' in html and "more-step" in html
    response = client.post(address(incident, "close/"), held(incident, disposition="report_taken", reason="all quiet"), headers=HTMX)
    assert response.status_code == 200 and "Report taken" in response.content.decode()


@pytest.mark.parametrize(
    ("verb", "given"), [("move", {"state": "cancelled", "reason": ""}), ("reopen", {"reason": " "}), ("note", {"text": ""})]
)
def test_a_missing_reason_is_said_beside_the_field(client, cast, report, verb, given):
    incident = report()
    if verb == "reopen":
        close_incident(incident=incident, by=cast.supervisor, disposition="resolved")
    client.force_login(cast.supervisor)
    response = client.post(address(incident, f"{verb}/"), held(incident, **given), headers=HTMX)
    assert response.status_code == 422 and 'class="error"' in response.content.decode()


def test_cancelling_and_reopening_with_a_reason(client, cast, report):
    incident = report()
    client.force_login(cast.supervisor)
    assert client.post(address(incident, "move/"), held(incident, state="cancelled", reason="caller withdrew")).status_code == 302
    incident.refresh_from_db()
    assert client.post(address(incident, "reopen/"), held(incident, reason="rang again")).status_code == 302
    incident.refresh_from_db()
    assert incident.state == State.REOPENED


def test_classifying_changes_type_priority_and_severity_and_a_new_priority_needs_its_reason(client, cast, report):
    incident = report()
    client.force_login(cast.dispatcher)
    given = held(incident, type=incident.type_id, priority=1, severity=4, reason="")
    assert client.post(address(incident, "classify/"), given, headers=HTMX).status_code == 422
    html = client.post(address(incident, "classify/"), {**given, "reason": "weapon seen"}, headers=HTMX).content.decode()
    assert "Priority 2 · urgent → 1 · immediate" in html and "weapon seen" in html
    incident.refresh_from_db()
    assert (incident.priority, incident.severity, incident.state) == (1, 4, State.CLASSIFIED)


def test_marking_a_duplicate_by_reference_links_both(client, cast, report, places):
    original, repeat, foreign = report(), report(), report(location=places.in_sharq)
    client.force_login(cast.dispatcher)
    for wrong in ("KW-26-999999", foreign.ref, "x", repeat.ref):
        response = client.post(address(repeat, "duplicate/"), held(repeat, duplicate_of=wrong), headers=HTMX)
        assert response.status_code == 422 and 'class="error"' in response.content.decode(), wrong
    assert client.post(address(repeat, "duplicate/"), held(repeat, duplicate_of=original.ref)).status_code == 302
    assert original.ref in client.get(address(repeat)).content.decode()
    assert repeat.ref in client.get(address(original)).content.decode()


def test_a_link_to_an_original_outside_the_jurisdiction_tells_nothing(client, cast, report, places):
    foreign, repeat = report(location=places.in_sharq), report()
    mark_duplicate(incident=repeat, original=foreign, by=cast.superadmin)
    client.force_login(cast.officer)
    html = client.get(address(repeat)).content.decode()
    assert "outside your jurisdiction" in html and f"/incidents/{foreign.ref}/" not in html


@pytest.mark.parametrize(
    ("who", "verb", "given"),
    [
        ("auditor", "note", {"text": "seen"}),
        ("auditor", "move", {"state": "dispatched"}),
        ("analyst", "move", {"state": "dispatched"}),
        ("officer", "close", {"disposition": "resolved"}),
        ("officer", "move", {"state": "cancelled", "reason": "x"}),
        ("dispatcher", "reopen", {"reason": "x"}),
    ],
)
def test_a_step_that_is_not_the_roles_is_refused_though_the_form_was_forged(client, cast, report, who, verb, given):
    incident = report()
    if verb == "reopen":
        close_incident(incident=incident, by=cast.supervisor, disposition="resolved")
    client.force_login(getattr(cast, who))
    assert client.post(address(incident, f"{verb}/"), held(incident, **given), headers=HTMX).status_code == 403
    before = incident.state
    incident.refresh_from_db()
    assert incident.state == before


def test_forged_values_are_refused_and_nothing_breaks(client, cast, report):
    incident = report()
    client.force_login(cast.supervisor)
    for verb, given in (
        ("move", {"state": "nonsense"}),
        ("move", {"state": "closed"}),
        ("move", {"state": "dispatched", "expected": "x" * 5000}),
        ("move", {"state": "dispatched", "seen": "x"}),
        ("close", {"disposition": "x"}),
        ("classify", {"type": "0", "priority": "9", "severity": "x"}),
        ("note", {"text": "x" * 5000}),
        ("note", {"text": "a\x00b"}),
    ):
        assert client.post(address(incident, f"{verb}/"), {**held(incident), **given}, headers=HTMX).status_code in {409, 422}, (
            verb,
            given,
        )
    incident.refresh_from_db()
    assert incident.state == State.RECEIVED


def test_a_post_without_its_token_changes_nothing_and_says_so_in_both_languages(cast, report):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    incident = report()
    client.force_login(cast.officer)
    response = client.post(address(incident, "move/"), held(incident, state="dispatched"))
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode() and "انتهت صلاحية النموذج" in response.content.decode()


def test_the_timeline_tells_who_what_and_why_newest_first(client, cast, report):
    incident = report()
    classify_incident(incident=incident, by=cast.dispatcher, priority=1, reason="weapon seen")
    annotate_incident(incident=incident, by=cast.officer, text="door forced")
    client.force_login(cast.officer)
    entries = client.get(address(incident)).context["entries"]
    assert [(entry.title, entry.author) for entry in entries] == [
        ("Note", "officer"),
        ("Classified", "dispatcher"),
        ("Details changed", "dispatcher"),
        ("Received", "System"),
    ]
    assert entries[2].details == ["Priority 2 · urgent → 1 · immediate"]


def test_unknown_times_and_places_are_said(client, cast, report):
    incident = report(location=None)
    client.force_login(cast.officer)
    html = client.get(address(incident)).content.decode()
    assert "Place unknown" in html and html.count("unknown") > 3


def test_an_approximate_boundary_is_called_so(client, cast, report, places):
    places.salmiya.is_approximate = True
    places.salmiya.save(update_fields=["is_approximate"])
    client.force_login(cast.officer)
    assert "approximate boundary" in client.get(address(report())).content.decode()


def test_times_are_kuwaits(client, cast, report):
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    at = datetime.now(UTC) - timedelta(minutes=90)
    incident = report(occurred_at=at)
    client.force_login(cast.officer)
    assert at.astimezone(ZoneInfo("Asia/Kuwait")).strftime("%H:%M:%S") in client.get(address(incident)).content.decode()


def test_a_long_history_costs_no_more_queries(client, cast, report, django_assert_num_queries):
    incident = report()
    client.force_login(cast.supervisor)
    for n in range(8):
        annotate_incident(incident=incident, by=cast.officer, text=f"note {n}")
    client.get(address(incident, "panel/"))
    # session, person, head, incident, governorates of the person, log, reports, repeats, pairs, alerts, types to choose
    with django_assert_num_queries(12):
        client.get(address(incident, "panel/"))
